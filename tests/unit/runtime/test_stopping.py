"""How a service ends: with its code, and with a sentence where a person must mend something."""

from __future__ import annotations

import pytest

from chexnet.errors import ConfigError, Refused
from chexnet.runtime.stopping import run


def _raises(error: Exception) -> int:
    raise error


def test_a_service_ends_with_its_own_code() -> None:
    with pytest.raises(SystemExit) as ended:
        run(lambda: 0)
    assert ended.value.code == 0


@pytest.mark.parametrize(("error", "code"), [(ConfigError("Set it."), 1), (Refused("No."), 3)])
def test_what_a_person_must_mend_is_one_sentence(
    error: Exception, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        run(lambda: _raises(error))
    assert ended.value.code == code
    assert capsys.readouterr().err == f"{error}\n"


def test_a_bug_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        run(lambda: _raises(ZeroDivisionError()))
