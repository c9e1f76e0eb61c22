// The chosen case: its picture, the reader's findings, and then the model's output.
// Before a reading is recorded the kernel sends no output at all: there is nothing here to peek at.

const CHOICES = [
  ["present", "Present", "p"],
  ["absent", "Absent", "a"],
  ["unsure", "Unsure", "u"],
];
const FOCUSABLE = "button, input";
const MARKS = { present: "+", absent: "−", unsure: "?", not_assessed: "" };

/** The picture, with the heat map of the chosen finding fading in over it. */
function viewer(model) {
  const base = h("img", { className: "cx-image", alt: "The image that the model sees" });
  const heat = h("img", { className: "cx-image cx-heat", alt: "" });
  const frame = h("div", { className: "cx-frame" }, base, heat);
  const empty = h("div", { className: "cx-blank" }, "The picture appears when it is checked.");
  const value = h("output", { className: "cx-value" });
  const slider = h("input", {
    type: "range",
    min: 0,
    max: 100,
    value: 75,
    className: "cx-slider",
    "aria-label": "Opacity of the heat map",
    oninput: () => fade(),
  });
  const of = h("span", { className: "cx-of" });
  const controls = h("div", { className: "cx-controls" }, of, slider, value);
  const fade = () => {
    heat.style.opacity = slider.value / 100;
    say(value, `${slider.value} %`);
  };
  const show = (image, bytes) => {
    if (image.src) URL.revokeObjectURL(image.src);
    if (bytes?.byteLength) image.src = pngUrl(bytes);
    else image.removeAttribute("src");
  };
  const picture = () => {
    const bytes = model.get("picture");
    show(base, bytes);
    frame.hidden = !bytes.byteLength;
    empty.hidden = !frame.hidden;
  };
  const overlay = () => {
    const bytes = model.get("overlay");
    const { mapped } = model.get("view");
    show(heat, bytes);
    heat.hidden = !bytes.byteLength;
    heat.alt = mapped ? `Heat map of ${words(mapped)}` : "";
    controls.hidden = !bytes.byteLength;
    say(of, mapped ? `Heat map: ${words(mapped)}` : "");
  };
  fade();
  return { element: h("div", { className: "cx-viewer" }, frame, empty, controls), picture, overlay };
}

/** The form of one reading: a group of three choices for each finding. */
function form({ labels, draft, titles, record, skip }) {
  const groups = labels.map((label, at) => {
    const radios = CHOICES.map(([value, text]) => {
      const radio = h("input", {
        type: "radio",
        name: `cx-${titles.key}-${at}`,
        value,
        checked: draft[label] === value,
        onchange: () => set(at, value),
      });
      return h("label", { className: `cx-choice cx-${value}` }, radio, h("span", {}, text));
    });
    const name = h("span", { className: "cx-label", id: `cx-l-${titles.key}-${at}` }, words(label));
    const clear = h(
      "button",
      { type: "button", className: "cx-clear", "aria-label": `Clear ${words(label)}`, onclick: () => set(at) },
      "×",
    );
    const group = h(
      "div",
      { className: "cx-group", role: "radiogroup", "aria-labelledby": name.id },
      name,
      h("span", { className: "cx-choices" }, ...radios),
      clear,
    );
    group.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const choice = CHOICES.find(([, , key]) => key === event.key.toLowerCase());
      if (!choice) return;
      event.preventDefault();
      set(at, choice[0]);
      (groups[at + 1]?.radios[0].control ?? send).focus();
    });
    return { group, radios, clear };
  });
  const set = (at, value) => {
    draft[labels[at]] = value ?? "not_assessed";
    update();
  };
  const update = () => {
    groups.forEach(({ radios, clear }, at) => {
      radios.forEach((radio) => (radio.control.checked = draft[labels[at]] === radio.control.value));
      clear.style.visibility = marked(labels[at]) ? "visible" : "hidden";
    });
    const done = labels.filter(marked).length;
    send.disabled = done === 0;
    rest.disabled = done === labels.length;
    say(progress, `${done} of ${labels.length} assessed`);
  };
  const marked = (label) => (draft[label] ?? "not_assessed") !== "not_assessed";
  const rest = h(
    "button",
    {
      type: "button",
      className: "cx-button",
      onclick: () => {
        labels.filter((label) => !marked(label)).forEach((label) => (draft[label] = "absent"));
        update();
        send.focus();
      },
    },
    "Mark the rest absent",
  );
  const send = h(
    "button",
    { type: "button", className: "cx-button cx-primary", onclick: () => record({ ...draft }) },
    titles.send,
  );
  const progress = h("span", { className: "cx-hint", role: "status" });
  const actions = h("div", { className: "cx-actions" }, send, rest, progress);
  if (skip) {
    actions.append(
      h("button", { type: "button", className: "cx-link", onclick: skip }, "Show the output without a reading"),
    );
  }
  update();
  return h(
    "section",
    { className: "cx-form", "aria-label": titles.head },
    h("h3", {}, titles.head),
    h("p", { className: "cx-hint" }, titles.hint),
    ...groups.map(({ group }) => group),
    actions,
  );
}

