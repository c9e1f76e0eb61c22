// The operations page: what runs, what it has shown, who decided, and what could not be processed.

/** Return an interval as a bar on a scale from -reach to reach, zero in the middle. */
function interval({ name, value, low, high }, reach, margin, decides) {
  const at = (x) => `${50 + 50 * Math.min(Math.max(x / reach, -1), 1)}%`;
  const bar = h("span", { className: "cx-scale" }, h("i", { className: "cx-zero" }));
  const signed = (x) => (x < 0 ? "−" : "+") + Math.abs(x).toFixed(3);
  const told = value === null ? "too few cases" : `${signed(value)} (${signed(low)} to ${signed(high)})`;
  if (decides) bar.append(h("i", { className: "cx-margin", style: `left: ${at(margin)}`, title: `margin ${margin}` }));
  if (value !== null) {
    const width = Math.max(parseFloat(at(high)) - parseFloat(at(low)), 0.5);
    bar.append(
      h("i", { className: "cx-span", style: `left: ${at(low)}; width: ${width}%` }),
      h("i", { className: "cx-dot", style: `left: ${at(value)}` }),
    );
  }
  return h(
    "div",
    { className: `cx-interval${decides ? " cx-decides" : ""}`, role: "img", "aria-label": `${words(name)}: ${told}` },
    h("span", { className: "cx-label" }, words(name)), bar, h("span", { className: "cx-figure" }, told),
  );
}

function finding(arm, peeking, control, send) {
  const all = [arm.decides, ...arm.describes].flatMap(({ low, high }) => (low === null ? [] : [Math.abs(low), Math.abs(high)]));
  const reach = Math.max(...all, 2 * Math.abs(arm.margin), 0.01);
  const cases = Object.entries(arm.cases).map(([name, count]) => `${count} in ${name}`).join(", ");
  const open = arm.missing.length === 0;
  return h(
    "div",
    { className: "cx-finding" },
    h("h4", {}, `${arm.arm} against the champion`),
    interval(arm.decides, reach, arm.margin, true),
    h("p", { className: "cx-hint" },
      `This decides: its ${Math.round(100 * arm.confidence)} % interval must lie above ${arm.margin}. ` +
      (arm.anytime ? "Valid at every look. " : "Valid once, at the planned cases. ") + `Cases: ${cases}.`),
    open ? h("p", { className: "cx-open" }, "✓ Nothing is missing: it may be promoted.")
      : h("ul", { className: "cx-problem cx-missing" }, ...arm.missing.map((one) => h("li", {}, one))),
    h("details", { "data-keep": `describes.${arm.arm}` },
      h("summary", {}, "Findings one by one — not valid under peeking"),
      h("p", { className: "cx-hint" }, peeking),
      ...arm.describes.map((one) => interval(one, reach, arm.margin, false))),
    decision({
      key: `promote.${arm.version}`,
      text: `Promote ${arm.arm}, version ${arm.version}`,
      means: `Version ${arm.version} answers everyone, and the experiment ends. The evidence above is asked again, and goes into the audit. ${open ? "" : "As things stand, it will be refused."}`,
      message: { type: "promote", version: arm.version },
      control,
    }, send),
  );
}

function standing(control, send) {
  const back = control.previous && decision({
    key: "rollback",
    text: `Roll back to version ${control.previous}`,
    means: `Version ${control.previous} answers again, at once; a running experiment ends. It needs no evidence.`,
    message: { type: "rollback" },
    control,
  }, send);
  return [
    h("p", {}, h("strong", {}, control.champion ? `Version ${control.champion} is the champion` : "No version answers yet"),
      ` · revision ${control.revision} · before it: ${control.previous ?? "none"}`),
    back || "",
  ];
}

