"""A comparison for people: a table in the terminal, a figure, a page that needs no other file."""

from __future__ import annotations

import base64
import html
import io
from typing import TYPE_CHECKING

from chexnet.errors import ConfigError
from chexnet.evaluation.delong import Interval
from chexnet.experiments.cases import Counts
from chexnet.experiments.comparison import Comparison
from chexnet.experiments.review import Finding, Review
from chexnet.experiments.sequence import Sequential
from chexnet.experiments.statistics.weights import CLIP

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from rich.table import Table

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; color: #222 }}
table {{ border-collapse: collapse; margin: 1rem 0 }}
td, th {{ padding: .2rem .7rem; border-bottom: 1px solid #ddd; text-align: left }}
img {{ max-width: 100% }}
</style></head><body><h1>{title}</h1>{body}</body></html>
"""
HEADINGS = (
    "finding",
    "patients with",
    "without",
    "champion",
    "challenger",
    "difference",
    "p (Holm)",
    "",
)


DECIDES, PEEKING, LEFT_OUT = "decides", "not valid under peeking", "not in the macro"
OUT = "†"  # What has no room for LEFT_OUT.


def words(interval: Interval | None, sign: str = "") -> str:
    """Return an estimate with its interval."""
    if interval is None:
        return "-"
    return f"{interval.value:{sign}.3f} ({interval.low:{sign}.3f} to {interval.high:{sign}.3f})"


def percent(confidence: float) -> str:
    """Return a confidence that arms may share: 95%, 97.5%, 98.33%."""
    return f"{100 * confidence:.4g}%"


def rows(comparison: Comparison) -> list[tuple[str, ...]]:
    """Return a row for each label and one for the macro, in the order of HEADINGS."""
    made = [
        (
            label.name,
            _both(label.patients_with),
            _both(label.patients_without),
            words(label.champion),
            words(label.challenger),
            words(label.difference, "+"),
            "" if label.p is None else f"{label.p:.2g}",
            f"{LEFT_OUT}: {label.left_out}" if label.left_out else "",
        )
        for label in comparison.labels
    ]
    macro = (
        words(comparison.champion),
        words(comparison.challenger),
        words(comparison.difference, "+"),
    )
    sequence = comparison.sequential
    if sequence is None:
        return [*made, ("macro AUROC", "", "", *macro, "", DECIDES)]
    loss = ("", "", words(sequence.difference, "+"), "", DECIDES)
    return [
        *made,
        ("macro AUROC", "", "", *macro, "", PEEKING),
        ("Brier loss, lower by", str(sequence.patients), "", *loss),
    ]


def _both(patients: dict[str, int]) -> str:
    """Return one number where both arms saw the same patients, else both."""
    return " / ".join(dict.fromkeys(str(n) for n in patients.values()))


def notes(comparison: Comparison) -> list[str]:
    """Return, as sentences, what the figures rest on."""
    c, level = comparison.counts, percent(comparison.confidence)
    if comparison.arms > 1:
        level += f" ({comparison.arms} challengers share the error that is allowed)"
    cases = ", ".join(
        f"{n} of {comparison.patients[arm]} patients in {arm} (version {comparison.versions[arm]})"
        for arm, n in comparison.cases.items()
    )
    how = "paired, on the same images" if comparison.paired else "unpaired, on other patients"
    unsure = sum(label.unsure for label in comparison.labels)
    return [
        f"Cases: {cases}.",
        f"Intervals are of {level}; patients are the independent units; {how}.",
        f"Reads that count: {c.blinded} blinded, {c.reference} reference. {c.assisted} assisted"
        f" reads don't. {unsure} findings were unsure; they are in no count.",
        *_left_aside(c),
        f"Left out: {c.trained_images} images of {c.trained_patients} patients that an arm was"
        f" trained on; {c.unread} images that nobody read; {c.unpaired} uploads without a shadow.",
        *_looks(comparison),
    ]


def _left_aside(c: Counts) -> list[str]:
    """Return, as sentences, which reads don't count for a reason that is not to be expected."""
    said = []
    if c.unweighted:
        said.append(f"{c.unweighted} blinded reads don't count: not by the worklist.")
    if c.ahead:
        said.append(f"{c.ahead} reads are dated after this look; they don't count yet.")
    return said


def _looks(comparison: Comparison) -> list[str]:
    """Return, as sentences, when the figures may be looked at."""
    c, sequence = comparison.counts, comparison.sequential
    rest = f"All other figures are descriptive: {PEEKING}."
    if sequence is None:
        said = "The macro AUROC decides: once, at the planned number of cases."
        return [f"{said} {c.unplanned} cases after those are left out.", rest]
    said = f"The Brier loss decides, at any look, over {sequence.patients} patients"
    spread = "" if sequence.spread is None else f" Spread, for a plan: {sequence.spread:.4f}."
    effective = (
        f"{sequence.reads} of {sequence.listed} images to be read were read, worth"
        f" {sequence.effective:.0f} without their weights."
    )
    return [
        f"{said}; {c.waiting} more wait for their lag, and {sequence.cut} were cut to the bound."
        f"{spread} {effective}",
        *_losses(sequence),
        rest,
    ]


def _losses(sequence: Sequential) -> list[str]:
    """Return, as a sentence, each arm's mean loss; with a worklist's weights clipped."""
    each = [
        f"{arm} {words(loss.mean)}, of {loss.reads} reads worth {loss.effective:.0f}, "
        f"{loss.clipped} weights clipped at {CLIP:g}"
        for arm, loss in sequence.losses.items()
    ]
    return [f"Mean loss over images: {'; '.join(each)}."] if each else []


def asides(review: Review) -> list[str]:
    """Return, as sentences, what concerns all arms, and what assisted reads would say."""
    said = [
        f"Nothing is known of whom version {version} was trained on: nobody is left out for it. If"
        " these patients were among them, it looks better than it is."
        for version in review.untold
    ]
    if ratio := review.sample_ratio:
        seen = sum(sum(stage.patients.values()) for stage in ratio.stages)
        verdict = "ALARM: patients are lost" if ratio.alarm else "no alarm"
        said.append(f"Sample-ratio test over {seen} patients: p = {ratio.p:.2g}, {verdict}.")
    kappas = [
        f"{label} {a.kappa:.2f} ({a.images} images)"
        for label, a in review.agreement.items()
        if a.kappa is not None
    ]
    if kappas:
        said.append(f"Agreement of blinded readers, Fleiss's kappa: {', '.join(kappas)}.")
    for arm, finding in review.arms.items():
        if finding.assisted and finding.assisted.difference:
            cases = max(finding.assisted.cases.values())
            said.append(
                f"Assisted reads, apart, {arm} - champion over {cases} cases at most: "
                f"{words(finding.assisted.difference, '+')}. Biased towards what was shown; "
                "decides nothing."
            )
    return said


def table(comparison: Comparison, width: int) -> Table:
    """Return the rows for a terminal of so many columns: in a narrow one fewer, and none cut."""
    from rich.console import Console
    from rich.table import Table

    title = f"{comparison.experiment}: {comparison.arm} against champion"
    drawn = Table(*HEADINGS, title=title)
    for row in rows(comparison):
        drawn.add_row(*row, style="bold" if row[-1] == DECIDES else None)
    needed = Console(width=1000).measure(drawn).maximum
    if needed <= width:
        return drawn
    left = f"{needed} columns and --json show patients, p-values and what else is left out here."
    narrow = Table(title=title, caption=f"{OUT} not in the macro AUROC. {left}")
    for heading in (HEADINGS[0], *HEADINGS[3:6]):
        narrow.add_column(heading, no_wrap=True)
    for name, _, _, *measured, _, note in rows(comparison):
        marked = f"{name} {OUT}" if note.startswith(LEFT_OUT) else name
        cells = (cell.replace(" (", "\n").removesuffix(")") for cell in measured)
        narrow.add_row(marked, *cells, style="bold" if note == DECIDES else None)
    return narrow


def figure(*comparisons: Comparison) -> bytes:
    """Return a PNG of all differences with their intervals, a panel for each comparison.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    drawn = _canvas(len(comparisons), max(len(c.macro_labels) for c in comparisons))
    for axes, comparison in zip(drawn.axes, comparisons, strict=True):
        _panel(axes, comparison)
    png = io.BytesIO()
    drawn.savefig(png, format="png", dpi=120)
    return png.getvalue()


def _panel(axes: Axes, comparison: Comparison) -> None:
    measured = [(x.name, x.difference) for x in comparison.labels if x.difference]
    if comparison.difference:
        measured.append(("macro AUROC", comparison.difference))
    for height, (_, d) in enumerate(reversed(measured)):
        color = "tab:blue" if height else "black"
        axes.plot([d.low, d.high], [height, height], color=color, linewidth=2)
        axes.plot(d.value, height, "o" if height else "D", color=color)
    axes.axvline(comparison.margin, color="tab:red", linestyle="--", linewidth=1)
    axes.set_yticks(range(len(measured)), [name for name, _ in reversed(measured)])
    level = percent(comparison.confidence)
    axes.set_xlabel(f"AUROC, {comparison.arm} - champion, {level} interval; dashed: margin")
    axes.set_title(
        f"{comparison.experiment}: {max(comparison.cases.values())} cases an arm at most"
    )


def _canvas(panels: int, labels: int) -> Figure:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        rule = "A figure needs matplotlib. Received: an installation without it."
        raise ConfigError(
            f"{rule} Install it with: pip install 'chexnet-pipeline[notebook]'"
        ) from error
    drawn = Figure(figsize=(7 * panels, 1.6 + 0.3 * labels), layout="constrained")
    drawn.subplots(1, panels)
    return drawn


def page(review: Review, resampled: dict[str, tuple[float, float]]) -> str:
    """Return the whole review as one HTML page.

    Args:
        review: of the running experiment.
        resampled: arm → the bootstrap's interval of the difference, where there is one.
    """
    body = "".join(_section(arm, f, resampled.get(arm)) for arm, f in review.arms.items())
    body += f"<ul>{''.join(f'<li>{html.escape(s)}</li>' for s in asides(review))}</ul>"
    read_to = ", ".join(f"{where} to {what}" for where, what in sorted(review.read_to.items()))
    body += f"<p>Revision {review.control.revision}. Read: {html.escape(read_to)}.</p>"
    return PAGE.format(title=html.escape(review.experiment.name), body=body)


def refusal(title: str, reason: str) -> str:
    """Return a page that says why an experiment has no report."""
    return PAGE.format(title=html.escape(title), body=f"<p>{html.escape(reason)}</p>")


def _section(arm: str, finding: Finding, resampled: tuple[float, float] | None) -> str:
    comparison = finding.comparison
    said = notes(comparison)
    if resampled:
        said.append(
            f"Patient bootstrap of the difference: {resampled[0]:+.3f} to {resampled[1]:+.3f}."
        )
    png = base64.b64encode(figure(comparison)).decode()
    head = "".join(f"<th>{name}</th>" for name in HEADINGS)
    cells = ("".join(f"<td>{html.escape(c)}</td>" for c in row) for row in rows(comparison))
    missing = finding.missing or ("Nothing is missing: the gate is open on evidence.",)
    return (
        f"<h2>{html.escape(arm)} against champion</h2>"
        f"<ul>{''.join(f'<li>{html.escape(s)}</li>' for s in missing)}</ul>"
        f'<img alt="Differences of AUROC with intervals" src="data:image/png;base64,{png}">'
        f"<table><tr>{head}</tr>{''.join(f'<tr>{row}</tr>' for row in cells)}</table>"
        f"<ul>{''.join(f'<li>{html.escape(s)}</li>' for s in said)}</ul>"
    )
