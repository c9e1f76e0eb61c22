"""An experiment as a file: all that decides it, written down and checked before it starts.

```toml
schema = "experiment-file/1"
name = "b-against-a"
design = "shadow"
arms = { b = 2 }
metric = "brier"
cases = 600
lag_days = 14
bound = 0.25

[expected]
difference = 0.005
spread = 0.04
```
"""

from __future__ import annotations

import math
import tomllib
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from chexnet.errors import ConfigError
from chexnet.experiments import loss_power, power
from chexnet.experiments.decisions import is_name
from chexnet.experiments.loss_plan import LossPlan
from chexnet.experiments.statistics.holm import shared
from chexnet.experiments.statistics.weights import LEAST
from chexnet.messages import CHAMPION, PREVIOUS, Experiment

Share = Annotated[float, Meta(gt=0, le=1)]
Inner = Annotated[float, Meta(gt=0, lt=1)]
STAGES = (0.01, 0.05, 0.25, 0.5, 1.0)


class Expected(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the plan rests on. The lower half is for one metric each.

    Args:
        difference: to be found: in macro AUROC, or by which the Brier loss is lower.
        power: the probability to find it.
        champion: its macro AUROC.
        prevalence: the share of images with each label.
        images: per patient.
        spread: over patients, the standard deviation of the loss's difference (shadow) or of the
            loss (split). The status of an earlier experiment has it.
        loss: the mean loss.
        weight: with a worklist, by what its weights multiply a squared value: the mean of one over
            the probability to be listed, 10 at most; 1 where spread is of such an experiment.
    """

    difference: float
    power: Annotated[float, Meta(ge=0.5, lt=1)] = 0.8
    champion: Annotated[float, Meta(ge=0.5, lt=1)] = 0.75
    prevalence: tuple[Inner, ...] = (0.1,) * 14
    images: Annotated[float, Meta(ge=1)] = 1.0
    spread: Annotated[float, Meta(gt=0)] | None = None
    loss: Inner = 0.1
    weight: Annotated[float, Meta(ge=1, le=1 / LEAST)] | None = None


class Declared(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file.

    Args:
        schema: of this file.
        name: used once: predictions are found by it.
        design: shadow: the champion answers. split: each patient has an arm. canary: a split that
            grows from stage to stage, while the guardian sees nothing wrong.
        arms: name → version of each challenger.
        weights: name → its share among the challengers, relative to the others; equal without.
        exposure: the share of patients to include at first; all, in a split equal arms.
        stages: of a canary: the shares, one after the other.
        stage_hours: how long each lasts at least.
        metric: decides alone: `brier`, which may be looked at any time, or `macro_auroc`, once, at
            the planned cases.
        cases: planned, in each arm; of `brier`, patients.
        margin: the interval's lower end must be above it; below 0 for non-inferiority.
        confidence: of intervals.
        min_positive: patients with a label and without it, or it leaves the macro.
        lag_days: reads of a patient count until so long after the first image. `brier` needs it.
        bound: of `brier`: what one patient counts at most; what is beyond is cut.
        worklist: reads come from a worklist, with its propensities.
        expected: for the plan.
    """

    schema: Literal["experiment-file/1"]
    name: str
    design: Literal["shadow", "split", "canary"] = "shadow"
    arms: Annotated[dict[str, Annotated[int, Meta(ge=1)]], Meta(min_length=1)]
    weights: dict[str, Annotated[float, Meta(gt=0)]] = {}
    exposure: Share | None = None
    stages: Annotated[tuple[Share, ...], Meta(min_length=2)] = STAGES
    stage_hours: Annotated[float, Meta(gt=0)] = 24.0
    metric: Literal["macro_auroc", "brier"]
    cases: Annotated[int, Meta(ge=1)]
    margin: Annotated[float, Meta(gt=-1, lt=1)] = 0.0
    confidence: Annotated[float, Meta(ge=0.5, lt=1)] = 0.95
    min_positive: Annotated[int, Meta(ge=2)] = 10
    lag_days: Annotated[float, Meta(gt=0)] | None = None
    bound: Share = 1.0
    worklist: bool = False
    expected: Expected | None = None

    @property
    def included(self) -> float:
        """The exposure to start with."""
        if self.exposure is not None:
            return self.exposure
        if self.design == "canary":
            return self.stages[0]
        return 1.0 if self.design == "shadow" else len(self.arms) / (len(self.arms) + 1)

    def experiment(self, *, salt: str, at: datetime, who: str) -> Experiment:
        """Return the record that goes into control."""
        return Experiment(
            name=self.name,
            design="shadow" if self.design == "shadow" else "split",
            stages=self.stages if self.design == "canary" else (),
            stage_hours=self.stage_hours,
            salt=salt,
            weights=dict(self.weights) or dict.fromkeys(self.arms, 1.0),
            metric=self.metric,
            margin=self.margin,
            confidence=self.confidence,
            min_positive=self.min_positive,
            min_cases=self.cases,
            lag_days=self.lag_days,
            bound=self.bound,
            worklist=self.worklist,
            started_at=at,
            started_by=who,
        )


def read(path: Path) -> Declared:
    """Return the checked contents of a TOML file; raise ConfigError with what is wrong in it."""
    try:
        plain: dict[str, Any] = tomllib.loads(path.read_text())
        declared = msgspec.convert(plain, Declared)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        rule = "An experiment's file must be readable TOML."
        raise ConfigError(f"{rule} Received: {path}: {error}. Correct it.") from error
    except msgspec.ValidationError as error:
        rule = "An experiment's file must follow its schema, docs/experiment.schema.json."
        raise ConfigError(f"{rule} Received: {path}: {error}. Correct it.") from error
    check(declared)
    return declared


def check(declared: Declared) -> None:
    """Raise ConfigError where names are none, or fields don't go together."""
    for name in (declared.name, *declared.arms):
        if not is_name(name):
            rule = f"A name has lower case letters, digits, . _ -, and is not {CHAMPION!r}"
            rule += f" or {PREVIOUS!r}."
            raise ConfigError(f"{rule} Received: {name!r}. Choose another.")
    if len(set(declared.arms.values())) < len(declared.arms):
        rule = "Each arm needs a version of its own."
        raise ConfigError(f"{rule} Received: {declared.arms}. Give each another, or leave one out.")
    if declared.weights and declared.weights.keys() != declared.arms.keys():
        rule = "weights must name each of the arms, or be left out."
        raise ConfigError(f"{rule} Received: {sorted(declared.weights)}. Give each arm one.")
    if declared.design == "canary":
        stages = list(declared.stages)
        if stages != sorted(set(stages)) or declared.exposure is not None:
            rule = "A canary has stages that grow, and no exposure besides."
            received = f"Received: {stages}, exposure {declared.exposure}."
            raise ConfigError(f"{rule} {received} Correct them.")
        if declared.metric != "brier":
            rule = "A canary is decided by brier, which weights each patient by the stage's shares:"
            why = "otherwise the challenger's patients are the later ones, and time decides too."
            todo = "Choose brier with lag_days, or a shadow or a split, which do not grow."
            raise ConfigError(f"{rule} {why} Received: {declared.metric}. {todo}")
    if declared.design == "split" and declared.included >= 1:
        rule = "A split starts with an exposure below 1, since units at the champion are compared."
        raise ConfigError(f"{rule} Received: {declared.included:g}. Lower it.")
    if declared.metric == "brier" and declared.lag_days is None:
        rule = "The metric brier needs lag_days, so that a patient's value no longer changes."
        raise ConfigError(f"{rule} Received: none. Give the days within which images are read.")
    if declared.worklist and declared.metric != "brier":
        rule = "Reads from a worklist are weighted in the metric brier only."
        raise ConfigError(f"{rule} Received: {declared.metric}. Choose brier, or read all images.")


def planned(declared: Declared) -> tuple[int, float]:
    """Return the cases in each arm that the expected difference takes, and the power of the file's.

    In a split by `brier` that is half of the patients of the champion and the smallest arm; in a
    canary, as many come in each stage that leaves the champion some.

    Raises:
        ConfigError: [expected] lacks what a plan needs.
        ValueError: no number of cases is enough.
    """
    expected = declared.expected
    if expected is None or (declared.metric == "brier" and expected.spread is None):
        rule = "A plan needs [expected] with a difference, and for brier the spread."
        todo = "The spread is in chexnet experiment status of an earlier experiment."
        raise ConfigError(f"{rule} Received: {expected or 'none'}. {todo}")
    if declared.worklist and expected.weight is None:
        rule = "A plan with a worklist needs the weight in [expected], as weights cost patients."
        todo = "Give the mean of one over the probability to be listed: 10 is the worst."
        raise ConfigError(f"{rule} Received: none. {todo}")
    if declared.metric == "brier":
        return _planned_losses(declared, expected)
    plan = power.Plan(
        champion=expected.champion,
        challenger=expected.champion + expected.difference,
        prevalence=expected.prevalence,
        paired=declared.design == "shadow",
        images=expected.images,
        confidence=shared(declared.confidence, len(declared.arms)),
        power=expected.power,
        margin=declared.margin,
        min_positive=declared.min_positive,
    )
    return power.cases_for_power(plan), power.power(plan, declared.cases)


def _planned_losses(declared: Declared, expected: Expected) -> tuple[int, float]:
    paired = declared.design == "shadow"
    arms, spread, bound = 1 if paired else 2, expected.spread or 0.0, declared.bound
    if declared.worklist:
        mean, bound = expected.difference if paired else expected.loss, bound / LEAST
        spread = math.sqrt((spread**2 + mean**2) * (expected.weight or 1.0) - mean**2)
    plan = LossPlan(
        difference=expected.difference,
        spread=spread,
        stages=() if paired else _stages(declared),
        loss=expected.loss,
        bound=bound,
        confidence=shared(declared.confidence, len(declared.arms)),
        power=expected.power,
        margin=declared.margin,
    )
    patients = loss_power.patients_for_power(plan)
    return -(-patients // arms), loss_power.power(plan, arms * declared.cases)


def _stages(declared: Declared) -> tuple[tuple[float, float], ...]:
    """Return each stage's part of the champion's and the smallest arm's patients, and its share.

    As many patients come in each stage: stages last equally long. The last, where all are included,
    has none of the champion.
    """
    weights = declared.weights or dict.fromkeys(declared.arms, 1.0)
    least = min(weights.values()) / sum(weights.values())
    given = declared.stages if declared.design == "canary" else (declared.included,)
    both = [(s * least, s * least + 1 - s) for s in given if s < 1]
    total = sum(of for _, of in both)
    return tuple((of / total, own / of) for own, of in both)
