// The model's output: a bar for each finding, its threshold, and what the reader said.

const MARKS = { present: "+", absent: "−", unsure: "?", [NOT]: "" };

function bar({ label, probability, threshold, above, word }, view, pick) {
  const percent = `${(100 * probability).toFixed(probability < 0.1 ? 1 : 0)} %`;
  const said = view.reading?.findings[label] ?? NOT;
  const scale = h(
    "span",
    { className: "cx-bar" },
    h("span", { className: "cx-fill", style: `width: ${100 * probability}%` }),
  );
  if (threshold !== null) scale.append(h("span", { className: "cx-threshold", style: `left: ${100 * threshold}%` }));
  const spoken = [
    `${words(label)}: ${percent}`,
    word,
    threshold === null ? "" : `${above ? "above" : "below"} its threshold of ${(100 * threshold).toFixed(0)} %`,
    said === NOT ? "" : `you read ${said}`,
  ];
  const line = h(
    view.maps ? "button" : "div",
    { className: `cx-output${above ? " cx-above" : ""}`, "aria-label": spoken.filter(Boolean).join(", ") },
    h("span", { className: "cx-label" }, words(label)),
    scale,
    h("span", { className: "cx-percent" }, `${above ? "▲ " : ""}${percent}`, h("small", {}, word)),
    h("span", { className: `cx-mark cx-${said}`, title: `You: ${said.replace("_", " ")}` }, MARKS[said]),
  );
  if (view.maps) {
    line.type = "button";
    line.setAttribute("aria-pressed", String(view.mapped === label));
    line.addEventListener("click", () => pick(view.mapped === label ? "" : label));
  } else line.setAttribute("role", "img");
  return line;
}

function outputs(view, pick) {
  const hint = (text) => h("p", { className: "cx-hint" }, text);
  const told = [];
  if (view.unlike) told.push(h("p", { className: "cx-problem cx-unlike", role: "status" }, view.likeness));
  if (view.cardless) told.push(hint(`Without the version's card there are no thresholds. ${view.cardless}`));
  else if (view.unlike === null) told.push(hint(view.likeness));
  const key = h(
    "p",
    { className: "cx-hint cx-key" },
    h("span", {}, view.scale ? "Calibrated probabilities" : "Not calibrated: compare, don't take for a chance"),
    h("span", {}, h("i", { className: "cx-tick" }), " the finding's own threshold, ▲ at or above it"),
    h("span", {}, "+ − ? your reading"),
  );
  if (view.scale) key.append(h("span", {}, view.scale));
  key.append(h("strong", {}, NOTICE));
  if (view.maps) key.append(h("span", {}, "Choose a finding for its heat map."));
  return h(
    "section",
    { className: "cx-outputs", "aria-label": "The model's output" },
    h("div", { className: "cx-title" }, h("h3", {}, "Model output"), h("span", { className: "cx-count" }, view.source)),
    ...told,
    ...view.outputs.map((output) => bar(output, view, pick)),
    key,
  );
}
