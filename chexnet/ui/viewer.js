// The picture at its own resolution: window, zoom, an earlier image beside it, and the heat map.
// Both panes follow one look, so that what is compared is seen in the same place and window.

const STEP = 1.25; // Of the zoom, per key, click or notch of the wheel.
const NEAREST = 24; // Times the size that fits.
const LOOK = { low: 0, high: 1, inverted: false, zoom: 1, x: 0.5, y: 0.5 };
const KEYS =
  "Drag moves, shift or right drag sets the window, Ctrl and wheel zooms. Keys: + − 0 zoom, " +
  "arrows move, W auto window, I invert, E earlier, H heat map, [ ] its opacity, B a box, F full screen.";
const NOTICE = "Research use only";

/** One image in a frame. `look` belongs to the viewer. */
function pane(look, caption) {
  const canvas = h("canvas", { className: "cx-film", role: "img" });
  const heat = h("canvas", { className: "cx-heat", role: "img" });
  const stage = h("div", { className: "cx-stage" }, canvas, heat);
  const name = h("span", { className: "cx-caption" });
  const notice = h("span", { className: "cx-notice" }, NOTICE);
  const frame = h("div", { className: "cx-frame", tabIndex: 0, role: "group" }, stage, name, notice);
  frame.setAttribute("aria-label", `${caption}. ${KEYS}`);
  let film = null;
  const place = () => {
    if (!film) return;
    const fit = Math.min(frame.clientWidth / film.columns, frame.clientHeight / film.rows);
    const [width, height] = [film.columns, film.rows].map((side) => side * fit * look.zoom);
    const [left, top] = [frame.clientWidth / 2 - look.x * width, frame.clientHeight / 2 - look.y * height];
    Object.assign(stage.style, { width: `${width}px`, height: `${height}px` });
    stage.style.transform = `translate(${left}px, ${top}px)`;
  };
  const sized = new ResizeObserver(place);
  sized.observe(frame);
  const show = (next, alt, told = "") => {
    film = next;
    stage.hidden = !film;
    canvas.setAttribute("aria-label", alt);
    say(name, told);
    name.hidden = !told;
    if (film) paint(canvas, film, look);
    place();
  };
  const repaint = () => film && paint(canvas, film, look);
  return { frame, stage, heat, show, place, repaint, film: () => film, close: () => sized.disconnect() };
}

/** Return a labelled slider; `moved` gets its value, 0 to 1. */
function slider(text, label, start, moved) {
  const value = h("output", { className: "cx-value" });
  const input = h("input", {
    type: "range", min: 0, max: 100, value: 100 * start, className: "cx-slider", "aria-label": label,
    oninput: () => set(input.value / 100, true),
  });
  const set = (share, told = false) => {
    input.value = Math.round(100 * share);
    say(value, `${Math.round(100 * share)} %`);
    if (told) moved(share);
  };
  set(start);
  return { element: h("label", { className: "cx-control" }, h("span", { className: "cx-of" }, text), input, value), set, input };
}

