"""An evaluation for people: sections of sentences and tables, and these as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from chexnet.evaluation.delong import Interval
from chexnet.evaluation.localisation import THRESHOLDS, Located
from chexnet.evaluation.published import PNEUMONIA_F1, TABLES, Published
from chexnet.evaluation.record import Evaluation, Subgroup

NONE = "-"
RULES = {
    "card": "the model's own",
    "youden": "Youden",
    "sensitivity": "sensitivity",
    "f1": "highest F1",
}
OVERVIEW = ("finding", "with it", "AUROC", "average precision")
DISCLAIMER = "Research use only: not a medical device."


class Section(Struct, frozen=True, kw_only=True):
    """A part of the report. A row has a cell for each heading."""

    title: str
    sentences: list[str]
    headings: list[str]
    rows: list[list[str]]
    figure: str = ""  # Of `plots.FIGURES`, where one belongs to it.


def words(interval: Interval | None) -> str:
    """Return an estimate with its interval."""
    if interval is None:
        return NONE
    return f"{interval.value:.4f} ({interval.low:.3f} to {interval.high:.3f})"


def sections(evaluation: Evaluation) -> list[Section]:
    """Return the report, part by part."""
    parts = [_areas(evaluation), _operating(evaluation), _calibration(evaluation)]
    return [*parts, *_subgroups(evaluation), *_located(evaluation.located)]


def markdown(evaluation: Evaluation) -> str:
    """Return the whole report as Markdown."""
    return "\n".join(_markdown(evaluation))


def summary(evaluation: Evaluation) -> list[str]:
    """Return, as sentences, what was evaluated and how."""
    e = evaluation
    return [
        f"{e.images:,} images of {e.patients:,} patients: {e.data}.",
        f"Intervals are of {e.confidence:.0%}; patients, not images, are the independent units.",
        "Those of AUROC are DeLong's with patients as clusters, on the logit scale; those called"
        f" bootstrap, and of average precision and F1, are percentiles of {e.rounds:,} resamples"
        f" of patients (seed {e.seed}).",
        *e.notes,
        DISCLAIMER,
    ]


def _markdown(evaluation: Evaluation) -> Iterator[str]:
    yield f"# Evaluation of {evaluation.subject}\n"
    yield from (f"- {sentence}" for sentence in summary(evaluation))
    for section in sections(evaluation):
        yield f"\n## {section.title}\n"
        yield from (f"{sentence}\n" for sentence in section.sentences)
        if section.rows:
            yield _line(section.headings)
            yield _line(["---"] * len(section.headings))
            yield from (_line(row) for row in section.rows)
    yield ""


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def published(evaluation: Evaluation) -> list[Published]:
    """Return the published tables that have at least one of the labels."""
    known = {label.name for label in evaluation.labels}
    return [table for table in TABLES if known & table.auroc.keys()]


def _areas(e: Evaluation) -> Section:
    tables = published(e)
    rows = [
        [
            label.name,
            f"{label.images_with:,}",
            f"{label.patients_with:,}",
            words(label.auroc),
            words(label.auroc_bootstrap),
            words(label.average_precision),
            *(_decimals(table.auroc.get(label.name)) for table in tables),
        ]
        for label in e.labels
    ]
    means = [e.mean_auroc, e.mean_auroc_bootstrap, e.mean_average_precision]
    of = f"mean of {len(e.mean_of)}"
    rows.append(
        [of, "", "", *map(words, means), *(_decimals(mean_of(t, e.mean_of)) for t in tables)]
    )
    sentences = without(e)
    if tables:
        sentences.append(
            "The published columns are of other test images, each its own: they say what is usual,"
            " not which model is better. " + "; ".join(f"{t.name}: {t.source}" for t in tables)
        )
    headings = ["finding", "images with it", "patients with it", "AUROC", "AUROC, bootstrap"]
    return Section(
        title="AUROC and average precision",
        sentences=sentences,
        headings=[*headings, "average precision", *(table.name for table in tables)],
        rows=rows,
        figure="areas",
    )


def mean_of(table: Published, labels: Sequence[str]) -> float | None:
    """Return a published mean over these labels: as published where they are all of its own."""
    if not labels or not table.auroc.keys() >= set(labels):
        return None
    if len(labels) == len(table.auroc):
        return table.mean
    return sum(table.auroc[label] for label in labels) / len(labels)


def _decimals(value: float | None) -> str:
    return NONE if value is None else f"{value:.4f}"


def _operating(e: Evaluation) -> Section:
    rows = [
        [
            label.name,
            RULES[at.rule],
            f"{at.threshold:.4g}",
            *map(words, (at.sensitivity, at.specificity, at.precision, at.f1)),
        ]
        for label in e.labels
        for at in label.operating
    ]
    sentences = [
        f"Thresholds were chosen on {e.chosen_on}"
        + (", which flatters them." if e.chosen_on == "the same images" else ".")
        + f" Youden: the highest sensitivity + specificity - 1. Sensitivity: at least"
        f" {e.sensitivity:g} at the highest threshold that has it. The model's own, where there is"
        " one, is from the validation images of its training."
    ]
    if any(label.name == "Pneumonia" for label in e.labels):
        sentences.append(PNEUMONIA_F1)
    measures = ["sensitivity", "specificity", "precision", "F1, bootstrap"]
    return Section(
        title="Operating points",
        sentences=sentences,
        headings=["finding", "threshold by", "threshold", *measures],
        rows=rows,
    )


FITTED = {
    "the model's card": "It is the model's own, from the validation images of its training.",
    "other images": "It was fitted on other images.",
    "the same images": "It was fitted on all these images; the error after scaling is cross-fitted:"
    " each half of the patients is scaled by the temperature of the other half.",
}


def _calibration(e: Evaluation) -> Section:
    heat = []
    if e.temperature is not None:
        heat.append(f"Temperature {e.temperature:.3f}. {FITTED[e.temperature_from]}")
    return Section(
        title="Calibration",
        sentences=[
            *heat,
            "ECE is the expected calibration error over 15 bins of equal width: the mean distance"
            " of the probability from the share of images that have the finding.",
        ],
        headings=["finding", "images", "ECE", "ECE after temperature scaling"],
        rows=[
            [
                label.name,
                f"{label.images_with + label.images_without:,}",
                _decimals(label.calibration.ece),
                _decimals(label.calibration.ece_scaled),
            ]
            for label in e.labels
            if label.calibration
        ],
        figure="reliability",
    )


def _subgroups(e: Evaluation) -> Iterator[Section]:
    by: dict[str, list[Subgroup]] = {}
    for group in e.subgroups:
        by.setdefault(group.attribute, []).append(group)
    for attribute, groups in by.items():
        rows = [[x.name, *(words(g.auroc.get(x.name)) for g in groups)] for x in e.labels]
        common = groups[0].mean_of
        rows.append([f"mean of {len(common)}", *(words(g.mean) for g in groups)])
        left = [x.name for x in e.labels if x.name not in common]
        without = f" Not in the mean: {', '.join(left)}." if left else ""
        yield Section(
            title=f"AUROC by {attribute}",
            sentences=[
                "; ".join(
                    f"{g.value}: {g.images:,} images of {g.patients:,} patients" for g in groups
                )
                + f". The mean is over the labels that each group has.{without}",
                *(
                    f"No figure for {label} in {group.value}: {why}"
                    for group in groups
                    for label, why in group.missing.items()
                ),
            ],
            headings=["finding", *(group.value for group in groups)],
            rows=rows,
            figure=f"subgroups:{attribute}",
        )


def _located(located: Sequence[Located]) -> Iterator[Section]:
    for measure, thresholds in THRESHOLDS.items():
        chosen = [x for x in located if x.measure == measure]
        labels = list(dict.fromkeys(x.label for x in chosen))
        if not labels:
            continue
        by = {(x.label, x.threshold): x for x in chosen}
        yield Section(
            title=f"Localisation by {measure}",
            sentences=[
                "The share of drawn boxes that a box of the heat map overlaps by more than the"
                " threshold, and in the second line boxes of the map per image that overlap none so"
                " (false positives), as Wang et al. 2017 measure them (arXiv:1705.02315).",
            ],
            headings=["finding", "boxes", "images", *(f"> {t:g}" for t in thresholds)],
            rows=[row for label in labels for row in _rows(label, thresholds, by)],
        )


def _rows(
    label: str, thresholds: Sequence[float], by: dict[tuple[str, float], Located]
) -> list[list[str]]:
    at = [by[label, threshold] for threshold in thresholds]
    found = [words(x.found_interval) if x.found_interval else _decimals(x.found) for x in at]
    wrong = [
        words(x.false_positives_interval)
        if x.false_positives_interval
        else _decimals(x.false_positives)
        for x in at
    ]
    counts = [f"{at[0].boxes:,}", f"{at[0].images:,}"]
    return [[label, *counts, *found], [f"{label}, false positives", *counts, *wrong]]


def overview(evaluation: Evaluation) -> list[list[str]]:
    """Return what the terminal shows, in 80 columns: a row for each label, one for the means."""
    e = evaluation

    def short(interval: Interval | None) -> str:
        return words(interval).replace(" to ", "–")  # noqa: RUF001

    rows = [
        [x.name, f"{x.images_with:,}", *map(short, (x.auroc, x.average_precision))]
        for x in e.labels
    ]
    means = map(short, (e.mean_auroc, e.mean_average_precision))
    return [*rows, [f"mean of {len(e.mean_of)}", "", *means]]


def without(evaluation: Evaluation) -> list[str]:
    """Return, as sentences, which labels have no figure and why."""
    return [f"No figure for {x.name}: {x.missing}" for x in evaluation.labels if x.missing]
