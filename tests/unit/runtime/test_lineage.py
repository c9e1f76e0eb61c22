"""Lineage over a store in memory that holds what archivers, training and release write."""

from __future__ import annotations

import io
import json
import re
from datetime import UTC, datetime

import pytest
from msgspec import structs
from rich.console import Console

from chexnet.adapters.memory import MemoryStore
from chexnet.cli.lineage import tree
from chexnet.errors import NotFound
from chexnet.messages import Prediction, Release
from chexnet.models import card as cards
from chexnet.runtime import archived
from chexnet.runtime.lineage import trace
from chexnet.runtime.lineage_graph import plain, short
from tests.unit.test_release import CARD

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def prediction(upload: str, image: str, version: int, kind: str = "answer") -> Prediction:
    return Prediction(
        upload_id=upload,
        image_id=image,
        unit="u",
        kind=kind,
        arm="champion" if kind == "answer" else "b",
        version=version,
        revision=1,
        experiment=None,
        model="xray",
        tensor_sha256="0",
        probabilities={"Mass": 0.5},
        seconds=0.1,
        uploaded_at=AT,
        predicted_at=AT,
    )


@pytest.fixture
def store() -> MemoryStore:
    made = MemoryStore()
    for repo in ("raw", "predictions", "releases", "models-a", "dataset"):
        made.ensure(repo)
    dataset = made.write("dataset", {"/index.json": b'{"images": {"train": 70}}'})
    commit = made.write("models-a", {"/run.json": b'{"seed": 7}', "/release/x": b""})
    release = Release(
        model="xray",
        version=1,
        line="a",
        network="small_cnn",
        repo="models-a",
        commit=commit,
        dataset=f"dataset@{dataset}",
        sha256="abc",
        labels=("Mass",),
        metrics={},
        code="c0de",
        released_at=AT,
        released_by="ada",
    )
    made.write("releases", {"/xray/1.json": release.encode()})
    made.write("models-a", {"/run.json": b'{"seed": 8}'})  # A later run of the line.
    made.write("dataset", {"/index.json": b'{"images": {"train": 999}}'})
    made.write("raw", {f"/data/20260102/u/{n}.im1.png": b"" for n in ("up1", "up2")})
    archived = [
        prediction("up1", "im1", 1),
        prediction("up1", "im1", 9, kind="shadow"),
        prediction("up2", "im1", 1),
        prediction("up3", "im2", 1),
    ]
    made.write(
        "predictions", {f"/data/20260102/u/{p.prediction_id}.json": p.encode() for p in archived}
    )
    return made


def test_a_prediction_leads_back_to_the_dataset_it_was_trained_on(store) -> None:
    node = trace(store, "xray", "up1.champion.answer")
    (version,) = node.links
    (training,) = version.links
    (dataset,) = training.links
    assert [n.kind for n in (node, version, training, dataset)] == [
        "prediction",
        "version",
        "training",
        "dataset",
    ]
    assert training.facts["run"] == {"seed": 7}  # Of that commit, not of the line's newest.
    assert dataset.facts == {"images": {"train": 70}}


def test_an_upload_leads_to_its_answer_and_its_shadow(store) -> None:
    node = trace(store, "xray", "up1")
    assert node.facts["archived"].endswith(":/data/20260102/u/up1.im1.png")
    assert sorted(made.name for made in node.leads) == ["up1.b.shadow", "up1.champion.answer"]


def test_an_image_leads_forward_to_every_prediction_on_it(store) -> None:
    node = trace(store, "xray", "im1")
    assert [upload.name for upload in node.leads] == ["up1", "up2"]
    assert sorted(p.name for upload in node.leads for p in upload.leads) == [
        "up1.b.shadow",
        "up1.champion.answer",
        "up2.champion.answer",
    ]


IMAGE = "ab" * 32


@pytest.fixture
def imported(store: MemoryStore) -> MemoryStore:
    """An image that was imported and never predicted, and four datasets cut around it."""
    for repo in ("nih", "images", "labels"):
        store.ensure(repo)
    file = f"/data/bulk/p7/{IMAGE}"
    store.write("nih", {f"{file}.png": b""})
    without = store.write("images", {"/data/bulk/p1/other.npy": b""})
    with_it = store.write("images", {f"{file}.npy": b""})
    unknown = store.write("labels", {"/bulk.csv": b"image_id,patient,Mass\nother,p1,1\n"})
    known = store.write(
        "labels", {"/bulk.csv": f"image_id,patient,Mass\nother,p1,1\n{IMAGE},p7,1\n".encode()}
    )
    for images, labels in (
        (without, known),
        (with_it, unknown),
        (with_it, known),
        (with_it, known),
    ):
        cut = store.write("dataset", {"/index.json": b"{}"})
        store.derive(("dataset", cut), ("images", images), ("labels", labels))
    return store


def test_an_imported_image_leads_to_the_datasets_that_hold_it(imported: MemoryStore) -> None:
    second, first, *_ = imported.commits("dataset")
    node = trace(imported, "xray", IMAGE)
    assert [(made.kind, made.name) for made in node.leads] == [
        ("dataset", f"dataset@{second}"),
        ("dataset", f"dataset@{first}"),
    ]
    # SHA-256 of "split", a zero byte and "p7" begins with 0x4e: a share of 0.30, below 70 %.
    assert node.leads[0].facts == {"split": "train"}
    assert node.facts["unit"] == "p7"
    (where,) = node.facts["archived"]
    assert where.endswith(f":/data/bulk/p7/{IMAGE}.png")


