// The training page: the pipelines as a graph, the runs of each line beside each other, and the jobs.

const figure = (area) => (area ? `${area.value.toFixed(3)} (${area.low.toFixed(3)} to ${area.high.toFixed(3)})` : "too few");

function pipelines({ picture: drawn, told, tensorboard }) {
  const link = tensorboard
    ? h("p", {}, h("a", { href: tensorboard, target: "_blank", rel: "noopener" }, "Open TensorBoard"), " for every curve, example images and histograms.")
    : h("p", { className: "cx-hint" }, "TensorBoard: chexnet open tensorboard");
  return [picture(drawn, `Pipelines. ${told.join("; ")}`), link];
}

function runs({ runs: all }, send, { jobs: { jobs = [] } = {} }) {
  const first = jobs.some(({ progress }) => progress) ? "The first training runs; its job is below." : "Nothing was trained yet: chexnet train --line a --config demo_a";
  if (!all.length) return [h("p", { className: "cx-hint" }, first)];
  const newest = [...new Map([...all].reverse().map((run) => [run.line, run])).values()];
  const curve = (names) => newest.flatMap((run) => names.filter((name) => run.history[name]?.length).map((name) => ({ name: `${name}, line ${run.line}`, values: run.history[name] })));
  const charts = [["Loss, newest run of each line", ["loss", "val_loss"]], ["Validation AUROC", ["val_auroc"]]]
    .map(([title, names]) => [title, curve(names)])
    .filter(([, series]) => series.length)
    .map(([title, series]) => lines(title, series, "epoch"));
  return [
    h("div", { className: "cx-charts" }, ...charts),
    table("Runs", ["trained", "line", "config", "network", "AUROC in test (95 %)", "s", "dataset", "commit"],
      all.map((run) => [run.at, run.line, run.config, run.network, figure(run.macro.test), run.seconds.toFixed(0), run.dataset.slice(0, 16), run.name.slice(0, 17)])),
  ];
}

function jobs({ jobs: all }) {
  if (!all.length) return [h("p", { className: "cx-hint" }, "No job yet.")];
  const told = ({ progress, reason, datums }) =>
    progress
      ? h("span", {}, h("progress", { max: 1, value: progress.share, "aria-label": progress.told }), ` ${progress.told}`)
      : reason || datums;
  return [table("Jobs", ["opened", "pipeline", "state", "datums", "job"], all.map((job) => [job.at, job.pipeline, job.state, told(job), job.id.slice(0, 8)]))];
}

const PARTS = [
  ["pipelines", "Pipelines", pipelines],
  ["runs", "Runs", runs, "jobs"],
  ["jobs", "Jobs", jobs],
];

export default { render: (view) => page(view, PARTS) };
