// The list of cases. The kernel sends the rows that changed; a frame draws at most a portion.

const PORTION = 100; // Rows a frame: more would keep clicks waiting.
const STEPS = ["sent", "checked", "predicted"];
const again = (c) => (c.duplicate ? " · seen before" : "");
const TOLD = {
  sending: (c) => (c.received < c.size ? `Sending ${Math.floor((100 * c.received) / Math.max(c.size, 1))} %` : "Sent. Identity is being removed"),
  sent: (c) => `Sent. Waiting for the check${again(c)}`,
  checked: (c) => `Checked. Waiting for the prediction${again(c)}`,
  predicted: (c) => ({ read: "Read", seen: "Output seen, not read" }[c.read] ?? "Ready to read") + again(c),
  refused: (c) => c.error,
};

/** Return the row of a case: its element, and a function that brings it up to date. */
function row(id, choose) {
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
  element.setAttribute("aria-selected", "false");
  const update = (c) => {
    say(name, called(id, c.title));
    say(told, TOLD[c.state](c));
    element.dataset.state = c.read || c.state;
    element.classList.toggle("cx-listed", c.listed && !c.read);
    const reached = STEPS.indexOf(c.state);
    steps.forEach((step, at) => step.classList.toggle("cx-done", at <= reached));
  };
  return { id, element, picture, update, c: null, near: false, asked: false };
}

/** The list and what stands around it. */
function cases(model) {
  const rows = new Map();
  const order = []; // The same, newest first, as in the page.
  const due = new Map(); // What changed and is not drawn yet: the row, or null of a case that left.
  let frame = 0;
  let selected = null;

  const whole = () => list.closest(".cx-workspace");
  const choose = (id) => {
    if (id !== model.get("chosen")) whole()?.classList.add("cx-going"); // The film there is another's.
    model.send({ type: "choose", id });
  };
  const shown = () => order.filter(({ element }) => !element.hidden);
  const list = h("ul", {
    className: "cx-list",
    role: "listbox",
    tabIndex: 0,
    "aria-label": "Cases, newest first",
    onkeydown: (event) => {
      if (event.key === "Enter") whole()?.querySelector(".cx-case .cx-first")?.focus();
      const at = shown();
      const now = at.findIndex(({ id }) => id === model.get("chosen"));
      const to = { ArrowDown: now + 1, ArrowUp: Math.max(now - 1, 0), Home: 0, End: at.length - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      if (at.length) choose(at[Math.min(to, at.length - 1)].id);
    },
  });
  const count = h("span", { className: "cx-count" });
  const only = h("input", { type: "checkbox", onchange: () => filter() });
  const listed = h("label", { className: "cx-only", hidden: true }, only, "Worklist only");
  const empty = h("p", { className: "cx-hint cx-empty" }, "No cases yet.");
  const title = h("div", { className: "cx-title" }, h("h3", {}, "Cases"), count);

  const seen = new IntersectionObserver(
    (changes) =>
      changes.forEach(({ target, isIntersecting }) => {
        const one = rows.get(target.id.replace("cx-case-", ""));
        if (!one) return;
        one.near = isIntersecting;
        picture(one);
      }),
    { root: list, rootMargin: "200px" },
  );
  const picture = (one) => {
    if (!one.near || one.asked || !one.c.checked) return;
    one.asked = true;
    model.send({ type: "thumbnail", id: one.id });
  };
  const place = (one) => {
    let [low, high] = [0, order.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (order[middle].c.at > one.c.at) low = middle + 1;
      else high = middle;
    }
    list.insertBefore(one.element, order[low]?.element ?? null);
    order.splice(low, 0, one);
    seen.observe(one.element);
  };
  const remove = (id) => {
    const one = rows.get(id);
    if (!one) return;
    rows.delete(id);
    order.splice(order.indexOf(one), 1);
    seen.unobserve(one.element);
    one.element.remove();
  };
  const take = (c) => {
    const known = rows.get(c.id);
    const one = known ?? row(c.id, choose);
    one.c = c;
    one.update(c);
    one.element.hidden = only.checked && !c.listed;
    if (!known) {
      rows.set(c.id, one);
      place(one);
    }
    picture(one);
  };
  const draw = () => {
    frame = 0;
    let left = PORTION;
    for (const [id, c] of due) {
      if (left-- === 0) break;
      due.delete(id);
      if (c) take(c);
      else remove(id);
    }
    sum();
    select();
    if (due.size) later();
  };
  const later = () => (frame ||= requestAnimationFrame(draw));
  const sum = () => {
    const at = shown();
    const ready = at.filter(({ c }) => c.state === "predicted" && !c.read).length;
    say(count, at.length ? `${at.length} ${at.length === 1 ? "case" : "cases"}, ${ready} to read` : "");
    say(empty, rows.size ? "The worklist is empty." : "No cases yet.");
    listed.hidden = !rows.size;
    empty.hidden = at.length > 0;
    list.hidden = !at.length;
  };
  const filter = () => {
    order.forEach(({ element, c }) => (element.hidden = only.checked && !c.listed));
    sum();
    select();
  };
  const went = () => {
    whole()?.classList.remove("cx-going");
    select();
  };
  const select = () => {
    const one = rows.get(model.get("chosen"));
    if (selected !== one) {
      selected?.element.setAttribute("aria-selected", "false");
      one?.element.setAttribute("aria-selected", "true");
      selected = one;
      one?.element.scrollIntoView({ block: "nearest" });
    }
    if (one && !one.element.hidden) list.setAttribute("aria-activedescendant", one.element.id);
    else list.removeAttribute("aria-activedescendant");
  };
  const hear = (message, buffers) => {
    if (message.type === "rows") {
      if (message.all) for (const id of rows.keys()) due.set(id, null);
      message.gone.forEach((id) => due.set(id, null));
      for (const c of message.changed) {
        due.set(c.id, c);
        if (NAMES.has(c.archive)) NAMES.set(c.id, `${NAMES.get(c.archive)} · ${c.index + 1}`);
      }
      later();
    } else if (message.type === "thumbnail" && rows.has(message.id)) {
      const { picture: image } = rows.get(message.id);
      const url = pngUrl(buffers[0]);
      image.onload = image.onerror = () => URL.revokeObjectURL(url);
      image.src = url;
    }
  };
  model.on("change:chosen", went);
  model.on("msg:custom", hear);
  model.send({ type: "all" });
  const close = () => {
    model.off("change:chosen", went);
    model.off("msg:custom", hear);
    cancelAnimationFrame(frame);
    seen.disconnect();
  };
  return { elements: [title, listed, empty, list], close };
}
