// Boxes over a film, in shares of it: they lie in the film's stage, so they follow zoom and pan.

const SMALLEST = 0.01; // Of a side.
const NUDGE = 0.01; // A key's step, in shares of what is in view.
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const part = (share) => `${100 * share}%`;

function s(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Return a box of at least the smallest size, within the film. */
function fitted({ label, x, y, w, h: height }) {
  const [wide, high] = [w, height].map((side) => within(side, SMALLEST, 1));
  const round = (value) => Math.round(value * 1e4) / 1e4;
  return { label, x: round(within(x, 0, 1 - wide)), y: round(within(y, 0, 1 - high)), w: round(wide), h: round(high) };
}

/**
 * The layer of one pane. `show` draws a list; with `changed` it can be edited, and `changed` gets
 * each new list. `drawing` is told when a box is drawn, so that the tool springs back.
 */
function boxLayer(stage, look, drawn) {
  const svg = s("svg", { class: "cx-boxes" });
  stage.append(svg);
  let [list, changed, armed] = [[], null, ""]; // `armed` is the label that the next drag draws.

  const at = (event) => {
    const { left, top, width, height } = stage.getBoundingClientRect();
    return [(event.clientX - left) / width, (event.clientY - top) / height];
  };
  const place = (group, box) => {
    const [frame, grip, text] = group.children;
    Object.entries({ x: box.x, y: box.y, width: box.w, height: box.h }).forEach(([name, share]) => frame.setAttribute(name, part(share)));
    grip.setAttribute("cx", part(box.x + box.w));
    grip.setAttribute("cy", part(box.y + box.h));
    text.setAttribute("x", part(box.x));
    text.setAttribute("y", part(box.y));
    text.setAttribute("dy", box.y < 0.05 ? "1.2em" : "-0.4em");
    const where = `${Math.round(100 * box.x)} % from the left, ${Math.round(100 * box.y)} % from the top, ${Math.round(100 * box.w)} by ${Math.round(100 * box.h)} %`;
    group.setAttribute("aria-label", `Box: ${words(box.label)}, ${where}.${changed ? " Arrows move it, shift and arrows size it, Delete removes it." : ""}`);
  };
  const put = (number, box) => changed(box ? list.map((old, other) => (other === number ? fitted(box) : old)) : list.filter((_, other) => other !== number));

  /** Follow the pointer from here: `move` gets how far it went, `end` whether it was let go. */
  const follow = (event, group, move, end) => {
    if (event.button) return;
    event.stopPropagation();
    event.preventDefault();
    const [x, y] = at(event);
    group.setPointerCapture(event.pointerId);
    const moved = (next) => move(at(next)[0] - x, at(next)[1] - y);
    const let_go = (next) => {
      group.removeEventListener("pointermove", moved);
      end(next.type === "pointerup");
    };
    group.addEventListener("pointermove", moved);
    for (const type of ["pointerup", "pointercancel"]) group.addEventListener(type, let_go, { once: true });
  };

  const item = (box, number) => {
    const grip = s("circle", { r: 6, class: "cx-grip" });
    const group = s("g", { class: "cx-box", role: "group", "aria-roledescription": "box" }, s("rect", {}), grip, s("text", {}));
    say(group.lastChild, words(box.label));
    if (changed) {
      group.setAttribute("tabindex", "0");
      let next = box;
      const drag = (event, to) =>
        follow(event, group, (right, down) => place(group, (next = fitted(to(right, down)))), (kept) => {
          if (kept && next !== box) put(number, next);
          else place(group, (next = box));
          svg.children[number]?.focus();
        });
      grip.addEventListener("pointerdown", (event) => drag(event, (right, down) => ({ ...box, w: Math.min(box.w + right, 1 - box.x), h: Math.min(box.h + down, 1 - box.y) })));
      group.firstChild.addEventListener("pointerdown", (event) => drag(event, (right, down) => ({ ...box, x: box.x + right, y: box.y + down })));
      group.addEventListener("keydown", (event) => {
        const move = MOVES[event.key];
        if (event.ctrlKey || event.metaKey || event.altKey || !(move || ["Delete", "Backspace"].includes(event.key))) return;
        event.preventDefault();
        event.stopPropagation(); // Or the film would move.
        if (!move) {
          put(number, null);
          return (svg.children[Math.min(number, list.length - 1)] ?? stage.parentElement).focus();
        }
        const [right, down] = move.map((way) => (way * NUDGE) / look.zoom);
        if (event.shiftKey) put(number, { ...box, w: Math.min(box.w + right, 1 - box.x), h: Math.min(box.h + down, 1 - box.y) });
        else put(number, { ...box, x: box.x + right, y: box.y + down });
        svg.children[number].focus();
      });
    }
    place(group, box);
    return group;
  };

  const show = (boxes, edited = null) => {
    [list, changed] = [boxes, edited];
    if (!changed) arm("");
    const held = [...svg.children].indexOf(document.activeElement);
    svg.replaceChildren(...list.map(item));
    if (held >= 0) svg.children[held]?.focus();
  };
  const arm = (label) => {
    armed = changed ? label : "";
    svg.classList.toggle("cx-drawing", Boolean(armed));
  };
  /** Put a box into the middle of what is seen, and go to it. */
  const add = (label) => {
    const side = 0.25 / look.zoom;
    changed([...list, fitted({ label, x: look.x - side / 2, y: look.y - side / 2, w: side, h: side })]);
    svg.lastChild.focus();
  };
  svg.addEventListener("pointerdown", (event) => {
    if (!armed || event.target !== svg || event.shiftKey) return;
    const [x, y] = at(event);
    const label = armed;
    const sketch = s("rect", { class: "cx-sketch" });
    svg.append(sketch);
    let box = null;
    const move = (right, down) => {
      const [left, top] = [Math.min(x, x + right), Math.min(y, y + down)].map((share) => within(share, 0, 1));
      const [end, foot] = [Math.max(x, x + right), Math.max(y, y + down)].map((share) => within(share, 0, 1));
      box = { label, x: left, y: top, w: end - left, h: foot - top };
      Object.entries({ x: left, y: top, width: box.w, height: box.h }).forEach(([name, share]) => sketch.setAttribute(name, part(share)));
    };
    follow(event, svg, move, (kept) => {
      sketch.remove();
      if (!kept || !box || box.w < SMALLEST || box.h < SMALLEST) return; // A click is no box.
      drawn();
      changed([...list, fitted(box)]);
      svg.lastChild.focus();
    });
  });
  return { show, arm, add, editable: () => Boolean(changed) };
}