/** The viewer of the chosen case. The kernel sends films as messages, and heat maps in `view`. */
function viewer(model) {
  const look = { ...LOOK };
  const main = pane(look, "The image");
  const beside = pane(look, "The same patient's earlier image");
  const boxes = boxLayer(main.stage, look, () => arm(false));
  const blank = h("div", { className: "cx-blank" });
  const frames = h("div", { className: "cx-frames" }, main.frame, beside.frame);
  const palettes = model.get("palettes");
  let view = { id: "" };
  let [asked, films, shown] = ["", [], ""]; // What was asked for; the patient's earlier images; that beside.
  let due = 0;

  const tool = (text, label, act) =>
    h("button", { type: "button", className: "cx-tool", title: label, "aria-label": label, onclick: act }, text);
  const change = (changes) => {
    Object.assign(look, changes);
    const span = 1 / (2 * look.zoom); // The middle stays within the film.
    Object.assign(look, { x: within(look.x, Math.min(span, 0.5), Math.max(1 - span, 0.5)), y: within(look.y, Math.min(span, 0.5), Math.max(1 - span, 0.5)) });
    level.set((look.low + look.high) / 2);
    width.set(look.high - look.low);
    invert.setAttribute("aria-pressed", String(look.inverted));
    say(scale, `${Math.round(100 * look.zoom)} %`);
    const painted = ["low", "high", "inverted"].some((name) => name in changes);
    [main, beside].forEach((one) => one.place());
    if (painted && !due) due = requestAnimationFrame(() => ((due = 0), [main, beside].forEach((one) => one.repaint())));
  };
  const toWindow = (middle, across) => change({ low: middle - across / 2, high: middle + across / 2 });
  const level = slider("Level", "Level: the grey in the middle of the window", 0.5, (share) => toWindow(share, look.high - look.low));
  const width = slider("Window", "Width of the window of greys", 1, (share) => toWindow((look.low + look.high) / 2, Math.max(share, 0.01)));
  const zoom = (times, x = look.x, y = look.y) => {
    const next = within(look.zoom * times, 1, NEAREST);
    const kept = look.zoom / next; // What was under the pointer stays there.
    change({ zoom: next, x: x + (look.x - x) * kept, y: y + (look.y - y) * kept });
  };
  const fit = () => change({ zoom: 1, x: 0.5, y: 0.5 });
  const auto = () => main.film() && change(autoWindow(main.film()));
  const invert = tool("Invert", "Invert (I)", () => change({ inverted: !look.inverted }));
  const scale = h("span", { className: "cx-value" });
  const compare = tool("Earlier", "The same patient's earlier image beside it (E)", () => earlier(!shown && films[0]?.image));
  const which = h("select", { className: "cx-select", "aria-label": "Which earlier image", onchange: () => earlier(which.value) });
  const whole = tool("Full screen", "Full screen (F)", () => (document.fullscreenElement ? document.exitFullscreen() : element.requestFullscreen()));
  const tools = h(
    "div", { className: "cx-tools", role: "toolbar", "aria-label": "View" },
    tool("−", "Zoom out (−)", () => zoom(1 / STEP)), scale, tool("+", "Zoom in (+)", () => zoom(STEP)),
    tool("Fit", "Fit the frame (0)", fit), tool("Auto", "Window from the image (W)", auto), invert, compare, which, whole,
  );

  const opacity = slider("Heat map", "Opacity of the heat map", 0.75, (share) => (main.heat.style.opacity = share));
  const colours = h(
    "select", { className: "cx-select", "aria-label": "Colours of the heat map", onchange: () => warm() },
    ...Object.keys(palettes).map((name) => h("option", { value: name }, name)),
  );
  const kind = h("select", { className: "cx-select", "aria-label": "Finding of the box", onchange: () => arm(pen.getAttribute("aria-pressed") === "true") });
  const pen = tool("Draw box", "Draw a box on the film, or put one there with Enter (B)", (event) => {
    if (event.detail) arm(pen.getAttribute("aria-pressed") !== "true");
    else boxes.add(kind.value); // A key pressed the button: no pointer will draw.
  });
  const boxed = h("div", { className: "cx-control cx-boxed", hidden: true }, pen, kind);
  const arm = (on) => {
    pen.setAttribute("aria-pressed", String(on));
    boxes.arm(on ? kind.value : "");
  };
  const heated = h("div", { className: "cx-control cx-heated" }, opacity.element, colours);
  const warm = () => {
    const { heat, mapped } = view;
    main.heat.hidden = heated.hidden = !(heat && main.film());
    main.heat.setAttribute("aria-label", mapped ? `Heat map of ${words(mapped)}` : "");
    say(opacity.element.firstChild, mapped ? words(mapped) : "");
    main.heat.style.opacity = opacity.input.value / 100;
    if (!main.heat.hidden) paintHeat(main.heat, heat, palettes[colours.value], main.film());
  };
  const fade = (share) => {
    opacity.set(within(share, 0, 1));
    main.heat.style.opacity = within(share, 0, 1);
  };

  /** Put an earlier image beside the chosen one, or take it away. */
  const earlier = (image) => {
    shown = image || "";
    beside.frame.hidden = !shown;
    beside.show(null, "");
    compare.setAttribute("aria-pressed", String(Boolean(shown)));
    which.hidden = !shown || films.length < 2;
    which.value = shown;
    element.classList.toggle("cx-comparing", Boolean(shown));
    if (shown) model.send({ type: "film", id: view.id, image: shown });
  };

  const hear = async (told, buffers) => {
    if (told.id !== view.id || (told.type !== "film" && told.type !== "earlier")) return;
    if (told.type === "earlier") {
      films = told.films;
      which.replaceChildren(...films.map(({ image, when }) => h("option", { value: image }, when)));
      compare.hidden = !films.length;
      return;
    }
    const film = await unpacked(told, buffers[0]);
    if (told.id !== view.id) return; // Another case was chosen meanwhile.
    if (told.image === shown) {
      const when = films.find(({ image }) => image === shown)?.when ?? "";
      beside.show(film, `The same patient's image of ${when}`, when);
    } else if (told.image === view.image && (told.sharp || !main.film()?.sharp)) {
      blank.hidden = true;
      frames.hidden = tools.hidden = windows.hidden = keys.hidden = false;
      frames.style.setProperty("--cx-aspect", film.columns / film.rows);
      boxed.hidden = !boxes.editable();
      main.show(film, "The image", film.sharp ? "" : "As the model sees it; full resolution is on its way");
      warm();
    }
  };
  const keys = h("details", { className: "cx-keys" }, h("summary", {}, "Keys and mouse"), h("p", {}, KEYS));
  const windows = h("div", { className: "cx-windows" }, level.element, width.element);
  const element = h("div", { className: "cx-viewer" }, blank, frames, tools, windows, boxed, heated, keys);
  const show = (next) => {
    const before = view;
    view = next;
    if (String(before.labels) !== String(view.labels ?? ""))
      kind.replaceChildren(...(view.labels ?? []).map((label) => h("option", { value: label }, words(label))));
    if (before.id !== view.id || before.image !== view.image) {
      main.show(null, "");
      films = [];
      compare.hidden = true;
      earlier("");
      change({ ...LOOK, inverted: look.inverted });
      frames.hidden = tools.hidden = windows.hidden = keys.hidden = true;
      blank.hidden = false;
      asked = "";
    }
    if (view.image && asked !== view.image) {
      asked = view.image;
      model.send({ type: "film", id: view.id, image: view.image });
    }
    say(blank, view.phase === "refused" ? "No picture: it was refused." : "The picture appears when it is checked.");
    warm();
  };

  const ACTS = {
    "+": () => zoom(STEP), "=": () => zoom(STEP), "-": () => zoom(1 / STEP), 0: fit,
    ArrowLeft: () => change({ x: look.x - 0.1 / look.zoom }), ArrowRight: () => change({ x: look.x + 0.1 / look.zoom }),
    ArrowUp: () => change({ y: look.y - 0.1 / look.zoom }), ArrowDown: () => change({ y: look.y + 0.1 / look.zoom }),
    w: auto, i: () => invert.click(), e: () => compare.hidden || compare.click(), f: () => whole.click(),
    h: () => fade(Number(opacity.input.value) ? 0 : 0.75),
    b: () => boxes.editable() && boxes.add(kind.value),
    "[": () => fade(opacity.input.value / 100 - 0.1), "]": () => fade(Number(opacity.input.value) / 100 + 0.1),
  };
  frames.addEventListener("keydown", (event) => {
    const act = !event.ctrlKey && !event.metaKey && !event.altKey && ACTS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
  for (const { frame } of [main, beside]) {
    let held = null;
    frame.addEventListener("pointerdown", (event) => {
      held = { x: event.clientX, y: event.clientY, look: { ...look }, windowing: event.button === 2 || event.shiftKey };
      frame.setPointerCapture(event.pointerId);
    });
    frame.addEventListener("pointermove", (event) => {
      if (!held) return;
      const [right, down] = [event.clientX - held.x, event.clientY - held.y];
      const stage = frame.firstChild.getBoundingClientRect();
      const { low, high, x, y } = held.look;
      if (held.windowing) toWindow((low + high) / 2 + down / 400, within(high - low + right / 400, 0.01, 2));
      else change({ x: x - right / stage.width, y: y - down / stage.height });
    });
    for (const end of ["pointerup", "pointercancel"]) frame.addEventListener(end, () => (held = null));
    frame.addEventListener("contextmenu", (event) => (event.preventDefault(), event.stopPropagation()));
    frame.addEventListener("dblclick", fit);
    frame.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !document.fullscreenElement) return; // The wheel alone scrolls the notebook.
      event.preventDefault();
      const stage = frame.firstChild.getBoundingClientRect();
      zoom(event.deltaY < 0 ? STEP : 1 / STEP, (event.clientX - stage.left) / stage.width, (event.clientY - stage.top) / stage.height);
    });
  }
  model.on("msg:custom", hear);
  const close = () => {
    model.off("msg:custom", hear);
    [main, beside].forEach((one) => one.close());
  };
  const outline = (list, edited = null) => {
    boxes.show(list, edited);
    boxed.hidden = !edited || !main.film();
    if (!edited) arm(false);
  };
  return { element, show, close, boxes: { show: outline } };
}
