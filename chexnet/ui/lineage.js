// The lineage page: what a thing came from, and what came from it.

function offers({ offers: all }, send) {
  const field = entry({ className: "cx-patient cx-thing", placeholder: "upload, prediction, image, version, repo@commit", "aria-label": "Lineage of", "data-keep": "thing" });
  const trace = (thing) => send({ type: "trace", thing });
  const form = h("form", { className: "cx-actions", onsubmit: (event) => (event.preventDefault(), trace(field.value)) }, field, h("button", { type: "submit", className: "cx-button cx-primary", "data-keep": "draw" }, "Draw"));
  const quick = all.map(({ thing, told }) => h("button", { type: "button", className: "cx-tool", "data-keep": `offer.${thing}`, onclick: () => ((field.value = thing), trace(thing)) }, told));
  return [form, h("div", { className: "cx-tools" }, ...quick)];
}

function branch(node) {
  const under = [["came from", node.links], ["led to", node.leads]].filter(([, nodes]) => nodes.length);
  return h("li", {},
    h("span", { className: "cx-kind" }, node.kind), " ", h("strong", {}, node.name),
    ...(node.facts.length ? [h("div", { className: "cx-hint" }, node.facts.join(" · "))] : []),
    ...under.map(([title, nodes]) => h("details", { open: true }, h("summary", {}, `${title} (${nodes.length})`), h("ul", { className: "cx-tree" }, ...nodes.map(branch)))));
}

function lineage({ thing, picture: drawn, tree }) {
  if (!thing) return [h("p", { className: "cx-hint" }, "Name something, or choose a version or a dataset: it is walked back to what it came from, and forward to what came from it.")];
  return [picture(drawn, `Lineage of ${thing}`), h("ul", { className: "cx-tree" }, branch(tree))];
}

const PARTS = [
  ["offers", "Begin with", offers],
  ["lineage", "Lineage", lineage],
];

export default { render: (view) => page(view, PARTS) };
