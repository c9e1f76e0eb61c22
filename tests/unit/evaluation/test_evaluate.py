"""A whole evaluation: the golden case, the small cases that have no figure, and where tuning is."""

from __future__ import annotations

import csv
from pathlib import Path

import msgspec
import numpy as np
import pytest
from msgspec import structs

from chexnet.evaluation import tables
from chexnet.evaluation.calibration import scaled
from chexnet.evaluation.curve import curve
from chexnet.evaluation.details import age_group
from chexnet.evaluation.evaluate import Plan, evaluate
from chexnet.evaluation.page import page
from chexnet.evaluation.published import TABLES
from chexnet.evaluation.record import Evaluation
from chexnet.evaluation.report import markdown
from chexnet.evaluation.scored import Scored
from chexnet.inputs.labels import FINDINGS
from chexnet.messages import decode_json

LABELS = ("Mass", "Nodule")
QUICK = Plan(rounds=200)


def simulated(patients: int, seed: int = 0, hotter: float = 1.0) -> Scored:
    """Return images of patients whose logits are `hotter` times what is true."""
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), rng.integers(1, 4, patients))
    logits = rng.normal(-0.5, 1.5, (len(patient), 2))
    present = rng.random(logits.shape) < 1 / (1 + np.exp(-logits))
    return Scored.of(
        LABELS,
        [f"{n}.png" for n in range(len(patient))],
        [f"p{who}" for who in patient],
        1 / (1 + np.exp(-hotter * logits)),
        present,
        details={"view": rng.choice(["AP", "PA", ""], len(patient))},
    )


def run(scored: Scored, plan: Plan = QUICK, **given) -> Evaluation:
    return evaluate(scored, plan, subject="a model", data="simulated", **given)


@pytest.fixture(scope="module")
def reproduction(shared: Path) -> Evaluation:
    folder = shared / "reference"
    said = tables.predictions(folder / "chexnet_reproduction_predictions.csv.gz", FINDINGS)
    known = tables.reference(folder / "Data_Entry_2017_v2020.csv.gz", said.labels)
    notes: list[str] = []
    scored = tables.join(said, known, notes)
    assert notes == []
    return run(scored, Plan(rounds=1000))


def test_a_reproductions_predictions_give_its_published_table(
    reproduction: Evaluation, shared: Path
) -> None:
    assert (reproduction.images, reproduction.patients) == (22_433, 6_187)
    with (shared / "reference" / "chexnet_reproduction_aucs.csv").open() as file:
        published = {row["label"]: float(row["auc"]) for row in csv.DictReader(file)}
    assert len(published) == 14
    for label in reproduction.labels:
        assert label.auroc is not None
        assert label.auroc.value == pytest.approx(published[label.name], abs=5e-5), label.name
    # The table quoted in the report is the same one.
    quoted = TABLES[-1].auroc
    assert quoted == {name: pytest.approx(area, abs=5e-5) for name, area in published.items()}
    assert reproduction.mean_auroc is not None
    assert reproduction.mean_auroc.value == pytest.approx(TABLES[-1].mean, abs=5e-5)


def test_on_it_the_formula_and_the_bootstrap_agree(reproduction: Evaluation) -> None:
    for label in reproduction.labels:
        formula, resampled = label.auroc, label.auroc_bootstrap
        assert formula is not None
        assert resampled is not None
        width = formula.high - formula.low
        assert (resampled.low, resampled.high) == pytest.approx(
            (formula.low, formula.high), abs=0.12 * width
        ), label.name


def test_its_markdown_stands_beside_what_was_published(reproduction: Evaluation) -> None:
    text = markdown(reproduction)
    line = next(line for line in text.splitlines() if line.startswith("| Hernia | 42 |"))
    assert "| 0.9175 (0.850 to 0.956) |" in line
    assert line.endswith("| 0.7670 | 0.9140 | 0.9164 | 0.9175 |")  # Wang, Yao, CheXNet, its own.
    mean = next(line for line in text.splitlines() if line.startswith("| mean of 14 |"))
    assert mean.endswith("| 0.7381 | 0.8027 | 0.8414 | 0.8383 |")
    for source in ("arXiv:1705.02315", "arXiv:1710.10501", "arXiv:1711.05225"):
        assert source in text
    assert "0.435 (0.387 to 0.481)" in text


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_published_mean_is_that_of_its_labels(table) -> None:
    # Yao's and Wang's labels have three decimals.
    assert np.mean(list(table.auroc.values())) == pytest.approx(table.mean, abs=5e-4)
    assert tuple(table.auroc) == FINDINGS


