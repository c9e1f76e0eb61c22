"""The report: what a person reads, escaped, with a figure, in one file."""

from __future__ import annotations

import io
import sys

import pytest
from msgspec import structs
from PIL import Image
from rich.console import Console

from chexnet.errors import ConfigError
from chexnet.evaluation.delong import Interval
from chexnet.experiments.observed import Observed
from chexnet.experiments.registered import register
from chexnet.experiments.report import asides, figure, notes, page, rows, table, words
from chexnet.experiments.review import examine
from tests.unit.experiments.records import experiment, read
from tests.unit.experiments.test_comparison import E, M, compared, records, six
from tests.unit.experiments.test_flow import NOW, World, world  # noqa: F401 (a fixture)


def one_label_of_two():
    given = [(u, (*a, 0.5), (*b, 0.5), f | {M: "absent"}) for u, a, b, f in six()]
    return compared(*records(given))


def test_an_estimate_is_never_without_its_interval() -> None:
    assert words(Interval(0.8333, 0.7, 0.9)) == "0.833 (0.700 to 0.900)"
    assert words(Interval(0.1, -0.02, 0.2), "+") == "+0.100 (-0.020 to +0.200)"
    assert words(None) == "-"


def test_each_label_has_a_row_and_the_macro_decides() -> None:
    effusion, mass, macro = rows(one_label_of_two())
    assert effusion[:3] == (E, "3", "3")
    assert mass[-1] == "not in the macro: 0 of 2 patients with it in champion"
    assert (macro[0], macro[-1]) == ("macro AUROC", "decides")
    assert macro[5] == "+0.167 (-0.211 to +0.544)"  # As worked out in test_comparison.


def test_the_notes_say_what_was_counted_and_left_out() -> None:
    predictions, reads = records(six())
    seen = read("i0", {E: "present"}, protocol="assisted")
    said = " ".join(notes(compared(predictions, [*reads, seen])))
    assert "6 of 6 patients in champion (version 1)" in said
    assert "0 blinded, 6 reference. 1 assisted" in said


def test_the_terminal_shows_the_table() -> None:
    console = Console(file=io.StringIO(), width=200, record=True)
    console.print(table(one_label_of_two(), console.width))
    assert "not in the macro" in console.export_text()


def test_a_narrow_terminal_shows_fewer_columns_and_cuts_none() -> None:
    seen = one_label_of_two()
    labels = [structs.replace(label, name=M) for label in seen.labels]
    labels[0] = structs.replace(labels[0], name="Pleural_Thickening")
    console = Console(file=io.StringIO(), width=80, record=True)
    console.print(table(structs.replace(seen, labels=tuple(labels)), console.width))
    text = console.export_text()
    assert "…" not in text
    assert "Pleural_Thickening" in text
    assert f"{M} †" in text
    assert "-0.211 to +0.544" in text
    assert max(map(len, text.splitlines())) <= 80


def test_the_figure_is_a_picture_with_ink_on_it() -> None:
    image = Image.open(io.BytesIO(figure(one_label_of_two())))
    assert image.format == "PNG"
    assert len(set(image.convert("L").tobytes())) > 10


def test_the_page_holds_all_it_needs_and_escapes_names(world: World) -> None:  # noqa: F811
    world.start(experiment(min_positive=5, min_cases=50), 1.0)
    world.predict(range(40))
    world.read(range(40))
    text = page(world.review(), {"b": (-0.01, 0.02)})
    assert "data:image/png;base64," in text
    assert "Patient bootstrap of the difference: -0.010 to +0.020." in text
    assert "<script" not in text
    assert 'src="http' not in text


def test_without_matplotlib_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ConfigError, match=r"pip install 'chexnet-pipeline\[notebook\]'"):
        figure(one_label_of_two())


def test_what_nobody_knows_of_a_versions_training_is_said(world: World) -> None:  # noqa: F811
    world.start(experiment(), 1.0)
    known = world.review()
    assert known.untold == ()
    units = {"1": ("p0",), "2": ()}
    registered = register(world.bus, world.store, known.control, until=NOW)
    imported = structs.replace(registered, training_units=units)
    found = examine(imported, Observed.of([], [], {}))
    assert found.plain()["untold"] == [2]
    assert asides(found)[0].startswith("Nothing is known of whom version 2 was trained on")


def test_arms_that_share_the_error_are_said() -> None:
    found = structs.replace(one_label_of_two(), confidence=0.975, arms=2)
    assert "Intervals are of 97.5% (2 challengers share the error" in " ".join(notes(found))
