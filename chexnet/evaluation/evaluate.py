"""The evaluation of a model's predictions: every figure with its interval, or why it has none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from msgspec import Struct, field, structs

from chexnet.evaluation import calibration
from chexnet.evaluation.areas import areas
from chexnet.evaluation.curve import curve
from chexnet.evaluation.delong import Estimate, Interval, logit_interval, mean
from chexnet.evaluation.localisation import Located
from chexnet.evaluation.means import proportion
from chexnet.evaluation.record import Calibration, Evaluation, Label, Operating
from chexnet.evaluation.resampling import agreement, draws, percentile_interval, ranking
from chexnet.evaluation.scored import Bools, Finding, Floats, Scored
from chexnet.evaluation.subgroups import subgroups

Thresholds = dict[str, float]  # Rule → threshold.
Told = Callable[[int], None]


class Plan(Struct, frozen=True, kw_only=True):
    """How to evaluate.

    Args:
        confidence: of all intervals.
        rounds: resamples of the patient bootstrap; the paper took 10,000.
        seed: of the resamples.
        sensitivity: that the rule `sensitivity` keeps to.
        thresholds: label → the model's own threshold, where it has any.
        temperature: the model's own, where it has one.
    """

    confidence: float = 0.95
    rounds: int = 10_000
    seed: int = 0
    sensitivity: float = 0.9
    thresholds: Mapping[str, float] = field(default_factory=dict)
    temperature: float | None = None


class Resampled(Struct, frozen=True):
    """Figures of each resample: [rounds] arrays by label, and of F1 by label and rule."""

    auroc: dict[str, Floats]
    average_precision: dict[str, Floats]
    f1: dict[tuple[str, str], Floats]


def evaluate(
    scored: Scored,
    plan: Plan,
    *,
    subject: str,
    data: str,
    tuning: Scored | None = None,
    located: Sequence[Located] = (),
    notes: Sequence[str] = (),
    told: Told = lambda _: None,
) -> Evaluation:
    """Evaluate predictions.

    Args:
        scored: the images to judge by; each of its patients has one.
        plan: how.
        subject: what is evaluated, for the record.
        data: on what, for the record.
        tuning: other images, on which thresholds are chosen, and the temperature where the model
            has none. Without any, thresholds are chosen on `scored` itself, which flatters them,
            and each half of the patients is scaled by the temperature of the other half. The record
            says which.
        located: what `localisation.locate` found.
        notes: sentences to keep with the figures.
        told: called with how many more resamples are done.
    """
    said = list(notes)
    findings = list(scored.findings())
    estimates, missing = areas(findings)
    judged = [finding for finding in findings if finding.name in estimates]
    chosen = _thresholds(judged, tuning or scored, plan, said)
    resampled = resample(judged, chosen, plan, told)
    heat, cooled = _temperature(scored, tuning, plan.temperature, said)
    labels = []
    for column, finding in enumerate(findings):
        label = _counted(finding, len(scored.image), missing.get(finding.name, ""))
        if not label.missing:
            known = scored.known[:, column]
            scaled = None if cooled is None else cooled[known, column]
            label = _measured(
                label, finding, estimates[finding.name], chosen, resampled, scaled, plan
            )
        labels.append(label)
    return Evaluation(
        subject=subject,
        data=data,
        images=len(scored.image),
        patients=scored.patients,
        confidence=plan.confidence,
        rounds=plan.rounds,
        seed=plan.seed,
        sensitivity=plan.sensitivity,
        chosen_on="other images" if tuning else "the same images",
        labels=labels,
        mean_of=tuple(estimates),
        mean_auroc=_mean_area(list(estimates.values()), plan),
        mean_auroc_bootstrap=_mean([x.auroc for x in labels], resampled.auroc, plan, said),
        mean_average_precision=_mean(
            [x.average_precision for x in labels], resampled.average_precision, plan, said
        ),
        temperature=heat,
        temperature_from=_origin(heat, tuning, plan),
        subgroups=subgroups(scored, plan.confidence),
        located=list(located),
        notes=said,
    )


def resample(
    findings: Sequence[Finding],
    thresholds: Mapping[str, Thresholds],
    plan: Plan,
    told: Told = lambda _: None,
) -> Resampled:
    """Return AUROC, average precision and F1 of resampled patients, all of the same resamples.

    Args:
        findings: of the same patients, each with images with it and images without.
        thresholds: label → rule → threshold, for F1.
        plan: rounds and seed.
        told: called with how many more resamples are done.
    """
    if not findings:
        return Resampled({}, {}, {})
    ranks = {finding.name: ranking(finding) for finding in findings}
    calls = {
        (finding.name, rule): agreement(finding, threshold)
        for finding in findings
        for rule, threshold in thresholds[finding.name].items()
    }
    areas, averages = ({name: np.empty(plan.rounds) for name in ranks} for _ in range(2))
    f1 = {key: np.empty(plan.rounds) for key in calls}
    done = 0
    for drawn in draws(findings[0].patients, plan.rounds, plan.seed):
        part = slice(done, done := done + drawn.shape[1])
        for name, rank in ranks.items():
            areas[name][part], averages[name][part] = rank.measure(drawn)
        for key, call in calls.items():
            f1[key][part] = call.f1(drawn)
        told(drawn.shape[1])
    return Resampled(areas, averages, f1)


def _thresholds(
    judged: Sequence[Finding], tuning: Scored, plan: Plan, notes: list[str]
) -> dict[str, Thresholds]:
    """Return label → rule → threshold. `card` is the model's own."""
    by_name = {finding.name: finding for finding in tuning.findings()}
    chosen: dict[str, Thresholds] = {}
    for name in (finding.name for finding in judged):
        own = {"card": plan.thresholds[name]} if name in plan.thresholds else {}
        try:
            found = curve(by_name[name].scores, by_name[name].present)
        except ValueError as error:
            notes.append(f"No threshold was chosen for {name}: {error}")
            chosen[name] = own
            continue
        chosen[name] = {
            **own,
            "youden": found.youden(),
            "sensitivity": found.at_sensitivity(plan.sensitivity),
            "f1": found.best_f1(),
        }
    return chosen


