"""Whatever the server does, an archive comes as published or is named with why."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from chexnet.data.nih.archives import ARCHIVES, Archive
from chexnet.data.nih.download import TRIES, Done, download, fault
from tests.unit.data.nih.server import DROP, Site, site

DATA = np.random.default_rng(0).bytes(3 * DROP + 17)


@pytest.fixture
def served() -> Iterator[Site]:
    with site(DATA) as made:
        yield made


def archive(url: str, **changes: object) -> Archive:
    given = {"name": "a.tar.gz", "bytes": len(DATA), "md5": hashlib.md5(DATA).hexdigest()}
    return Archive(**{**given, "url": url, **changes})  # type: ignore[arg-type]


def bring(served: Site, folder: Path, **changes: object) -> tuple[Done, int]:
    came: list[int] = []
    (done,) = download([archive(served.url, **changes)], folder, came.append, first=0.001)
    return done, sum(came)


def test_an_archive_comes_whole(served: Site, tmp_path: Path) -> None:
    done, came = bring(served, tmp_path / "new")
    assert (done.reason, came) == ("", len(DATA))
    assert (tmp_path / "new/a.tar.gz").read_bytes() == DATA


def test_after_drops_it_goes_on_where_it_was(served: Site, tmp_path: Path) -> None:
    served.plan = ["drop", "error", "drop"]
    done, came = bring(served, tmp_path)
    assert (done.reason, came) == ("", len(DATA))
    first, second = f"bytes={DROP}-", f"bytes={2 * DROP}-"
    assert served.asked == [None, first, first, second]


def test_an_interrupted_download_goes_on_in_the_next_call(served: Site, tmp_path: Path) -> None:
    (tmp_path / "a.tar.gz.part").write_bytes(DATA[:500])
    done, came = bring(served, tmp_path)
    assert (done.reason, came, served.asked) == ("", len(DATA), ["bytes=500-"])


@pytest.mark.parametrize("plan", [["corrupt"], ["drop", "corrupt"], ["drop", "no ranges"]])
def test_wrong_bytes_are_thrown_away(served: Site, tmp_path: Path, plan: list[str]) -> None:
    served.plan = plan
    done, came = bring(served, tmp_path)
    assert (done.reason, came) == ("", len(DATA))
    assert (tmp_path / "a.tar.gz").read_bytes() == DATA


def test_a_part_that_is_too_long_is_thrown_away(served: Site, tmp_path: Path) -> None:
    (tmp_path / "a.tar.gz.part").write_bytes(bytes(len(DATA) + 1))
    done, _ = bring(served, tmp_path)
    assert done.reason == ""


def test_what_never_comes_is_named_and_its_part_is_kept(served: Site, tmp_path: Path) -> None:
    served.plan = ["drop", *["error"] * 100]
    done, _ = bring(served, tmp_path)
    assert "a.tar.gz must come whole from" in done.reason
    assert "503" in done.reason
    assert len(served.asked) == 1 + TRIES
    assert (tmp_path / "a.tar.gz.part").stat().st_size == DROP


def test_a_page_in_its_place_is_not_taken_for_a_part_of_it(served: Site, tmp_path: Path) -> None:
    served.plan = ["page", "drop", "page"]
    done, came = bring(served, tmp_path)
    assert (done.reason, came) == ("", len(DATA))
    assert served.asked == [None, None, f"bytes={DROP}-", f"bytes={DROP}-"]


def test_pages_for_ever_are_named_and_what_came_before_is_kept(
    served: Site, tmp_path: Path
) -> None:
    served.plan = ["drop", *["page"] * 100]
    done, _ = bring(served, tmp_path)
    assert "49 bytes of text/html, and not 3,017" in done.reason
    assert (tmp_path / "a.tar.gz.part").read_bytes() == DATA[:DROP]


def test_what_the_site_no_longer_has_is_asked_for_once(served: Site, tmp_path: Path) -> None:
    served.plan = ["gone"] * 100
    done, _ = bring(served, tmp_path)
    assert "Received: 404. Look on https://" in done.reason
    assert len(served.asked) == 1


def test_what_is_there_is_not_asked_for_again(served: Site, tmp_path: Path) -> None:
    (tmp_path / "a.tar.gz").write_bytes(DATA)
    done, came = bring(served, tmp_path)
    assert (done.reason, came, served.asked) == ("", len(DATA), [])


def test_an_archive_that_was_never_published_so_is_never_taken(
    served: Site, tmp_path: Path
) -> None:
    done, _ = bring(served, tmp_path, md5="0" * 32)
    assert "MD5" in done.reason
    assert list(tmp_path.iterdir()) == []


def test_what_is_wrong_with_a_file_is_said(tmp_path: Path) -> None:
    wanted, file = archive(""), tmp_path / "a.tar.gz"
    assert fault(wanted, file) == "a.tar.gz is not there."
    file.write_bytes(DATA[1:])
    assert "must have 3,017 bytes. Received: 3,016." in fault(wanted, file)


def test_the_table_has_all_that_nih_publishes() -> None:
    assert sum(a.bytes for a in ARCHIVES) == 45_079_862_784  # As the site says.
    assert len({a.md5 for a in ARCHIVES}) == len({a.url for a in ARCHIVES}) == 12
