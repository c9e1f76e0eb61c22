"""An evaluation as one HTML page with its figures: it needs no other file and no network."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence

from chexnet.evaluation import plots
from chexnet.evaluation.record import Evaluation
from chexnet.evaluation.report import Section, sections, summary
from chexnet.evaluation.scored import Scored

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem;
  color: #222 }}
.wide {{ overflow-x: auto }}
table {{ border-collapse: collapse; margin: 1rem 0; font-size: 13px }}
td, th {{ padding: .2rem .6rem; border-bottom: 1px solid #ddd; text-align: left;
  white-space: nowrap }}
img {{ max-width: 100% }}
</style></head><body><h1>{title}</h1>{body}</body></html>
"""


def page(evaluation: Evaluation, scored: Scored) -> str:
    """Return the page.

    Args:
        evaluation: what was found.
        scored: of what, for the curves.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    body = _list(summary(evaluation))
    for section in sections(evaluation):
        body += _section(section, _figures(section.figure, evaluation, scored))
    return PAGE.format(title=html.escape(f"Evaluation of {evaluation.subject}"), body=body)


def _figures(name: str, evaluation: Evaluation, scored: Scored) -> dict[str, bytes]:
    """Return what each figure of a section shows, and its PNG."""
    if not evaluation.mean_of:
        return {}  # No label has a figure.
    kind, _, attribute = name.partition(":")
    if kind == "areas":
        return {
            "AUROC of each finding with its interval": plots.areas(evaluation),
            "ROC curves": plots.roc(scored),
            "Precision over sensitivity": plots.precision_recall(scored),
        }
    if kind == "reliability":
        return {"Observed share over probability": plots.reliability(evaluation)}
    if kind == "subgroups":
        return {f"AUROC by {attribute}": plots.subgroups(evaluation, attribute)}
    return {}


def _section(section: Section, figures: dict[str, bytes]) -> str:
    drawn = "".join(
        f'<p><img alt="{html.escape(what)}" '
        f'src="data:image/png;base64,{base64.b64encode(png).decode()}"></p>'
        for what, png in figures.items()
    )
    head = _row("th", section.headings)
    table = "".join(_row("td", row) for row in section.rows)
    said = "".join(f"<p>{html.escape(sentence)}</p>" for sentence in section.sentences)
    shown = f'<div class="wide"><table>{head}{table}</table></div>' if section.rows else ""
    return f"<h2>{html.escape(section.title)}</h2>{said}{drawn}{shown}"


def _row(tag: str, cells: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{html.escape(cell)}</{tag}>' for cell in cells)}</tr>"


def _list(sentences: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{html.escape(sentence)}</li>' for sentence in sentences)}</ul>"
