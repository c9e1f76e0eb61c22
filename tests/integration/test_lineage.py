"""Lineage over what the pipelines themselves have recorded, whatever the input."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from chexnet.runtime import drawing
from chexnet.runtime.lineage import Node, trace
from chexnet.runtime.lineage_graph import graph
from tests import sites
from tests.sites import PROJECT, Site
from tests.waveform import signals

pytestmark = pytest.mark.slow


@pytest.fixture
def waveform(tmp_path: Path) -> Iterator[Site]:
    with sites.site(tmp_path, "waveform") as made:
        signals.write(tmp_path / "traces", 20)
        made.import_(tmp_path / "traces", "traces")
        yield made


def chain(node: Node) -> dict[str, set[str]]:
    """Return repo → the repos that its commits came from, in all of a lineage that goes back."""
    repo = node.name.partition("@")[0]
    found = {repo: {link.name.partition("@")[0] for link in node.links}}
    for link in node.links:
        found |= chain(link)
    return found


def test_a_dataset_leads_back_to_all_that_it_was_made_of(waveform: Site) -> None:
    made = waveform.cut()
    node = trace(waveform.store, PROJECT, made.name)
    assert chain(node) == {
        "dataset": {"images", "labels"},
        "images": {"raw", "nih"},
        "labels": set(),
        "raw": set(),
        "nih": set(),
    }
    assert node.facts["images"] == made.index.images
    commits = {link.name for link in node.links}
    assert f"images@{waveform.pipelines.branch('images', 'curated')}" in commits


def test_an_import_leads_forward_to_the_dataset_that_was_cut_from_it(waveform: Site) -> None:
    made = waveform.cut()
    node = trace(waveform.store, PROJECT, f"nih@{waveform.store.head('nih')}")
    below = {below.name for images in node.leads for below in images.leads}
    assert made.name in below


def test_an_image_leads_to_each_dataset_that_holds_it_and_to_no_other(waveform: Site) -> None:
    first = waveform.cut()
    (late,) = waveform.upload([next(iter(signals.draw(1, seed=9))).data], unit="p-late")
    waveform.settled()
    waveform.read([late], "Fast")
    second = waveform.cut()
    old = waveform.store.list("nih", "/data")[0].rsplit("/", 1)[1].split(".")[0]
    held = {
        image: {made.name for made in trace(waveform.store, PROJECT, image).leads}
        for image in (old, late.headers.image_id)
    }
    assert held == {old: {first.name, second.name}, late.headers.image_id: {second.name}}


def test_a_lineage_is_drawn_with_each_commit_once(waveform: Site) -> None:
    made = waveform.cut()
    boxes, arrows = graph(trace(waveform.store, PROJECT, made.name))
    assert len(boxes) == 5
    assert {(a.source.partition("@")[0], a.target.partition("@")[0]) for a in arrows} == {
        ("raw", "images"),
        ("nih", "images"),
        ("images", "dataset"),
        ("labels", "dataset"),
    }
    columns = drawing.layers(list(boxes), arrows)
    assert [{name.partition("@")[0] for name in column} for column in columns] == [
        {"raw", "nih"},
        {"images", "labels"},
        {"dataset"},
    ]
