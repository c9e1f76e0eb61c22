// What a person picked: files, folders with all that is in them, and what is passed over.

// What file managers put beside people's files.
const HIDDEN = /^(\..*|thumbs\.db|desktop\.ini|__macosx)$/i;

/** Return the files of a drop, those in dropped folders too. Call it at once: the drop expires. */
async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return chosen(transfer.files);
  const found = { files: [], hidden: 0, unreadable: 0 };
  const paths = new Map();
  await Promise.all(entries.map((entry) => walk(entry, found, paths)));
  found.files.sort((a, b) => paths.get(a).localeCompare(paths.get(b), undefined, { numeric: true }));
  return found;
}

/** Add what an entry holds to `found`. One that can't be read is counted, and the others go on. */
async function walk(entry, found, paths) {
  if (HIDDEN.test(entry.name)) {
    found.hidden += 1;
    return;
  }
  try {
    if (entry.isFile) {
      const file = await new Promise((done, failed) => entry.file(done, failed));
      found.files.push(file);
      paths.set(file, entry.fullPath);
      return;
    }
    const reader = entry.createReader();
    for (;;) {
      const some = await new Promise((done, failed) => reader.readEntries(done, failed));
      if (!some.length) break; // A folder is told in portions of 100.
      await Promise.all(some.map((one) => walk(one, found, paths)));
    }
  } catch {
    found.unreadable += 1;
  }
}

/** Return the files of a chooser. */
function chosen(list) {
  const all = [...list];
  const files = all.filter((file) => !(file.webkitRelativePath || file.name).split("/").some((part) => HIDDEN.test(part)));
  return { files, hidden: all.length - files.length, unreadable: 0 };
}

/** Return a sentence or two about what was passed over, or "". */
function passedOver({ files, hidden, unreadable }) {
  const count = (number, one, many) => `${number} ${number === 1 ? one : many}`;
  const told = [];
  if (hidden) told.push(`Skipped ${count(hidden, "hidden file", "hidden files")}.`);
  if (unreadable) told.push(`${count(unreadable, "entry", "entries")} could not be read: add again what is missing.`);
  if (!files.length && !told.length) told.push("Nothing to send: no file was in it.");
  return told.join(" ");
}