def test_a_label_without_positives_is_named_and_the_others_go_on() -> None:
    scored = simulated(60)
    scored.present[:, 1] = False
    found = run(scored)
    mass, nodule = found.labels
    assert mass.auroc is not None
    assert nodule.auroc is None
    assert nodule.missing.startswith("AUROC needs 2 patients with the finding and 2 without.")
    assert found.mean_of == ("Mass",)
    assert "No figure for Nodule: AUROC needs 2 patients" in markdown(found)


def test_a_single_patient_gives_words_and_no_figure() -> None:
    scored = simulated(60)
    alone = Scored.of(
        LABELS, scored.image, ["p"] * len(scored.image), scored.probabilities, scored.present
    )
    found = run(alone)
    assert [label.auroc for label in found.labels] == [None, None]
    assert all("Received: 1 and 1." in label.missing for label in found.labels)
    assert (found.mean_auroc, found.mean_auroc_bootstrap) == (None, None)
    assert found.mean_of == ()
    assert "Received: 1 and 1." in markdown(found)
    assert "Received: 1 and 1." in page(found, alone)


def test_one_image_gives_words_and_no_figure() -> None:
    found = run(simulated(60).rows(np.arange(1)))
    assert all(label.missing for label in found.labels)


def test_no_nan_gets_into_the_record() -> None:
    scored = simulated(8)  # So few that resamples without a side are common.
    found = run(scored)
    again = decode_json(found.encode(), Evaluation)
    assert again == found  # A NaN would be null, and no float.
    assert b"null" not in msgspec.json.encode([x.operating for x in found.labels])


def test_what_is_not_known_counts_nowhere() -> None:
    scored = simulated(80)
    unknown = np.random.default_rng(1).random(scored.known.shape) < 0.3
    holes = Scored.of(
        LABELS,
        scored.image,
        scored.patient.astype(str),
        np.where(unknown, 0.123, scored.probabilities),
        scored.present ^ unknown,
        ~unknown,
    )
    mass = run(holes).labels[0]
    rows = ~unknown[:, 0]
    only = Scored.of(
        LABELS[:1],
        scored.image[rows],
        scored.patient[rows].astype(str),
        scored.probabilities[rows, :1],
        scored.present[rows, :1],
    )
    expected = run(only).labels[0]
    assert mass.images_unknown == unknown[:, 0].sum()
    assert mass.images_with == expected.images_with
    assert mass.auroc == expected.auroc
    assert mass.operating[0].sensitivity == expected.operating[0].sensitivity
    assert mass.calibration is not None
    assert expected.calibration is not None
    assert mass.calibration.ece == expected.calibration.ece


def test_thresholds_and_temperature_are_chosen_on_the_other_images_where_there_are_some() -> None:
    scored, tuning = simulated(150, seed=1, hotter=2), simulated(400, seed=2, hotter=2)
    found = run(scored, tuning=tuning)
    assert found.chosen_on == "other images"
    elsewhere = curve(tuning.probabilities[:, 0], tuning.present[:, 0])
    by = {at.rule: at.threshold for at in found.labels[0].operating}
    assert by["youden"] == elsewhere.youden()
    assert by["sensitivity"] == elsewhere.at_sensitivity(0.9)
    assert by["f1"] == elsewhere.best_f1()
    assert found.temperature == pytest.approx(2, rel=0.2)
    calibration = found.labels[0].calibration
    assert calibration is not None
    assert calibration.ece_scaled is not None
    assert calibration.ece_scaled < calibration.ece
    assert "Thresholds were chosen on other images." in markdown(found)


def test_thresholds_of_the_same_images_are_said_to_flatter() -> None:
    assert "the same images, which flatters them" in markdown(run(simulated(60)))


