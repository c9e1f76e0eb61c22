"""What an evaluation found, as it is stored: figures with intervals, or why there are none."""

from __future__ import annotations

from msgspec import Struct, field

from chexnet.evaluation.calibration import Group
from chexnet.evaluation.delong import Interval
from chexnet.evaluation.localisation import Located
from chexnet.messages import Record


class Operating(Struct, frozen=True, kw_only=True):
    """A finding at one threshold: present from there on."""

    rule: str  # How it was chosen: see `RULES` in evaluate.py.
    threshold: float
    sensitivity: Interval  # Patients as clusters.
    specificity: Interval
    precision: Interval | None  # None where what is called present is of fewer than two patients.
    f1: Interval  # By the patient bootstrap.


class Calibration(Struct, frozen=True, kw_only=True):
    """Whether a finding's probabilities are probabilities."""

    ece: float
    ece_scaled: float | None  # After temperature scaling.
    groups: list[Group]


class Label(Struct, frozen=True, kw_only=True):
    """One finding."""

    name: str
    images_with: int
    images_without: int
    images_unknown: int
    patients_with: int
    patients_without: int
    missing: str = ""  # Why there are no figures.
    auroc: Interval | None = None  # DeLong's, patients as clusters, on the logit scale.
    auroc_bootstrap: Interval | None = None
    average_precision: Interval | None = None  # By the patient bootstrap.
    operating: list[Operating] = field(default_factory=list)
    calibration: Calibration | None = None


class Subgroup(Struct, frozen=True, kw_only=True):
    """The images of one group, e.g. view AP."""

    attribute: str
    value: str
    images: int
    patients: int
    auroc: dict[str, Interval]
    missing: dict[str, str]  # Label → why it has none.
    mean: Interval | None
    mean_of: tuple[str, ...]  # Labels that have an AUROC in each group of the attribute.


class Evaluation(Record, frozen=True, kw_only=True):
    """All of it."""

    schema: str = "evaluation/1"
    subject: str  # What was evaluated.
    data: str  # On what.
    images: int
    patients: int
    confidence: float
    rounds: int  # Of the bootstrap.
    seed: int
    sensitivity: float  # Of the rule `sensitivity`.
    chosen_on: str  # Where thresholds come from: `other images` or `the same images`.
    labels: list[Label]
    mean_of: tuple[str, ...]  # The labels in the means.
    mean_auroc: Interval | None
    mean_auroc_bootstrap: Interval | None
    mean_average_precision: Interval | None
    temperature: float | None
    temperature_from: str  # As `chosen_on`, or `the model's card`.
    subgroups: list[Subgroup]
    located: list[Located]
    notes: list[str]  # What is to be known of the figures, and of those that are not there.
