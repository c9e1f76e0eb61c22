// Small charts as SVG: lines over epochs, stacked bars over minutes. Their text says the same.

const NS = "http://www.w3.org/2000/svg";
const INKS = [0, 1, 2, 3, 4, 5].map((n) => `var(--cx-series-${n})`); // Of the theme.
const DASHES = ["", "6 4", "2 3", "8 3 2 3", "12 4", "1 4"]; // And apart without colour.

function svg(tag, attributes, ...children) {
  const element = document.createElementNS(NS, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const lined = (n) => ({ fill: "none", style: `stroke: ${INKS[n % INKS.length]}`, "stroke-dasharray": DASHES[n % DASHES.length] });
const filled = (n) => ({ style: `fill: ${INKS[n % INKS.length]}`, "fill-opacity": n % 2 ? 0.65 : 1 });
const dash = (n) => svg("line", { x1: 0, x2: 26, y1: 6, y2: 6, "stroke-width": 3, ...lined(n) });
const patch = (n) => svg("rect", { x: 6, y: 0, width: 12, height: 12, ...filled(n) });

/** Return the names of series, each beside a `mark` as it is drawn. */
function legend(series, mark) {
  const keys = series.map(({ name }, n) =>
    h("span", {}, svg("svg", { width: 26, height: 12, "aria-hidden": "true" }, mark(n)), ` ${name}`));
  return h("p", { className: "cx-hint cx-legend" }, ...keys);
}

/** Return lines over 1, 2, 3 …: series of {name, values}, and what the two axes are. */
function lines(title, series, across) {
  const [width, height, left, bottom] = [420, 190, 44, 26];
  const all = series.flatMap(({ values }) => values).filter(Number.isFinite);
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const [pad, most] = [(high - low || 1) * 0.08, Math.max(...series.map(({ values }) => values.length), 2)];
  const x = (n) => left + ((width - left - 8) * n) / (most - 1);
  const y = (value) => 8 + (height - bottom - 8) * (1 - (value - low + pad) / (high - low + 2 * pad || 1));
  const text = (at, value, anchor, words_) => svg("text", { x: at, y: value, "text-anchor": anchor, class: "cx-axis" }, words_);
  const drawn = svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "cx-chart", role: "img", "aria-label": `${title}: ${series.map(({ name, values }) => `${name} ends at ${values.at(-1)?.toFixed(3)}`).join(", ")}` });
  for (const value of [low, (low + high) / 2, high])
    drawn.append(svg("line", { x1: left, x2: width - 8, y1: y(value), y2: y(value), class: "cx-gridline" }), text(left - 6, y(value) + 4, "end", value.toFixed(2)));
  drawn.append(text(x(0), height - 8, "middle", "1"), text(x(most - 1), height - 8, "middle", String(most)), text((left + width) / 2, height - 8, "middle", across));
  series.forEach(({ values }, n) => {
    const points = values.map((value, k) => [x(k), y(value)].map((v) => v.toFixed(1)).join(","));
    drawn.append(svg("polyline", { points: points.join(" "), "stroke-width": 2, ...lined(n) }));
  });
  return h("figure", { className: "cx-figure-box" }, h("figcaption", {}, title), drawn, legend(series, dash));
}

/** Return stacked bars, one for each place: series of {name, values} of one length. */
function bars(title, series, across) {
  const [width, height, left, bottom] = [900, 130, 44, 24];
  const count = series[0].values.length;
  const sums = Array.from({ length: count }, (_, n) => series.reduce((sum, { values }) => sum + values[n], 0));
  const top = Math.max(...sums, 1);
  const step = (width - left - 8) / count;
  const total = (values) => values.reduce((sum, value) => sum + value, 0);
  const drawn = svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "cx-chart cx-wide", role: "img", "aria-label": `${title}: ${series.map(({ name, values }) => `${total(values)} by ${name}`).join(", ")}` });
  for (const value of [0, top]) {
    const at = 6 + (height - bottom - 6) * (1 - value / top);
    drawn.append(svg("line", { x1: left, x2: width - 8, y1: at, y2: at, class: "cx-gridline" }), svg("text", { x: left - 6, y: at + 4, "text-anchor": "end", class: "cx-axis" }, String(value)));
  }
  drawn.append(svg("text", { x: (left + width) / 2, y: height - 6, "text-anchor": "middle", class: "cx-axis" }, across));
  const below = new Array(count).fill(0);
  series.forEach(({ values }, n) => {
    values.forEach((value, k) => {
      const tall = ((height - bottom - 6) * value) / top;
      const from = ((height - bottom - 6) * below[k]) / top;
      below[k] += value;
      if (value) drawn.append(svg("rect", { x: left + k * step + 1, y: height - bottom - from - tall, width: Math.max(step - 2, 1), height: tall, ...filled(n) }));
    });
  });
  return h("figure", { className: "cx-figure-box" }, h("figcaption", {}, title), drawn, legend(series, patch));
}
