// The left column: where files are dropped or chosen, and the list of cases with their progress.

/** Return a hidden chooser and the button that opens it. */
function chooser(text, className, properties, picked) {
  const input = h("input", {
    type: "file",
    multiple: true,
    hidden: true,
    onchange: () => {
      picked(chosen(input.files));
      input.value = ""; // So that the same file can be chosen again.
    },
    ...properties,
  });
  return [input, h("button", { type: "button", className, onclick: () => input.click() }, text)];
}

function render({ model, el }) {
  own(el, "cx-uploads");
  const progress = h("progress", { className: "cx-progress", "aria-label": "Files that were sent", hidden: true });
  const sending = h("span", { className: "cx-hint", hidden: true });
  const note = h("p", { className: "cx-hint cx-told", role: "status" });
  const sender = new Sender(model, () => {
    const done = sender.added - sender.left;
    progress.hidden = sending.hidden = !sender.left;
    progress.max = sender.added;
    progress.value = done;
    say(sending, `Sending ${Math.min(done + 1, sender.added)} of ${sender.added}`);
  });
  const patient = h("input", {
    type: "text",
    className: "cx-patient",
    autocomplete: "off",
    placeholder: "Patient id (optional)",
    title: "Of the files that come next. The gateway makes a pseudonym of it; it is kept nowhere.",
    "aria-label": "Patient id of the next files (optional)",
  });
  /** Return the id for what was picked just now, and clear it: the next files are the next patient's. */
  const takeId = () => {
    const id = patient.value;
    patient.value = "";
    return id;
  };
  const add = (found, id) => {
    say(note, passedOver(found));
    if (found.files.length) sender.add(found.files, id);
  };
  const picked = (found) => add(found, takeId());
  const [input, button] = chooser("Choose files", "cx-button cx-primary", { accept: model.get("accept") }, picked);
  const [folder, folderButton] = chooser("Choose a folder", "cx-link", { webkitdirectory: true }, picked);
  const drop = h(
    "div",
    { className: "cx-drop" },
    button,
    folderButton,
    h("span", { className: "cx-hint" }, "or drop files and folders anywhere here"),
    h("span", { className: "cx-hint cx-kinds" }, model.get("kinds")),
    patient,
    input,
    folder,
    sending,
    progress,
  );
  const { elements, close } = cases(model);
  el.append(drop, note, ...elements);

  // The whole workspace takes files. Beside it they would replace the page, and its work with it.
  const whole = () => el.closest(".cx-workspace") ?? el;
  const inside = (node) => node instanceof Node && whole().contains(node);
  const drag = (event) => {
    if (event.defaultPrevented || !event.dataTransfer?.types.includes("Files")) return;
    const ours = inside(event.target);
    if (!ours && event.target.closest?.(".cx-workspace, .cx-uploads")) return; // Another one's.
    event.preventDefault();
    whole().classList.toggle("cx-over", ours && event.type === "dragover");
    if (event.type === "dragover") event.dataTransfer.dropEffect = ours ? "copy" : "none";
    else if (ours) {
      const id = takeId(); // Now: the walk through folders takes a while.
      dropped(event.dataTransfer).then((found) => add(found, id));
    }
  };
  const leave = (event) => {
    if (!inside(event.relatedTarget)) whole().classList.remove("cx-over");
  };
  const unguard = guard(() => sender.left);
  const giveUp = () => sender.close();
  const listeners = [
    [document, "dragover", drag],
    [document, "drop", drag],
    [document, "dragleave", leave],
    [window, "pagehide", giveUp],
  ];
  listeners.forEach(([target, name, heard]) => target.addEventListener(name, heard));
  return () => {
    listeners.forEach(([target, name, heard]) => target.removeEventListener(name, heard));
    unguard();
    sender.close();
    close();
  };
}

export default { render };
