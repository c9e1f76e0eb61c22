"""Graphs as pictures: their layers, and that what is drawn can be read."""

from __future__ import annotations

import io
import sys
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from chexnet.adapters.pachyderm.jobs import Job, Pipeline
from chexnet.errors import ConfigError
from chexnet.runtime.dag import graph
from chexnet.runtime.drawing import Arrow, Box, draw, layers

AT = datetime(2026, 1, 1, tzinfo=UTC)


def arrows(*pairs: str) -> list[Arrow]:
    return [Arrow(source=pair[0], target=pair[1]) for pair in pairs]


@given(st.sets(st.tuples(st.integers(0, 9), st.integers(0, 9)).filter(lambda p: p[0] < p[1])))
def test_every_arrow_goes_to_the_right(pairs: set[tuple[int, int]]) -> None:
    drawn = [Arrow(source=str(a), target=str(b)) for a, b in pairs]
    columns = layers([str(n) for n in range(10)], drawn)
    at = {name: x for x, column in enumerate(columns) for name in column}
    assert len(at) == 10
    assert all(at[arrow.source] < at[arrow.target] for arrow in drawn)


def test_a_source_stands_right_before_what_it_leads_to() -> None:
    assert layers("abcp", arrows("ab", "bc", "pc")) == [["a"], ["b", "p"], ["c"]]


def test_neighbours_are_in_the_order_of_what_they_follow() -> None:
    assert layers("abdc", arrows("ac", "bd")) == [["a", "b"], ["c", "d"]]


def test_arrows_do_not_cross_where_another_order_keeps_them_apart() -> None:
    # As drawn in the order of the names, d-b would cross p-a.
    assert layers("dpqab", arrows("da", "db", "pa", "qb")) == [["p", "d", "q"], ["a", "b"]]


def test_a_cycle_is_refused() -> None:
    with pytest.raises(ValueError, match="cycle"):
        layers("ab", arrows("ab", "ba"))


def test_an_svg_holds_each_box_once() -> None:
    boxes = {name: Box(title=f"box {name}", lines=("repo",)) for name in "ab"}
    picture = ET.fromstring(draw(boxes, arrows("ab"), "A title", "svg"))
    assert picture.tag.endswith("svg")


def test_a_png_has_ink_of_the_mood() -> None:
    data = draw({"a": Box(title="a", mood="bad")}, [], "t")
    colours = Image.open(io.BytesIO(data)).convert("RGB").getcolors(10**6) or []
    assert (0xD5, 0x5E, 0x00) in {colour for _, colour in colours}


def test_another_format_is_refused() -> None:
    with pytest.raises(ConfigError, match="Received: 'gif'"):
        draw({"a": Box(title="a")}, [], "t", "gif")


def test_without_matplotlib_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ConfigError, match="pip install"):
        draw({"a": Box(title="a")}, [], "t")


def test_pipelines_are_a_graph_with_their_state_in_words() -> None:
    def pipeline(name: str, *reads: str, stopped: bool = False) -> Pipeline:
        return Pipeline(
            name=name, description="", version=1, stopped=stopped, reads=reads, last=None
        )

    done = Job(pipeline="images", id="1", state="success", created=AT, total=9, skipped=4)
    done = Job(**{f: getattr(done, f) for f in done.__struct_fields__} | {"processed": 5})
    boxes, drawn = graph(
        [
            pipeline("images", "raw@master", "nih@master"),
            pipeline("dataset", "images@curated"),
            pipeline("models-a", "dataset@training-a", stopped=True),
        ],
        {"images": done},
    )
    assert list(boxes) == ["raw", "nih", "images", "dataset", "models-a"]
    assert boxes["images"].lines == (
        "pipeline, last job: success",
        "5 done, 4 skipped of 9 datums",
    )
    assert boxes["models-a"].lines == ("pipeline, stopped",)
    waits = {(a.source, a.target): (a.label, a.dashed) for a in drawn}
    assert waits["raw", "images"] == ("", False)
    assert waits["images", "dataset"] == ("@curated", True)