def test_an_image_leads_over_its_datasets_to_the_versions_that_learnt_from_it(
    imported: MemoryStore,
) -> None:
    second, first, _, unlabelled = (c for c in list(imported.commits("dataset"))[:4])
    for number, (dataset, units) in enumerate(
        ((first, ("p7",)), (first, ("p1",)), (unlabelled, ("p1",)), ("f" * 32, (IMAGE,))), start=2
    ):
        card = structs.replace(CARD, training_units=units)
        commit = imported.write("models-a", {f"/release/{cards.CARD}": card.encode()})
        record = structs.replace(
            next(archived.releases(imported)),
            version=number,
            commit=commit,
            dataset=f"dataset@{dataset}",
        )
        imported.write("releases", {f"/xray/{number}.json": record.encode()})
    leads = {made.name: made for made in trace(imported, "xray", IMAGE).leads}
    learnt = {
        name: [(v.name, v.facts["learnt from it"]) for v in made.leads]
        for name, made in leads.items()
    }
    assert learnt == {
        f"dataset@{second}": [],
        f"dataset@{first}": [("xray 2", "yes"), ("xray 3", "no")],
        f"dataset@{'f' * 32}": [("xray 5", "yes")],  # Its commit is gone, its card is not.
    }


def test_a_version_leads_forward_to_its_answers(store) -> None:
    (as_champion,) = trace(store, "xray", "1").leads
    assert (as_champion.name, as_champion.facts) == ("as champion", {"count": 3})


def test_a_commit_leads_back_to_its_inputs_and_forward_to_versions(store: MemoryStore) -> None:
    dataset = trace(store, "xray", "1").links[0].links[0].name.partition("@")[2]
    model = trace(store, "xray", "1").links[0].name.partition("@")[2]
    (images,) = (store.write("images", {"/a": b""}) for _ in [store.ensure("images")])
    store.derive(("dataset", dataset), ("images", images))
    store.derive(("models-a", model), ("dataset", dataset))
    node = trace(store, "xray", f"dataset@{dataset}")
    assert [link.name for link in node.links] == [f"images@{images}"]
    (training,) = node.leads
    assert training.name == f"models-a@{model}"
    assert [version.name for version in training.leads] == ["xray 1"]
    back = trace(store, "xray", "up1.champion.answer").links[0].links[0].links[0]
    assert [link.name for link in back.links] == [f"images@{images}"]


def test_of_many_commits_the_newest_are_shown_and_the_others_counted(store: MemoryStore) -> None:
    store.ensure("nih")
    store.ensure("images")
    above = store.write("nih", {"/a": b""})
    below = [store.write("images", {"/a": bytes(n)}) for n in range(5)]
    for commit in below:
        store.derive(("images", commit), ("nih", above))
    names = [node.name for node in trace(store, "xray", f"nih@{above}").leads]
    assert names == ["2 older ones of images", *(f"images@{c}" for c in below[-3:])]


def test_a_version_leads_back_to_its_training(store) -> None:
    assert trace(store, "xray", "1").links[0].facts["line"] == "a"


def test_a_chain_that_ends_says_where(store) -> None:
    (version,) = trace(store, "xray", "up1.b.shadow").links
    assert "Received: 9" in version.facts["missing"]


@pytest.mark.parametrize("thing", ["up9", "up", "2", "*", "u*", "/data"])
def test_what_the_archive_does_not_know_is_not_found(store, thing: str) -> None:
    with pytest.raises(NotFound, match=f"Received: .?{re.escape(thing)}"):
        trace(store, "xray", thing)


@pytest.mark.parametrize(
    ("thing", "todo"),
    [
        ("banana", "chexnet upload or predict has printed"),
        ("01936d2e-8f5a-7c21-9b57-0f6f0a3c1d42", "may not have written it yet"),
        ("01936d2e-8f5a-7c21-9b57-0f6f0a3c1d42.champion.answer", "may not have written it yet"),
        ("0123456789abcdef" * 4, "may not have written it yet"),
    ],
)
def test_what_can_be_no_id_is_not_waited_for(store, thing: str, todo: str) -> None:
    with pytest.raises(NotFound, match=todo):
        trace(store, "xray", thing)


def test_the_tree_names_every_step_and_json_has_all_facts(store) -> None:
    node = trace(store, "xray", "up1.champion.answer")
    console = Console(record=True, width=200, file=io.StringIO())
    console.print(tree(node))
    shown = console.export_text()
    assert all(word in shown for word in ("prediction", "version xray 1", "training", "dataset"))
    assert json.loads(json.dumps(plain(node)))["links"][0]["links"][0]["facts"]["run"]["seed"] == 7


@pytest.mark.parametrize(
    ("fact", "told"),
    [
        ({"train": 2120, "test": 3}, "train 2120, test 3"),
        ({"value": 0.6833574430075987, "low": None}, "value 0.6834, low None"),
        ([{"path": "/shards/00000.npz", "images": 334}, {"path": "/b"}], "2 of them"),
        (["a", "b"], "a, b"),
        (7, "7"),
    ],
)
def test_a_fact_is_told_in_words_and_not_as_the_code_has_it(fact: object, told: str) -> None:
    assert short(fact) == told
