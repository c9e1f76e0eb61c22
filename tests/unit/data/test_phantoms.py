"""Phantoms: seeded, of patients who come back, hard for pixels alone, and marked as synthetic."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from chexnet.data import phantoms
from chexnet.data.parallel import spread
from chexnet.data.phantoms import Phantom
from chexnet.data.signs import PLANT, RESHAPE
from chexnet.evaluation.auroc import auroc
from chexnet.inputs.labels import FINDINGS

HEALTHY = Phantom(seed=5, number=3, visit=0, sex="F", age=50, view="PA", findings=frozenset())


def test_the_same_seed_gives_the_same_images_and_another_one_other_patients() -> None:
    first, again, other = (phantoms.plan(20, seed) for seed in (7, 7, 8))
    assert first == again
    assert not {p.patient for p in first} & {p.patient for p in other}
    assert np.array_equal(phantoms.render(first[3]), phantoms.render(again[3]))


def test_patients_come_no_more_often_than_they_may() -> None:
    once = phantoms.plan(100, 1, visits=1)
    assert len({p.patient for p in once}) == 100


def test_a_longer_plan_begins_with_the_shorter_one() -> None:
    assert phantoms.plan(50, 1)[:20] == phantoms.plan(20, 1)


def test_patients_come_back_with_the_same_anatomy_in_another_position() -> None:
    planned = phantoms.plan(400, 0)
    visits = {p.patient: p.visit for p in planned}
    assert 0.3 < np.mean([last > 0 for last in visits.values()]) < 0.6
    one, two = HEALTHY, replace(HEALTHY, visit=1)
    stranger = replace(HEALTHY, number=4)
    pictures = [phantoms.render(p, size=64).astype(int) for p in (one, two, stranger)]
    assert np.abs(pictures[0] - pictures[1]).mean() > 1
    assert np.abs(pictures[0] - pictures[2]).mean() > 1


def test_there_is_a_sign_for_every_finding_and_no_other() -> None:
    assert {*RESHAPE, *PLANT} == set(FINDINGS)


@pytest.mark.parametrize("name", FINDINGS)
def test_every_finding_changes_the_image_and_more_contrast_changes_it_more(name: str) -> None:
    shown = replace(HEALTHY, findings=frozenset({name}))
    hidden = phantoms.render(shown, contrast=0.0).astype(float)
    changes = [
        np.abs(phantoms.render(shown, contrast=c).astype(float) - hidden).sum() for c in (0.5, 1, 2)
    ]
    assert 0 < changes[0] < changes[1] < changes[2]


def test_findings_go_together_as_in_life() -> None:
    shown = np.array([[name in p.findings for name in FINDINGS] for p in phantoms.plan(3000, 2)])
    together = np.corrcoef(shown.T)
    heart, edema, mass = (FINDINGS.index(n) for n in ("Cardiomegaly", "Edema", "Mass"))
    assert together[heart, edema] > 0.15
    assert abs(together[heart, mass]) < 0.08
    assert np.all((shown.mean(axis=0) > 0.09) & (shown.mean(axis=0) < 0.17))


def test_every_image_says_in_its_corner_that_it_is_synthetic() -> None:
    for phantom in phantoms.plan(5, 4):
        caption = phantoms.render(phantom, size=512)[10:22, 10:135]
        black, white = (caption == 0).mean(), (caption > 240).mean()
        assert black > 0.25  # The box that it stands on.
        assert 0.05 < white < 0.5  # The letters.


def test_its_png_has_no_text_that_a_gateway_would_refuse() -> None:
    data = phantoms.png(phantoms.render(HEALTHY, size=64))
    picture = Image.open(io.BytesIO(data))
    assert (picture.mode, picture.size, picture.info) == ("L", (64, 64), {})


def test_a_folder_of_phantoms_has_a_table_of_what_they_show(tmp_path: Path) -> None:
    planned = phantoms.plan(12, 3)
    assert list(phantoms.write(tmp_path, planned, size=64, processes=1)) == [
        p.file for p in planned
    ]
    with (tmp_path / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["patient"] for row in rows] == [p.patient for p in planned]
    for row, phantom in zip(rows, planned, strict=True):
        assert {name for name in FINDINGS if row[name] == "1"} == phantom.findings
        assert (tmp_path / row["file"]).read_bytes() == phantoms.png(
            phantoms.render(phantom, size=64)
        )


@pytest.mark.slow
def test_logistic_regression_on_32_x_32_pixels_stays_below_0_75() -> None:
    planned = phantoms.plan(3000, 11)
    x = StandardScaler().fit_transform(np.stack(list(spread(thumbnail, planned))))
    y = np.array([[name in p.findings for name in FINDINGS] for p in planned])
    patient = np.unique([p.patient for p in planned], return_inverse=True)[1]
    learn, judge = patient < patient.max() * 0.7, patient >= patient.max() * 0.7
    areas = [
        auroc(
            LogisticRegression(C=1e-3, max_iter=300)
            .fit(x[learn], y[learn, i])
            .decision_function(x[judge]),
            y[judge, i],
        )
        for i in range(len(FINDINGS))
    ]
    assert 0.55 < np.mean(areas) < 0.75


def thumbnail(phantom: Phantom) -> np.ndarray:
    picture = Image.fromarray(phantoms.render(phantom, size=256))
    return np.asarray(picture.resize((32, 32), Image.Resampling.BOX), float).ravel()
