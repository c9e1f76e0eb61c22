// The left column: where files are dropped, and the list of cases with their progress.

const PIECE = 1 << 20; // Bytes a message: well below any websocket limit of a Jupyter server.
const AT_ONCE = 2; // Files under way from this page.
const STEPS = ["sent", "checked", "predicted"];
const TOLD = {
  sending: (c) => `Sending ${Math.round((100 * c.received) / Math.max(c.size, 1))} %`,
  sent: () => "Sent. Waiting for the check",
  checked: () => "Checked. Waiting for the prediction",
  predicted: (c) => (c.read ? "Read" : "Ready to read") + (c.duplicate ? " · seen before" : ""),
  refused: (c) => c.error,
};

/** Sends files in pieces; the kernel acknowledges each, so that none pile up. */
class Sender {
  constructor(model) {
    this.model = model;
    this.queue = [];
    this.active = 0;
    this.acknowledged = new Map();
    this.hear = (message) => {
      if (message.type === "ack") this.acknowledged.get(message.id)?.(message.go);
    };
    model.on("msg:custom", this.hear);
  }

  close() {
    this.queue = [];
    this.model.off("msg:custom", this.hear);
  }

  add(files) {
    this.queue.push(...files);
    while (this.active < AT_ONCE && this.queue.length) this.next();
  }

  async next() {
    this.active += 1;
    while (this.queue.length) await this.send(this.queue.shift());
    this.active -= 1;
  }

  async send(file) {
    const id = [...crypto.getRandomValues(new Uint8Array(12))].map((b) => b.toString(16)).join("");
    let go = await this.ask({ type: "begin", id, name: file.name, size: file.size });
    for (let at = 0; go && at < file.size; at += PIECE) {
      const piece = await file.slice(at, at + PIECE).arrayBuffer();
      go = await this.ask({ type: "piece", id }, piece);
    }
    this.acknowledged.delete(id);
  }

  ask(message, piece) {
    return new Promise((resolve) => {
      this.acknowledged.set(message.id, resolve);
      this.model.send(message, undefined, piece ? [piece] : []);
    });
  }
}

/** Return the files of a drop, those in dropped folders too. */
async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files];
  return (await Promise.all(entries.map(filesOf))).flat();
}

async function filesOf(entry) {
  if (entry.isFile) return [await new Promise((done, failed) => entry.file(done, failed))];
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((done, failed) => reader.readEntries(done, failed));
    if (!some.length) break; // A folder is told in portions of 100.
    found.push(...some);
  }
  return (await Promise.all(found.map(filesOf))).flat();
}

/** Return the row of a case and a function that brings it up to date. */
function row(id, choose, wantThumbnail) {
  const picture = h("img", { className: "cx-thumb", alt: "" });
  const name = h("span", { className: "cx-name" });
  const told = h("span", { className: "cx-told" });
  const steps = STEPS.map((step) => h("i", { className: "cx-step", title: step }));
  const track = h("span", { className: "cx-steps", "aria-hidden": "true" }, ...steps);
  const words = h("span", { className: "cx-words" }, name, told, track);
  const element = h(
    "li",
    { id: `cx-case-${id}`, className: "cx-row", role: "option", onclick: () => choose(id) },
    picture,
    words,
  );
  let asked = false;
  const update = (c, chosen) => {
    say(name, c.name);
    say(told, TOLD[c.state](c));
    element.dataset.state = c.read ? "read" : c.state;
    element.setAttribute("aria-selected", String(chosen));
    const reached = STEPS.indexOf(c.state);
    steps.forEach((step, at) => step.classList.toggle("cx-done", at <= reached));
    if (c.checked && !asked) {
      asked = true;
      wantThumbnail(id);
    }
  };
  return { element, picture, update };
}

function render({ model, el }) {
  own(el, "cx-uploads");
  const sender = new Sender(model);
  const rows = new Map();
  const urls = [];

  const input = h("input", {
    type: "file",
    multiple: true,
    hidden: true,
    accept: model.get("accept"),
    onchange: () => {
      sender.add([...input.files]);
      input.value = ""; // So that the same file can be chosen again.
    },
  });
  const button = h(
    "button",
    { type: "button", className: "cx-button cx-primary", onclick: () => input.click() },
    "Choose files",
  );
  const drop = h(
    "div",
    { className: "cx-drop" },
    button,
    h("span", { className: "cx-hint" }, "or drop files and folders here"),
    h("span", { className: "cx-hint cx-kinds" }, model.get("kinds")),
    input,
  );
  const over = (event, on) => {
    event.preventDefault();
    event.stopPropagation();
    drop.classList.toggle("cx-over", on);
  };
  drop.addEventListener("dragenter", (event) => over(event, true));
  drop.addEventListener("dragover", (event) => over(event, true));
  drop.addEventListener("dragleave", (event) => over(event, false));
  drop.addEventListener("drop", async (event) => {
    over(event, false);
    sender.add(await dropped(event.dataTransfer));
  });

  const count = h("span", { className: "cx-count", role: "status" });
  const list = h("ul", {
    className: "cx-list",
    role: "listbox",
    tabIndex: 0,
    "aria-label": "Cases, newest first",
    onkeydown: (event) => {
      const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (!move) return;
      event.preventDefault();
      const ids = model.get("rows").map((c) => c.id);
      const at = Math.min(Math.max(ids.indexOf(model.get("chosen")) + move, 0), ids.length - 1);
      if (ids.length) choose(ids[at]);
    },
  });
  const empty = h("p", { className: "cx-hint cx-empty" }, "No cases yet.");
  const title = h("div", { className: "cx-title" }, h("h3", {}, "Cases"), count);
  el.append(drop, title, empty, list);

  const choose = (id) => model.send({ type: "choose", id });
  const wantThumbnail = (id) => model.send({ type: "thumbnail", id });

  const draw = () => {
    const cases = model.get("rows");
    const chosen = model.get("chosen");
    const known = new Set(cases.map((c) => c.id));
    for (const [id, { element }] of rows) {
      if (!known.has(id)) {
        element.remove();
        rows.delete(id);
      }
    }
    cases.forEach((c, at) => {
      if (!rows.has(c.id)) rows.set(c.id, row(c.id, choose, wantThumbnail));
      const { element, update } = rows.get(c.id);
      update(c, c.id === chosen);
      if (list.children[at] !== element) list.insertBefore(element, list.children[at] ?? null);
    });
    const ready = cases.filter((c) => c.state === "predicted" && !c.read).length;
    say(count, cases.length ? `${cases.length}, ${ready} to read` : "");
    empty.hidden = cases.length > 0;
    list.hidden = !cases.length;
    list.setAttribute("aria-activedescendant", chosen ? `cx-case-${chosen}` : "");
  };
  const follow = () => {
    draw();
    rows.get(model.get("chosen"))?.element.scrollIntoView({ block: "nearest" });
  };
  const hear = (message, buffers) => {
    if (message.type !== "thumbnail" || !rows.has(message.id)) return;
    const url = pngUrl(buffers[0]);
    urls.push(url);
    rows.get(message.id).picture.src = url;
  };
  model.on("change:rows", draw);
  model.on("change:chosen", follow);
  model.on("msg:custom", hear);
  draw();
  return () => {
    sender.close();
    model.off("change:rows", draw);
    model.off("change:chosen", follow);
    model.off("msg:custom", hear);
    urls.forEach((url) => URL.revokeObjectURL(url));
  };
}

export default { render };