def _temperature(
    scored: Scored, tuning: Scored | None, own: float | None, notes: list[str]
) -> tuple[float | None, Floats | None]:
    """Return the temperature, and what `scored` says when it is applied."""
    if own is not None:
        return own, calibration.scaled(scored.probabilities, own)
    try:
        heat = calibration.of_known(tuning or scored)
        if tuning:
            return heat, calibration.scaled(scored.probabilities, heat)
        return heat, calibration.cross_fitted(scored)
    except ValueError as error:
        notes.append(f"There is no temperature: {error}")
        return None, None


def _origin(heat: float | None, tuning: Scored | None, plan: Plan) -> str:
    if heat is None:
        return ""
    if plan.temperature is not None:
        return "the model's card"
    return "other images" if tuning else "the same images"


def _counted(finding: Finding, images: int, missing: str) -> Label:
    with_it, without = finding.sides
    return Label(
        name=finding.name,
        images_with=int(finding.present.sum()),
        images_without=int((~finding.present).sum()),
        images_unknown=images - len(finding.scores),
        patients_with=with_it,
        patients_without=without,
        missing=missing,
    )


def _measured(
    label: Label,
    finding: Finding,
    estimate: Estimate,
    chosen: Mapping[str, Thresholds],
    resampled: Resampled,
    scaled: Floats | None,
    plan: Plan,
) -> Label:
    name, scores, present = finding.name, finding.scores, finding.present
    level = plan.confidence
    average = curve(scores, present).average_precision()
    return structs.replace(
        label,
        auroc=logit_interval(estimate, level),
        auroc_bootstrap=percentile_interval(estimate.value, resampled.auroc[name], level),
        average_precision=percentile_interval(average, resampled.average_precision[name], level),
        operating=[
            _operating(rule, finding, threshold, resampled.f1[name, rule], level)
            for rule, threshold in chosen[name].items()
        ],
        calibration=Calibration(
            ece=calibration.ece(scores, present),
            ece_scaled=None if scaled is None else calibration.ece(scaled, present),
            groups=calibration.reliability(finding, level),
        ),
    )


def _operating(
    rule: str, finding: Finding, threshold: float, f1: Floats, confidence: float
) -> Operating:
    called = finding.scores >= threshold
    hits = int((called & finding.present).sum())

    def share(hit: Bools, rows: Bools) -> Interval:
        return proportion(hit[rows], finding.patient[rows], confidence)

    return Operating(
        rule=rule,
        threshold=threshold,
        sensitivity=share(called, finding.present),
        specificity=share(~called, ~finding.present),
        precision=(
            share(finding.present, called) if len(np.unique(finding.patient[called])) > 1 else None
        ),
        f1=percentile_interval(
            2 * hits / int(called.sum() + finding.present.sum()), f1, confidence
        ),
    )


def _mean_area(estimates: list[Estimate], plan: Plan) -> Interval | None:
    return logit_interval(mean(estimates), plan.confidence) if estimates else None


def _mean(
    figures: Sequence[Interval | None],
    resampled: Mapping[str, Floats],
    plan: Plan,
    notes: list[str],
) -> Interval | None:
    """Return the mean over labels; its interval is of the resamples in which each label exists."""
    values = [figure.value for figure in figures if figure is not None]
    if not values:
        return None
    rounds = np.mean(list(resampled.values()), axis=0)
    try:
        return percentile_interval(float(np.mean(values)), rounds, plan.confidence)
    except ValueError as error:
        notes.append(f"A mean over labels has no bootstrap interval: {error}")
        return None
