// Stands before each page: its head, what went wrong, and sections drawn anew only where they changed.

const AGAIN = 20_000; // Milliseconds until an open page looks again.

function table(caption, heads, rows) {
  const cell = (tag) => (value) => h(tag, {}, value instanceof Node ? value : String(value ?? ""));
  return h(
    "table",
    { className: "cx-table", "aria-label": caption },
    h("thead", {}, h("tr", {}, ...heads.map(cell("th")))),
    h("tbody", {}, ...rows.map((row) => h("tr", {}, ...row.map(cell("td"))))),
  );
}

/** Return a picture that the kernel drew, which can be scrolled where it is wide. */
function picture(source, told) {
  const image = h("img", { src: `data:image/svg+xml;charset=utf-8,${encodeURIComponent(source)}`, alt: told });
  return h("div", { className: "cx-picture", tabIndex: 0, role: "group", "aria-label": told }, image);
}

/** Replace what a section holds, and keep what a person typed, opened and had the focus on. */
function redraw(section, nodes) {
  const kept = new Map([...section.querySelectorAll("[data-keep]")].map((e) => [e.dataset.keep, e]));
  const focused = section.contains(document.activeElement) ? document.activeElement.dataset.keep : null;
  section.replaceChildren(...nodes);
  for (const fresh of section.querySelectorAll("[data-keep]")) {
    const old = kept.get(fresh.dataset.keep);
    if (!old) continue;
    if (fresh.tagName === "DETAILS") fresh.open = old.open;
    else if ("value" in fresh && fresh.tagName !== "BUTTON") fresh.value = old.value;
    if (fresh.dataset.keep === focused) fresh.focus();
  }
}

/** Draw a page. `parts`: [name of a section, title, (its state, send, the other sections) → nodes]. */
function page({ model, el }, parts) {
  own(el, "cx-page");
  const send = (message) => model.send(message);
  const told = h("span", { className: "cx-count", role: "status" });
  const problem = h("p", { className: "cx-problem", role: "alert", hidden: true });
  const look = h("button", { type: "button", className: "cx-tool", onclick: () => send({ type: "refresh" }) }, "Look again");
  const title = h("h2", { className: "cx-brand" });
  const sections = parts.map(([, name]) => h("section", { "aria-label": name }));
  const drawn = new Map();
  const draw = () => {
    const state = model.get("state");
    say(title, state.title);
    say(told, state.busy ? "Looking …" : state.told || (state.at ? `As of ${state.at}` : ""));
    const wrong = el.classList.contains("cx-lost") ? LOST : (state.problem ?? "");
    say(problem, wrong);
    problem.hidden = !wrong;
    el.setAttribute("aria-busy", String(Boolean(state.busy)));
    parts.forEach(([key, name, make, ...needs], n) => {
      const own_ = state.sections[key];
      const all = JSON.stringify([own_, ...needs.map((need) => state.sections[need])]);
      if (!own_ || drawn.get(key) === all) return;
      drawn.set(key, all);
      const head = h("h3", {}, name);
      redraw(sections[n], own_.problem ? [head, h("p", { className: "cx-problem" }, own_.problem)] : [head, ...make(own_, send, state.sections)]);
    });
  };
  const again = setInterval(() => {
    if (document.visibilityState === "visible" && el.isConnected && !model.get("state").busy) send({ type: "refresh" });
  }, AGAIN);
  el.append(
    h("div", { className: "cx-opshead" }, title, look, told, h("strong", { className: "cx-research" }, RESEARCH_ONLY)),
    problem,
    ...sections,
  );
  const unwatch = watch(model, (gone) => {
    el.classList.toggle("cx-lost", gone);
    draw();
  });
  model.on("change:state", draw);
  draw();
  return () => {
    unwatch();
    clearInterval(again);
    model.off("change:state", draw);
  };
}
