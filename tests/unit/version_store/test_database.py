"""The database's format, over its versions."""

from __future__ import annotations

import sqlite3
from contextlib import ExitStack
from pathlib import Path
from random import Random

import pytest

from chexnet.errors import ConfigError
from services.version_store import database, schema
from services.version_store.database import Database
from services.version_store.errors import StoreError


def test_a_folder_of_an_older_format_keeps_its_data_and_gets_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    old = sqlite3.connect(path)
    old.executescript(schema.FILES)
    old.execute("INSERT INTO projects VALUES ('xray', 'films', 1)")
    old.execute("PRAGMA user_version = 1")
    old.commit()
    old.close()
    made = Database(path)
    with made.read() as sql:
        assert [tuple(row) for row in sql.execute("SELECT * FROM projects")] == [
            ("xray", "films", 1)
        ]
        assert sql.execute("SELECT COUNT(*) FROM jobs").fetchone()[0] == 0
    made.close()


def test_a_folder_of_a_newer_format_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    newer = sqlite3.connect(path)
    newer.execute("PRAGMA user_version = 99")
    newer.close()
    with pytest.raises(ConfigError, match="Received: 99"):
        Database(path)


@pytest.mark.parametrize("ends", [True, False])
def test_what_is_erased_leaves_the_log_however_long_somebody_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: bool
) -> None:
    """The log was left as it was when a reader held it for five seconds, and nobody was told."""
    monkeypatch.setattr(database, "WAIT", 0.02)
    made = Database(tmp_path / "db")
    with made.write() as sql:
        sql.execute("INSERT INTO facts VALUES ('secret', 'patient-7')")
    with ExitStack() as reading:
        reading.enter_context(made.read()).execute("SELECT * FROM facts").fetchall()
        with made.write() as sql:
            sql.execute("DELETE FROM facts WHERE name = 'secret'")
        if ends:
            turns = iter([0, 1, 2])

            def hold(statement: str) -> None:
                if "checkpoint" in statement and next(turns, None) is None:
                    reading.close()

            made._writer.set_trace_callback(hold)
            made.purge()
        else:
            with pytest.raises(StoreError, match="Erase again"):
                made.purge()
    left = any(b"patient-7" in file.read_bytes() for file in tmp_path.iterdir())
    assert left != ends
    made.close()


def test_rows_that_moved_between_pages_leave_no_copy(tmp_path: Path) -> None:
    """SQLite left a pseudonym in a page's free space, though secure_delete was on."""
    made, random = Database(tmp_path / "db"), Random(1)
    names = [f"{random.random():.12f}" for _ in range(3000)]
    for at in range(0, len(names), 10):
        with made.write() as sql:
            rows = [
                (name, f"{'patient-7' if n % 7 == 0 else 'another'} {'x' * 60}")
                for n, name in enumerate(names[at : at + 10])
            ]
            sql.executemany("INSERT INTO facts VALUES (?, ?)", rows)
    with made.write() as sql:
        sql.execute("DELETE FROM facts WHERE value LIKE 'patient-7%'")
    made.purge()
    assert not any(b"patient-7" in file.read_bytes() for file in tmp_path.iterdir())
    made.close()
