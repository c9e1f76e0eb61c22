"""What the list sends to its page: the rows that changed, in their order."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from chexnet.ui import Workspace
from tests.unit.ui.stack import Pipeline, until
from tests.unit.ui.test_workspace import send, state
from tests.waveform import signals


class Page:
    """A workspace and what its list told the browser."""

    def __init__(self) -> None:
        self.pipeline = Pipeline()
        self.workspace = Workspace(wiring=self.pipeline.wiring(), reader="ada")
        self.told: list[dict[str, Any]] = []
        self.workspace.uploads.send = lambda content, **_: self.told.append(content)

    def put(self, *names: str) -> None:
        for name, signal in zip(names, signals.draw(len(names)), strict=True):
            send(self.workspace, signal.data, name)
        for name in names:
            until(lambda name=name: state(self.workspace, name) == "sent")

    def rows(self) -> list[dict[str, Any]]:
        return [told for told in self.told if told["type"] == "rows"]


@pytest.fixture
def page() -> Iterator[Page]:
    made = Page()
    yield made
    made.workspace.close()


def test_only_rows_that_changed_are_sent(page: Page) -> None:
    page.put("a", "b", "c")
    page.told.clear()
    second = page.pipeline.uploads()[1]
    page.pipeline.check(second)
    until(page.rows)
    ((changed,), gone) = page.rows()[0]["changed"], page.rows()[0]["gone"]
    assert (changed["state"], gone) == ("checked", [])


def test_a_page_that_comes_again_gets_all_rows_the_newest_first(page: Page) -> None:
    page.put("a", "b", "c")
    page.told.clear()
    page.workspace.uploads._handle_custom_msg({"type": "all"}, [])
    (told,) = page.rows()
    assert [shown["id"] for shown in told["changed"]] == ["c", "b", "a"]


def test_nothing_that_a_file_was_called_is_known_to_the_kernel(page: Page) -> None:
    page.put("a")
    (shown,) = page.workspace.uploads.rows
    assert "name" not in shown
    assert shown["title"] == page.workspace.case.view["name"]


def test_an_older_list_does_not_overtake_a_newer_one(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    page.put("a")
    uploads, cases = page.workspace.uploads, page.workspace.cases
    reached, go, listed = threading.Event(), threading.Event(), cases.all

    def slow() -> Any:
        found = listed()
        if threading.current_thread().name == "late":
            reached.set()
            assert go.wait(20)
        return found

    monkeypatch.setattr(cases, "all", slow)
    late = threading.Thread(target=uploads.redraw, name="late")
    late.start()
    assert reached.wait(20)
    cases.begin("b", 1)
    newer = threading.Thread(target=uploads.redraw)
    newer.start()
    newer.join(0.05)  # Unlocked, it would be done by now.
    go.set()
    late.join(20)
    newer.join(20)
    assert {shown["id"] for shown in uploads.rows} == {"a", "b"}


def test_a_film_that_was_uploaded_before_is_marked(page: Page) -> None:
    data = next(signals.draw(1)).data
    for name in ("a", "again"):
        send(page.workspace, data, name)
        until(lambda name=name: state(page.workspace, name) == "sent")
    shown = {row["id"]: row["duplicate"] for row in page.workspace.uploads.rows}
    assert shown == {"a": False, "again": True}