def test_the_models_own_thresholds_are_judged_too() -> None:
    scored = simulated(120)
    found = run(scored, Plan(rounds=200, thresholds={"Mass": 0.4}))
    own = {at.rule: at for at in found.labels[0].operating}["card"]
    called = scored.probabilities[:, 0] >= 0.4
    assert own.threshold == 0.4
    assert own.sensitivity.value == pytest.approx(called[scored.present[:, 0]].mean())
    assert own.specificity.value == pytest.approx((~called)[~scored.present[:, 0]].mean())
    assert own.precision is not None
    assert own.precision.value == pytest.approx(scored.present[called, 0].mean())
    assert own.f1.low < own.f1.value < own.f1.high
    assert "card" not in {at.rule for at in found.labels[1].operating}


def test_a_threshold_that_calls_nothing_has_no_precision_and_an_f1_of_0() -> None:
    scored = simulated(60)
    found = run(scored, Plan(rounds=200, thresholds={"Mass": 1.0}))
    own = found.labels[0].operating[0]
    assert (own.precision, own.f1.value, own.sensitivity.value) == (None, 0.0, 0.0)
    assert own.sensitivity.high > 0


def test_scaling_moves_no_auroc() -> None:
    scored = simulated(60, hotter=3)
    cooled = Scored.of(
        LABELS,
        scored.image,
        scored.patient.astype(str),
        scaled(scored.probabilities, 3.0),
        scored.present,
    )
    for before, after in zip(run(scored).labels, run(cooled).labels, strict=True):
        assert before.auroc == after.auroc


def test_subgroups_are_those_images_alone_and_small_ones_are_named() -> None:
    scored = simulated(80)
    scored.details["view"][:2] = "LL"  # One patient's.
    found = run(scored)
    by = {group.value: group for group in found.subgroups}
    assert set(by) == {"AP", "PA", "LL"}
    rows = scored.details["view"] == "AP"
    alone = run(
        Scored.of(
            LABELS,
            scored.image[rows],
            scored.patient[rows].astype(str),
            scored.probabilities[rows],
            scored.present[rows],
        )
    )
    assert by["AP"].auroc["Mass"].value == alone.labels[0].auroc.value
    assert by["AP"].auroc["Mass"].low == pytest.approx(alone.labels[0].auroc.low, abs=1e-12)
    assert by["AP"].images == rows.sum()
    assert set(by["LL"].missing) == set(LABELS)
    assert by["AP"].mean is None  # No label has a figure in each group.
    assert "No figure for Mass in LL: AUROC needs 2 patients" in markdown(found)


@pytest.mark.parametrize(
    ("years", "group"),
    [(0, "0-19"), (19, "0-19"), (20, "20-39"), (79, "60-79"), (80, "80+"), (120, "80+")],
)
def test_age_groups(years: int, group: str) -> None:
    assert age_group(years) == group


@pytest.mark.parametrize("years", [-1, 121, 414])
def test_nobody_is_so_old(years: int) -> None:
    assert age_group(years) == ""


def test_the_same_seed_gives_the_same_evaluation_and_another_seed_another() -> None:
    scored = simulated(60)
    assert run(scored) == run(scored)
    other = run(scored, Plan(rounds=200, seed=1))
    assert other.labels[0].auroc_bootstrap != run(scored).labels[0].auroc_bootstrap
    assert other.labels[0].auroc == run(scored).labels[0].auroc


def test_the_page_needs_no_other_file_and_escapes_what_it_is_told() -> None:
    scored = simulated(60)
    text = page(
        evaluate(scored, QUICK, subject="<b>", data="here & there", notes=["a < b"]), scored
    )
    assert "http" not in text.split("base64")[0]
    assert "Evaluation of &lt;b&gt;" in text
    assert "a &lt; b" in text
    assert text.count("data:image/png;base64,") == 5  # Areas, ROC, PR, reliability, view.


def test_labels_that_nobody_published_have_a_report_of_their_own() -> None:
    scored = structs.replace(simulated(60), labels=("Fracture", "Effusion of the knee"))
    found = run(scored)
    assert "arXiv:1711.05225" not in markdown(found)
    assert "| Fracture |" in markdown(found)
    assert "Fracture" in page(found, scored)
