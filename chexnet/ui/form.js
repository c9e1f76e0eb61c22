// The form of one reading: three choices for each finding, a note, and what records it.

const CHOICES = [
  ["present", "Present", "p"],
  ["absent", "Absent", "a"],
  ["unsure", "Unsure", "u"],
];
const LONGEST = 2000; // Letters of a note; chexnet/messages.py holds the kernel to it.

const button = (text, className, act, more = {}) =>
  h("button", { type: "button", className: `cx-button ${className}`, onclick: act, ...more }, text);

/**
 * Ask before `act`, which can't be taken back. Focus goes to the answer that does nothing, so that
 * neither a double click nor a held key says yes.
 */
function confirmed(trigger) {
  const question = h("p", {});
  const no = button("Go on reading", "cx-primary", () => close());
  const yes = button("", "", () => {
    const act = done;
    close();
    act();
  });
  const element = h("div", { className: "cx-ask", role: "alertdialog", hidden: true }, question, h("div", { className: "cx-answers" }, no, yes));
  let done = () => {};
  const close = () => {
    element.hidden = true;
    trigger().focus();
    element.dispatchEvent(new Event("cx-answered", { bubbles: true }));
  };
  const ask = (text, answer, act) => {
    say(question, text);
    say(yes, answer);
    element.setAttribute("aria-label", text);
    done = act;
    element.hidden = false;
    no.focus();
  };
  element.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
    close();
  });
  return { element, ask };
}

/** One finding: its three choices, and what takes them back. */
function row(label, first, draft, next) {
  const prefix = unique(); // Two views of one reading must not share their radio buttons.
  const radios = CHOICES.map(([value, text]) => {
    const radio = h("input", { type: "radio", name: prefix, value, onchange: () => draft.mark([label], value) });
    return h("label", { className: `cx-choice cx-${value}` }, radio, h("span", {}, text));
  });
  if (first) radios[0].control.classList.add("cx-first");
  const name = h("span", { className: "cx-label", id: `${prefix}-l` }, words(label));
  const clear = h(
    "button",
    { type: "button", className: "cx-clear", "aria-label": `Clear ${words(label)}`, onclick: () => draft.mark([label], NOT) },
    "×",
  );
  const element = h(
    "div",
    { className: "cx-group", role: "radiogroup", "aria-labelledby": name.id },
    name,
    h("span", { className: "cx-choices" }, ...radios),
    clear,
  );
  element.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const choice = CHOICES.find(([, , key]) => key === event.key.toLowerCase());
    if (!choice) return;
    event.preventDefault();
    if (event.repeat) return; // A key that is held is one answer.
    draft.mark([label], choice[0]);
    next();
  });
  const update = () => {
    radios.forEach((radio) => (radio.control.checked = draft.of(label) === radio.control.value));
    clear.style.visibility = draft.of(label) === NOT ? "hidden" : "visible";
  };
  return { element, update, focus: () => radios[0].control.focus() };
}

/**
 * Return the form and what brings it up to date after a change of the draft.
 *
 * `few` says what is asked before a reading of few findings is recorded; `skip` shows the output;
 * `leave` goes back to it.
 */
function form({ labels, draft, titles, pending, record, few, skip, leave }) {
  const rows = labels.map((label, at) => row(label, at === 0, draft, () => (rows[at + 1] ?? { focus: () => send.focus() }).focus()));
  const left = () => labels.filter((label) => draft.of(label) === NOT);
  const note = h("textarea", {
    className: "cx-note", rows: 2, maxLength: LONGEST, value: draft.note,
    "aria-label": "Note (optional)", placeholder: "Note (optional). No names, no dates of birth.",
    oninput: () => draft.write(note.value),
  });
  let asker = () => send;
  const asking = confirmed(() => asker());
  const ask = (from, ...rest) => {
    asker = () => from;
    asking.ask(...rest);
  };
  const recorded = () => record(draft.said());
  const send = button(pending ? "Recording …" : titles.send, "cx-primary cx-send", () => {
    const done = labels.length - left().length;
    if (few && 2 * done < labels.length) ask(send, few(done, labels.length), `Record ${done} of ${labels.length}`, recorded);
    else recorded();
  });
  const rest = button("Mark the rest absent", "", () => {
    draft.mark(left(), "absent");
    send.focus();
  });
  const undo = () => {
    const label = draft.undo();
    if (label) rows[labels.indexOf(label)].focus();
  };
  const back = button("Undo", "", () => draft.undo(), { title: "Undo the last change (Ctrl+Z)" });
  const progress = h("span", { className: "cx-hint", role: "status" });
  const actions = h("div", { className: "cx-actions" }, send, rest, back, progress);
  if (skip) {
    const peek = h("button", { type: "button", className: "cx-link" }, "Show the output without a reading");
    peek.addEventListener("click", () =>
      ask(peek, "You will have seen the output: whatever you record of this image after that is an assisted reading, for good.", "Show it all the same", skip),
    );
    actions.append(peek);
  }
  if (leave) actions.append(button("Back to the output", "", leave));
  const all = h("fieldset", { className: "cx-fields", disabled: pending }, ...rows.map(({ element }) => element), note, actions, asking.element);
  const update = () => {
    rows.forEach((one) => one.update());
    const missing = left().length;
    send.disabled = missing === labels.length;
    rest.disabled = missing === 0;
    back.disabled = !draft.steps.length;
    const boxes = draft.boxes.length ? `, ${draft.boxes.length} ${draft.boxes.length > 1 ? "boxes" : "box"}` : "";
    say(progress, `${labels.length - missing} of ${labels.length} assessed${boxes}`);
  };
  update();
  const pressed = (event) => {
    if (event.key === "Enter" && event.repeat && event.target.tagName === "BUTTON") event.preventDefault();
    if (event.key.toLowerCase() !== "z" || !(event.ctrlKey || event.metaKey) || event.target === note) return;
    event.preventDefault();
    event.stopPropagation(); // JupyterLab's would undo a change of the notebook.
    undo();
  };
  const element = h(
    "section",
    { className: "cx-form", "aria-label": titles.head, onkeydown: pressed },
    h("h3", {}, titles.head),
    h("p", { className: "cx-hint" }, titles.hint),
    all,
  );
  return { element, update, send };
}
