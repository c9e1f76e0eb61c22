// Stands before each view in its module: anywidget loads one file, and there is no build step.

const RESEARCH_ONLY = "Research use only — not a medical device";
const EVERY = 5_000; // Milliseconds between questions whether the kernel is there.
const PATIENCE = 10_000; // Milliseconds without an answer; a kernel that runs a cell gives none.
const LOST = "No answer: what you see may be old. If this stays, reload the page.";

/** Return an element: properties (`on…` are listeners, `aria-…` and `data-…` attributes), children. */
function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** Keep JupyterLab's one-letter shortcuts (`a` inserts a cell) out of the workspace. */
function own(el, ...classes) {
  el.classList.add("cx", ...classes);
  el.setAttribute("data-lm-suppress-shortcuts", "true");
}

/** Return a field in which Enter submits its form: in JupyterLab the browser's own way does nothing. */
function entry(properties) {
  const submit = (event) => {
    if (event.key !== "Enter" || event.isComposing) return;
    event.preventDefault();
    event.target.form.requestSubmit();
  };
  return h("input", { type: "text", onkeydown: submit, ...properties });
}

/** Set an attribute or text only where it differs, so that nothing is announced twice. */
function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Ask before the page is left while something is open; return what ends that.
 *
 * Ahead of other listeners: Voilà's ends the kernel whatever is answered. A kernel that is left is
 * ended by its server.
 */
function guard(open) {
  const ask = (event) => {
    if (!open()) return;
    event.preventDefault();
    event.stopImmediatePropagation();
  };
  window.addEventListener("beforeunload", ask, true);
  return () => window.removeEventListener("beforeunload", ask, true);
}

/**
 * Ask the kernel now and then whether it is there. `lost` gets true when it has not answered for
 * PATIENCE, and false when it does again; returns what ends that. The kernel's half is alive.py.
 */
function watch(model, lost) {
  let [asked, gone] = [0, false];
  const tell = (now_) => {
    if (now_ !== gone) lost((gone = now_));
  };
  const ask = () => {
    if (asked && Date.now() - asked > PATIENCE) tell(true);
    asked ||= Date.now();
    try {
      model.send({ type: "alive" });
    } catch {
      tell(true); // JupyterLab says of a kernel that has ended that it is dead.
    }
  };
  const hear = (told) => {
    if (told.type !== "alive") return;
    asked = 0;
    tell(false);
  };
  const timer = setInterval(ask, EVERY);
  model.on("msg:custom", hear);
  return () => {
    clearInterval(timer);
    model.off("msg:custom", hear);
  };
}

/** Return a URL for the bytes of a PNG; the caller revokes it. */
function pngUrl(bytes) {
  return URL.createObjectURL(new Blob([bytes], { type: "image/png" }));
}

/** Return a label as people write it: Pleural_Thickening is the data set's spelling. */
function words(label) {
  return label.replaceAll("_", " ");
}

/** Return a name that no other view on the page has. */
function unique() {
  return `cx-${Math.random().toString(36).slice(2)}`;
}

/** What files are called, by case: only the page knows it, and all views on it. */
const NAMES = (globalThis[Symbol.for("chexnet.names")] ??= new Map());

/** Return what to call a case: by its file where this page sent it, else as the kernel does. */
function called(id, title) {
  return NAMES.get(id) ?? title;
}
