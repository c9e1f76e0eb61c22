"""A platform of these tests' own, since they stop and break it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.playbooks import Site, temporary_site


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """One pipeline, up."""
    with temporary_site("xray") as made:
        made.up()
        yield made
