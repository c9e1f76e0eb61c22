"""An experiment's file: its schema, what goes together, and what it becomes."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from chexnet.errors import ConfigError
from chexnet.experiments.declared import Declared, planned, read
from tests.unit.experiments.records import START

ROOT = Path(__file__).parents[3]
WHOLE = """
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
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "e.toml"
    path.write_text(text)
    return path


def test_a_file_becomes_the_record_in_control(tmp_path: Path) -> None:
    declared = read(write(tmp_path, WHOLE))
    made = declared.experiment(salt="s", at=START, who="me")
    assert (made.metric, made.min_cases, made.lag_days, made.bound) == ("brier", 600, 14.0, 0.25)
    assert (made.weights, declared.included) == ({"b": 1.0}, 1.0)


def test_a_split_of_three_includes_equal_arms(tmp_path: Path) -> None:
    text = WHOLE.replace('"shadow"', '"split"').replace("b = 2", "b = 2, c = 3")
    assert read(write(tmp_path, text)).included == pytest.approx(2 / 3)


def test_a_canary_is_a_split_that_goes_through_its_stages(tmp_path: Path) -> None:
    declared = read(write(tmp_path, WHOLE.replace('"shadow"', '"canary"\nstage_hours = 6')))
    made = declared.experiment(salt="s", at=START, who="me")
    assert (made.design, made.stages, made.stage_hours) == ("split", (0.01, 0.05, 0.25, 0.5, 1), 6)
    assert declared.included == 0.01
    cases, power = planned(declared)
    assert cases > 0
    assert 0 < power < 1


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        ('"shadow"', '"canary"\nstages = [0.5, 0.1]', "stages that grow"),
        ('"shadow"', '"canary"\nexposure = 0.1', "no exposure besides"),
        ("cases = 600", "cases = 0", r"Expected `int` >= 1 - at `\$\.cases`"),
        ("cases = 600", "", "missing required field `cases`"),
        ("bound", "bund", "unknown field `bund`"),
        ('"brier"', '"accuracy"', r"Invalid enum value 'accuracy' - at `\$\.metric`"),
        ("{ b = 2 }", "{}", r"length >= 1 - at `\$\.arms`"),
        ("lag_days = 14", "", "The metric brier needs lag_days"),
        ("bound = 0.25", "weights = { c = 1.0 }", "weights must name each of the arms"),
        ('"brier"', '"macro_auroc"\nworklist = true', "weighted in the metric brier only"),
        ('"shadow"', '"canary"\nmetric = "macro_auroc"', "A canary is decided by brier"),
        ('"b-against-a"', '"B Bad!"', r"lower case letters.*'B Bad!'"),
        ("{ b = 2 }", "{ champion = 2 }", "is not 'champion'"),
        ("{ b = 2 }", "{ b = 2, c = 2 }", "Each arm needs a version of its own"),
        ('"shadow"', '"split"\nexposure = 1.0', "an exposure below 1"),
        ("cases = 600", "cases =", "must be readable TOML"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, old: str, new: str, wanted: str) -> None:
    text = WHOLE.replace(old, new)
    file = write(tmp_path, text.replace('metric = "brier"\n', "") if "metric" in new else text)
    with pytest.raises(ConfigError, match=wanted):
        read(file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml"):
        read(tmp_path / "none.toml")


def test_the_plan_of_a_file(tmp_path: Path) -> None:
    patients, power = planned(read(write(tmp_path, WHOLE)))
    assert (power >= 0.8) == (patients <= 600)
    split = WHOLE.replace('"shadow"', '"split"')
    halves, _ = planned(read(write(tmp_path, split)))
    few, _ = planned(read(write(tmp_path, split.replace("bound", "exposure = 0.1\nbound"))))
    assert patients < halves < few  # Both arms' patients, on average, of an uneven split.
    with pytest.raises(ConfigError, match=r"A plan needs \[expected\].*the spread"):
        planned(read(write(tmp_path, WHOLE.replace("spread = 0.04", ""))))


def test_three_arms_share_the_error_of_one(tmp_path: Path) -> None:
    one, _ = planned(read(write(tmp_path, WHOLE)))
    three = WHOLE.replace("b = 2", "b = 2, c = 3, d = 4")
    both, _ = planned(read(write(tmp_path, three)))
    alone, _ = planned(read(write(tmp_path, WHOLE.replace("cases", "confidence = 0.98333\ncases"))))
    assert one < both == pytest.approx(alone, rel=1e-3)


def test_a_canary_needs_more_than_a_split_of_its_widest_stage(tmp_path: Path) -> None:
    canary, _ = planned(read(write(tmp_path, WHOLE.replace('"shadow"', '"canary"'))))
    halves, _ = planned(read(write(tmp_path, WHOLE.replace('"shadow"', '"split"'))))
    assert canary > 1.5 * halves


def test_a_worklist_costs_patients_and_is_not_planned_without_its_weight(tmp_path: Path) -> None:
    listed = WHOLE.replace("bound", "worklist = true\nbound")
    with pytest.raises(ConfigError, match="A plan with a worklist needs the weight"):
        planned(read(write(tmp_path, listed)))
    patients, _ = planned(read(write(tmp_path, WHOLE)))
    known, _ = planned(read(write(tmp_path, listed + "weight = 1.0\n")))  # The bound alone.
    twice, _ = planned(read(write(tmp_path, listed + "weight = 2.0\n")))
    assert patients < known < twice


def test_the_published_schema_is_that_of_the_code() -> None:
    published = json.loads((ROOT / "docs/experiment.schema.json").read_text())
    assert published == json.loads(json.dumps(msgspec.json.schema(Declared)))


def test_the_example_in_the_docstring_and_the_documentation_is_valid(tmp_path: Path) -> None:
    from chexnet.experiments import declared

    for text in (declared.__doc__, (ROOT / "docs/statistics.md").read_text()):
        example = text.split("```toml\n")[1].split("```")[0]
        assert read(write(tmp_path, example)).metric == "brier"
