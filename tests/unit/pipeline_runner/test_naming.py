"""Which input a datum's files are of."""

from __future__ import annotations

import pytest
from pachyderm_sdk.api import pps

from chexnet.adapters.pachyderm.datum_ids import identity, key
from services.pipeline_runner.datums import listable
from services.pipeline_runner.naming import Found, namer


def reads(name: str, repo: str = "in", branch: str = "master") -> pps.Input:
    return pps.Input(pfs=pps.PfsInput(repo=repo, name=name, branch=branch))


def file(path: str, repo: str = "in") -> Found:
    return Found(repo, path)


ONE, TWO = reads("one"), reads("two")
CURATED = reads("two", branch="curated")


@pytest.mark.parametrize(
    ("given", "files", "names"),
    [
        (pps.Input(group=[ONE]), [file("/a"), file("/b"), file("/c")], "one one one"),
        (pps.Input(group=[ONE, TWO]), [file("/a"), file("/b"), file("/a")], "one two two"),
        (pps.Input(union=[ONE, TWO]), [file("/a")], "two"),
        (pps.Input(union=[ONE, CURATED]), [file("/a")], "two"),
        (pps.Input(cross=[ONE, TWO]), [file("/a"), file("/a")], "one two"),
        (pps.Input(join=[ONE, TWO]), [file("/a")], "two"),
        (pps.Input(join=[ONE, TWO]), [file("/a"), file("/a")], "one two"),
        (
            pps.Input(cross=[reads("table", "labels"), pps.Input(union=[ONE, TWO])]),
            [file("/", "labels"), file("/a")],
            "table two",
        ),
    ],
)
def test_files_of_one_repo_are_named_as_the_id_was_made(
    given: pps.Input, files: list[Found], names: str
) -> None:
    branches = {"two": "curated" if CURATED in given.union else "master"}
    keys = [
        key(name, at.repo, branches.get(name, "master"), at.path)
        for name, at in zip(names.split(), files, strict=True)
    ]
    way = namer(given)(identity(keys), files)
    assert " ".join(leaf.name for leaf in way) == names


def test_an_id_of_another_make_leaves_the_first_way() -> None:
    way = namer(pps.Input(union=[ONE, CURATED]))("?", [file("/a")])
    assert [leaf.name for leaf in way] == ["one"]


def test_a_cron_s_tick_is_named() -> None:
    cron = pps.Input(cron=pps.CronInput(name="tick", repo="out_tick"))
    given = listable(pps.Input(cross=[ONE, cron]))
    way = namer(given)("?", [file("/a"), file("/now", "out_tick")])
    assert [leaf.name for leaf in way] == ["one", "tick"]