function experiment({ running }, send, { control, versions }) {
  if (!running) {
    const loaded = (versions.released ?? []).filter(({ version, loaded }) => loaded && version !== control.champion);
    if (!control.champion || !loaded.length)
      return [h("p", { className: "cx-hint" }, "None runs. A released version can be compared: chexnet release --line b")];
    return [
      h("p", { className: "cx-hint" }, "None runs."),
      decision({
        key: "start",
        text: "Start an experiment",
        means: "Macro AUROC decides, once, at the planned cases. In shadow the champion answers everyone. A canary, or a metric that may be looked at daily, has a file: chexnet experiment start FILE",
        message: { type: "start", arm: "challenger" },
        control,
        reason: "",
        ask: [
          { name: "name", label: "Name", type: "text", placeholder: "b-against-a" },
          { name: "version", label: "Version", type: "number", min: 1, value: loaded[0].version },
          { name: "design", label: "Design", options: ["shadow", "split"] },
          { name: "cases", label: "Cases in each arm", type: "number", min: 1, value: 100 },
        ],
      }, send),
    ];
  }
  const { evidence } = running;
  return [
    h("p", {}, h("strong", {}, running.name), ` · ${running.design} · since ${running.since}, by ${running.by} · ${Math.round(100 * running.exposure)} % of patients`),
    table("Arms", ["arm", "version", "answers"], running.arms.map((a) => [a.arm, a.version, `${(100 * a.share).toFixed(0)} %`])),
    ...(evidence.problem ? [h("p", { className: "cx-problem" }, evidence.problem)] : evidence.arms.map((arm) => finding({ ...arm, version: running.arms.find((a) => a.arm === arm.arm)?.version }, evidence.peeking, control, send))),
    decision({
      key: "stop",
      text: "Stop the experiment",
      means: "The champion answers everyone; nothing is promoted. The evidence above goes into the audit.",
      message: { type: "stop" },
      control,
    }, send),
  ];
}

const traffic = ({ series }) =>
  series.length
    ? [bars("Answers a minute, of the last hour", series, "minutes, the newest on the right")]
    : [h("p", { className: "cx-hint" }, "No answer in the last hour.")];

function guardrails({ limits, images, breaches }) {
  return [
    breaches.length
      ? table("Breaches", ["when", "version", "revision", "what"], breaches.map((b) => [b.at, b.version, b.revision, b.reason]))
      : h("p", { className: "cx-open" }, "✓ No version that has a role is beyond a limit."),
    h("p", { className: "cx-hint" }, `Limits: ${limits.join(" · ")}. Looked at from ${images} images on; docs/guardrails.md says what each is.`),
  ];
}

function letters(state, send) {
  const failed = [...new Set(state.letters.map((letter) => letter.topic))];
  const replay = (topic) =>
    h("button", { type: "button", className: "cx-button", "data-keep": `replay.${topic}`, onclick: () => send({ type: "replay", topic }) }, `Send ${topic}.dlq back`);
  return failed.length
    ? [table("Dead letters", ["topic", "offset", "uploaded", "error", "reason"], state.letters.map((l) => [l.topic, l.offset, l.at, l.error, l.reason])),
       h("div", { className: "cx-actions" }, ...failed.map(replay), h("span", { className: "cx-hint" }, "Each goes back once."))]
    : [h("p", { className: "cx-hint" }, "None: everything could be processed.")];
}

const audit = ({ entries }) => [
  entries.length
    ? table("Audit", ["when", "what", "champion", "revision", "who", "why"], entries.map((a) => [a.at, a.action, a.champion ?? "", a.revision, a.who, a.reason]))
    : h("p", { className: "cx-hint" }, "Nothing was decided yet."),
];

const released = ({ released: all }, send, { control }) => [
  all.length
    ? table("Versions", ["version", "line", "network", "released", "now"], all.map((v) => [v.version, v.line, v.network, v.at, v.version === control.champion ? "champion" : v.loaded ? "loaded" : ""]))
    : h("p", { className: "cx-hint" }, "Nothing is released yet."),
];

const PARTS = [
  ["control", "What answers", standing],
  ["experiment", "Experiment", experiment, "control", "versions"],
  ["traffic", "Traffic", traffic],
  ["guardrails", "Guardrails", guardrails],
  ["letters", "Dead letters", letters],
  ["versions", "Versions", released, "control"],
  ["audit", "Audit", audit],
];

export default { render: (view) => page(view, PARTS) };