/** The model's output: a bar for each finding, its threshold, and what the reader said. */
function outputs(view, pick) {
  const bars = view.outputs.map(({ label, probability, threshold }) => {
    const above = threshold !== null && probability >= threshold;
    const percent = `${(100 * probability).toFixed(probability < 0.1 ? 1 : 0)} %`;
    const said = view.reading?.[label] ?? "not_assessed";
    const bar = h(
      "span",
      { className: "cx-bar" },
      h("span", { className: "cx-fill", style: `width: ${100 * probability}%` }),
    );
    if (threshold !== null)
      bar.append(h("span", { className: "cx-threshold", style: `left: ${100 * threshold}%` }));
    const spoken = [
      `${words(label)}: ${percent}`,
      threshold === null ? "" : `${above ? "above" : "below"} its threshold of ${(100 * threshold).toFixed(0)} %`,
      said === "not_assessed" ? "" : `you read ${said}`,
    ];
    const line = h(
      view.maps ? "button" : "div",
      {
        className: `cx-output${above ? " cx-above" : ""}`,
        "aria-label": spoken.filter(Boolean).join(", "),
      },
      h("span", { className: "cx-label" }, words(label)),
      bar,
      h("span", { className: "cx-percent" }, `${above ? "▲ " : ""}${percent}`),
      h("span", { className: `cx-mark cx-${said}`, title: `You: ${said.replace("_", " ")}` }, MARKS[said]),
    );
    if (view.maps) {
      line.type = "button";
      line.setAttribute("aria-pressed", String(view.mapped === label));
      line.addEventListener("click", () => pick(view.mapped === label ? "" : label));
    } else line.setAttribute("role", "img");
    return line;
  });
  const key = h(
    "p",
    { className: "cx-hint cx-key" },
    h("span", {}, h("i", { className: "cx-tick" }), " threshold"),
    h("span", {}, "▲ at or above it"),
    h("span", {}, "+ − ? your reading"),
  );
  if (view.maps) key.append(h("span", {}, "Choose a finding for its heat map."));
  return h(
    "section",
    { className: "cx-outputs", "aria-label": "The model's output" },
    h("div", { className: "cx-title" }, h("h3", {}, "Model output"), h("span", { className: "cx-count" }, view.source)),
    ...bars,
    key,
  );
}

function render({ model, el }) {
  own(el, "cx-case");
  const drafts = new Map(); // Findings that were not recorded yet, by case.
  const { element, picture, overlay } = viewer(model);
  const head = h("div", { className: "cx-casehead" });
  const problem = h("p", { className: "cx-problem", role: "alert", hidden: true });
  const panel = h("div", { className: "cx-panel" });
  let drawn = "";
  let before = {};
  let again = false; // Whether the form of an assisted reading is open.

  const draftOf = (key, start) => {
    if (!drafts.has(key)) drafts.set(key, { ...start });
    return drafts.get(key);
  };
  const record = (view, key) => (findings) => {
    again = false;
    drafts.delete(key);
    model.send({ type: "record", id: view.id, findings });
  };
  const blinded = (view) =>
    form({
      labels: view.labels,
      draft: draftOf(view.id, {}),
      record: record(view, view.id),
      skip: view.answered ? () => model.send({ type: "skip", id: view.id }) : null,
      titles: {
        key: "b",
        head: "Your reading",
        hint: "First read the image yourself; the output follows. Keys in a row: P, A, U.",
        send: "Record and reveal",
      },
    });
  const assisted = (view) =>
    form({
      labels: view.labels,
      draft: draftOf(`${view.id}+`, view.comment ?? view.reading ?? {}),
      record: record(view, `${view.id}+`),
      skip: null,
      titles: {
        key: "a",
        head: "Assisted reading",
        hint: "Recorded apart from your blinded reading, with the output that you were shown.",
        send: "Record as assisted",
      },
    });
  const revealed = (view) => {
    const open = h(
      "button",
      {
        type: "button",
        className: "cx-button",
        onclick: () => {
          again = true;
          draw();
          panel.querySelector(".cx-form input")?.focus();
        },
      },
      view.comment ? "Change the assisted reading" : "Add an assisted reading",
    );
    const note = h("p", { className: "cx-hint", role: "status" }, view.note);
    return [outputs(view, (label) => model.send({ type: "map", id: view.id, label })), note, open];
  };
  const message = (text) => [h("p", { className: "cx-blank", role: "status" }, text)];

  const draw = () => {
    const view = model.get("view");
    if (view.id !== before.id) again = false;
    const state = JSON.stringify([view, again]);
    if (state === drawn) return;
    problem.hidden = true;
    element.hidden = !view.id;
    head.replaceChildren(...(view.id ? [h("h3", {}, view.name), h("span", { className: "cx-count" }, view.told)] : []));
    const focused = [...panel.querySelectorAll(FOCUSABLE)].indexOf(document.activeElement);
    const parts = {
      none: () => message("Choose or drop files on the left, then read them here."),
      refused: () => [h("p", { className: "cx-problem" }, view.error)],
      early: () => message("On its way. It can be read as soon as it is checked."),
      blinded: () => [blinded(view)],
      waiting: () => message("Your reading is recorded. Waiting for the prediction …"),
      revealed: () => (again ? [assisted(view)] : revealed(view)),
    }[view.phase]();
    panel.replaceChildren(...parts);
    if (focused >= 0 && before.id === view.id && before.phase === view.phase)
      panel.querySelectorAll(FOCUSABLE)[focused]?.focus();
    if (before.id === view.id && before.phase !== view.phase) head.scrollIntoView({ block: "nearest" });
    [drawn, before] = [state, view];
    overlay();
  };
  const hear = (told) => {
    if (told.type !== "problem") return;
    say(problem, told.text);
    problem.hidden = false;
  };
  model.on("change:view", draw);
  model.on("change:picture", picture);
  model.on("change:overlay", overlay);
  model.on("msg:custom", hear);
  el.append(h("div", { className: "cx-left" }, head, element), h("div", { className: "cx-right" }, problem, panel));
  draw();
  picture();
  return () => {
    model.off("change:view", draw);
    model.off("change:picture", picture);
    model.off("change:overlay", overlay);
    model.off("msg:custom", hear);
  };
}

export default { render };
