from __future__ import annotations

import json
from pathlib import Path

import pytest

from chexnet.errors import ConfigError
from services.app.pages import linked, pages
from tests.playbooks import ROOT


def put(folder: Path, name: str, **metadata: object) -> None:
    (folder / f"{name}.ipynb").write_text(json.dumps({"metadata": metadata, "cells": []}))


def test_pages_stand_in_the_order_and_under_the_titles_of_their_metadata(tmp_path: Path) -> None:
    put(tmp_path, "b", title="Second", order=2)
    put(tmp_path, "c", title="First", order=1)
    put(tmp_path, "my_own")
    (tmp_path / "notes.txt").write_text("no page")
    assert [page.title for page in pages(tmp_path)] == ["First", "Second", "My own"]


def test_each_page_links_to_all_and_knows_itself(tmp_path: Path) -> None:
    put(tmp_path, "a b", title="One", order=1)
    put(tmp_path, "c", title="Two", order=2)
    config = linked(tmp_path, "xray")({"kept": 1}, notebook_path="c.ipynb", base_url="/")
    assert config == {
        "kept": 1,
        "model": "xray",
        "pages": [
            {"title": "One", "path": "voila/render/a%20b.ipynb", "current": False},
            {"title": "Two", "path": "voila/render/c.ipynb", "current": True},
        ],
    }


def test_a_folder_without_a_page_stops_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="must be a folder of notebooks"):
        pages(tmp_path)


def test_the_projects_own_begin_with_the_workspace() -> None:
    assert pages(ROOT / "notebooks/app")[0].name == "workspace.ipynb"
