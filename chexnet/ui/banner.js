// The head of a workspace. `Connected` is the kernel's word from when it was sent, so the page asks
// whether somebody is there; while nobody answers, all that is shown is marked as of before.

export default {
  render({ model, el }) {
    own(el, "cx-banner");
    const live = h("span", { className: "cx-live", role: "status" });
    const experiment = h("span", { className: "cx-experiment" });
    el.append(
      h("span", { className: "cx-brand" }, model.get("title")),
      live,
      experiment,
      h("strong", { className: "cx-research" }, RESEARCH_ONLY),
    );
    let lost = false;
    const draw = () => {
      const problem = lost ? LOST : model.get("problem");
      say(live, problem || "Connected");
      live.classList.toggle("cx-live-off", Boolean(problem));
      say(experiment, model.get("experiment") ? "An experiment is running" : "");
      el.closest(".cx-workspace")?.classList.toggle("cx-lost", lost);
    };
    const unwatch = watch(model, (gone) => {
      lost = gone;
      draw();
    });
    for (const name of ["problem", "experiment"]) model.on(`change:${name}`, draw);
    draw();
    return () => {
      unwatch();
      for (const name of ["problem", "experiment"]) model.off(`change:${name}`, draw);
    };
  },
};
