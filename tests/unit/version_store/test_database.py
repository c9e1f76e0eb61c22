"""The database's format, over its versions."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from chexnet.errors import ConfigError
from services.version_store import schema
from services.version_store.database import Database


def test_a_folder_of_an_older_format_keeps_its_data_and_gets_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    old = sqlite3.connect(path)
    old.executescript(schema.FILES)
    old.execute("INSERT INTO projects VALUES ('xray', 'films', 1)")
    old.execute("PRAGMA user_version = 1")
    old.commit()
    old.close()
    database = Database(path)
    with database.read() as sql:
        assert [tuple(row) for row in sql.execute("SELECT * FROM projects")] == [
            ("xray", "films", 1)
        ]
        assert sql.execute("SELECT COUNT(*) FROM jobs").fetchone()[0] == 0
    database.close()


def test_a_folder_of_a_newer_format_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    newer = sqlite3.connect(path)
    newer.execute("PRAGMA user_version = 99")
    newer.close()
    with pytest.raises(ConfigError, match="Received: 99"):
        Database(path)
