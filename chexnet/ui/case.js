// The chosen case: its picture, the reader's findings, and then the model's output.
// Before a reading is recorded the kernel sends no output at all: there is nothing here to peek at.

const FOCUSABLE = "button, input, textarea";

function render({ model, el }) {
  own(el, "cx-case");
  const drafts = new Map(); // What was not recorded yet, by case.
  const { element, show, close, boxes } = viewer(model);
  const head = h("div", { className: "cx-casehead" });
  const problem = h("p", { className: "cx-problem", role: "alert", hidden: true });
  const panel = h("div", { className: "cx-panel" });
  let drawn = "";
  let before = {};
  let again = false; // Whether the form of an assisted reading is open.
  let sent = ""; // The case whose record or output is awaited; focus then follows it.
  let onward = false; // Whether the next case was asked for here.
  let idle = ""; // Why there is no next.
  let silent = 0; // The timer of an answer.

  const draftOf = (key, start) => {
    if (!drafts.has(key)) drafts.set(key, new Draft(start));
    return drafts.get(key);
  };
  const disable = (off) => panel.querySelectorAll("fieldset").forEach((fields) => (fields.disabled = off));
  const complain = (text) => {
    say(problem, text);
    problem.hidden = false;
  };
  const tell = (view, message) => {
    sent = view.id;
    problem.hidden = true;
    disable(true);
    model.send({ id: view.id, ...message });
    clearTimeout(silent);
    silent = setTimeout(() => {
      disable(false);
      complain("No answer: the page may have lost its kernel, and this may not be recorded. Try again; if it stays so, copy your note and reload the page.");
    }, PATIENCE);
  };
  /** A form over a draft, and its boxes over the film. */
  const reading = (view, draft, expects, more) => {
    const made = form({
      labels: view.labels, draft, pending: view.pending,
      record: (said) => tell(view, { type: "record", said, expects }),
      ...more,
    });
    const edited = view.pending ? null : (next) => draft.outline(next);
    draft.began = () => model.send({ id: view.id, type: "began" });
    draft.changed = () => {
      made.update();
      boxes.show(draft.boxes, edited);
    };
    boxes.show(draft.boxes, edited);
    return made.element;
  };
  const blinded = (view) =>
    reading(view, draftOf(view.id), "blinded", {
      few: (done, all) =>
        `Only ${done} of ${all} findings are assessed. The others count as not assessed, and once the output is shown they can't be read blinded any more.`,
      skip: view.answered ? () => tell(view, { type: "skip" }) : null,
      titles: {
        head: "Your reading",
        hint: ["First read the image yourself; the output follows. Keys in a row: P, A, U.", view.undrawn].filter(Boolean).join(" "),
        send: "Record and reveal",
      },
    });
  const assisted = (view) =>
    reading(view, draftOf(`${view.id}+`, view.comment ?? view.reading), "assisted", {
      few: null,
      skip: null,
      leave: () => {
        again = false;
        draw();
        first();
      },
      titles: {
        head: "Assisted reading",
        hint: "Recorded apart from your blinded reading, with the output that you were shown.",
        send: "Record as assisted",
      },
    });
  const revealed = (view) => {
    const open = () => {
      again = true;
      draw();
      first();
    };
    const next = () => {
      onward = true;
      model.send({ type: "next" });
    };
    const said = view.comment ?? view.reading;
    boxes.show(said?.boxes ?? []);
    return [
      outputs(view, (label) => model.send({ type: "map", id: view.id, label })),
      h("p", { className: "cx-hint", role: "status" }, idle || view.note),
      ...(said?.note ? [h("blockquote", { className: "cx-said" }, said.note)] : []),
      h(
        "div", { className: "cx-actions" },
        button("Next on the worklist", "cx-primary cx-first", next),
        button(view.comment ? "Change the assisted reading" : "Add an assisted reading", "", open),
      ),
    ];
  };
  const message = (text) => [h("p", { className: "cx-blank", role: "status", tabIndex: -1 }, text)];
  const first = () => panel.querySelector(".cx-first, .cx-blank")?.focus({ preventScroll: true });

  /** Forget what is recorded now; marks made while another window showed the output are kept. */
  const settle = (view) => {
    if (before.id !== view.id) {
      again = false;
      idle = "";
      problem.hidden = true;
    } else if (before.phase === "blinded" && view.phase !== "blinded") {
      const left = drafts.get(view.id);
      drafts.delete(view.id);
      if (left && view.phase === "revealed" && !view.reading) drafts.set(`${view.id}+`, left);
    } else if (again && before.comment?.id !== view.comment?.id) {
      again = false;
      drafts.delete(`${view.id}+`);
    }
  };
  /** Put the focus where the reader goes on, since its element was replaced. */
  const refocus = (view, held, inside) => {
    const free = inside || [document.body, null].includes(document.activeElement);
    const moved = before.id !== view.id;
    if (moved ? onward || inside : inside && before.phase !== view.phase) first();
    else if (free && sent && sent === view.id && !view.pending && (before.pending || before.phase !== view.phase)) {
      const send = panel.querySelector(".cx-send:enabled");
      if (send) send.focus();
      else first();
    } else if (inside && !moved) panel.querySelectorAll(FOCUSABLE)[held]?.focus();
    if (moved) onward = false;
    if (moved || (sent === view.id && view.phase === "revealed" && !view.pending)) sent = "";
    if (!moved && before.phase !== view.phase) head.scrollIntoView({ block: "nearest" });
  };

  const draw = () => {
    const view = model.get("view");
    settle(view);
    element.hidden = !view.id;
    el.classList.toggle("cx-none", !view.id);
    head.replaceChildren(...(view.id ? [h("h3", {}, called(view.id, view.name)), h("span", { className: "cx-count" }, view.told)] : []));
    show(view);
    const { told, name, image, heat, ...rest } = view; // Those change nothing in the panel.
    const state = JSON.stringify([rest, again, idle]);
    const asked = panel.querySelector(".cx-ask:not([hidden])");
    if (asked && before.id === view.id && before.phase === view.phase && !view.pending) return; // It would vanish.
    if (state === drawn) return (before = view);
    const inside = panel.contains(document.activeElement);
    const held = [...panel.querySelectorAll(FOCUSABLE)].indexOf(document.activeElement);
    const goesOn = view.phase === "blinded" && before.id === view.id; // Its boxes stay, and its pen.
    if (!goesOn) boxes.show([]);
    clearTimeout(silent);
    const { selectionStart: from, selectionEnd: to } = document.activeElement ?? {};
    const noting = inside && before.id === view.id && document.activeElement.matches(".cx-note");
    const parts = {
      none: () => message("Choose or drop files on the left, then read them here."),
      refused: () => [h("p", { className: "cx-problem" }, view.error)],
      early: () => message("On its way. It can be read as soon as it is checked."),
      blinded: () => [blinded(view)],
      waiting: () => message("Your reading is recorded. Waiting for the prediction …"),
      revealed: () => (again ? [assisted(view)] : revealed(view)),
    }[view.phase]();
    panel.replaceChildren(...parts);
    refocus(view, held, inside);
    if (noting && document.activeElement.matches(".cx-note")) document.activeElement.setSelectionRange(from, to);
    [drawn, before] = [state, view];
  };
  const hear = (told) => {
    if (told.type === "idle") {
      onward = false;
      idle = told.text;
      draw();
    } else if (told.type === "problem" && (told.name || told.id === before.id)) { // A reading's is told anywhere.
      complain(told.id === before.id ? told.text : `${called(told.id, told.name)}: ${told.text}`);
    }
  };
  panel.addEventListener("cx-answered", draw);
  const unguard = guard(() => [...drafts.values()].some((draft) => draft.open));
  model.on("change:view", draw);
  model.on("msg:custom", hear);
  el.append(h("div", { className: "cx-left" }, head, element), h("div", { className: "cx-right" }, problem, panel));
  draw();
  return () => {
    clearTimeout(silent);
    unguard();
    close();
    model.off("change:view", draw);
    model.off("msg:custom", hear);
  };
}

export default { render };
