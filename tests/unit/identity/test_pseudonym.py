"""Pseudonyms: one patient has one, and nothing can be told from it without the key."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chexnet.errors import ConfigError
from chexnet.identity.pseudonym import Pseudonyms, normalise

KEY = bytes(range(32))


@pytest.mark.parametrize("same", ["ab 12", "AB12", " ab12 ", "\uff41\uff42\uff11\uff12"])
def test_what_systems_write_differently_is_one_patient(same: str) -> None:
    assert Pseudonyms(KEY).of(same) == Pseudonyms(KEY).of("ab12")


@given(st.text(), st.text())
def test_two_patients_have_two_pseudonyms(one: str, other: str) -> None:
    assume(normalise(one) != normalise(other))
    assert Pseudonyms(KEY).of(one) != Pseudonyms(KEY).of(other)


@given(st.text(), st.text(min_size=1), st.text())
def test_an_issuer_can_not_be_shifted_into_the_id(issuer: str, middle: str, rest: str) -> None:
    assume(normalise(middle))
    one = Pseudonyms(KEY).of(middle + rest, issuer)
    assert one != Pseudonyms(KEY).of(rest, issuer + middle)


def test_another_key_gives_another_pseudonym_and_says_so() -> None:
    other = Pseudonyms(bytes(32))
    assert other.key_id != Pseudonyms(KEY).key_id
    assert other.of("x") != Pseudonyms(KEY).of("x")
    assert other.of("x").startswith(other.key_id)


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "identity.key"
    file.write_bytes(KEY * 2)
    file.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        Pseudonyms.from_file(file)
    file.chmod(0o600)
    assert Pseudonyms.from_file(file).of("x")


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ConfigError, match="32 bytes"):
        Pseudonyms(b"secret")
