"""What comes out of a file is what went in, whichever of PyTorch's layouts it has."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from safetensors.numpy import save_file

from chexnet.errors import BadInput
from chexnet.models.checkpoints import files
from chexnet.models.checkpoints.files import opened
from tests.unit.models.checkpoints import writer

WRITERS = [writer.zipped, writer.in_a_row]
ANY = arrays.arrays(
    st.sampled_from(["<f4", "<f8", "<f2", "<i8"]),
    arrays.array_shapes(min_dims=0, max_dims=4, max_side=4),
    elements=st.integers(-9, 9),
)


@pytest.mark.parametrize("write", WRITERS)
@given(st.dictionaries(st.text(), ANY | ANY.map(np.transpose), max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_tensors_come_out_as_they_went_in(
    write: Callable[..., Path], tmp_path: Path, state: dict[str, np.ndarray]
) -> None:
    with opened(write(tmp_path / "a.pth", {"state_dict": state, "epoch": 3})) as tree:
        assert tree["epoch"] == 3
        for name, array in state.items():
            np.testing.assert_array_equal(tree["state_dict"][name].array(), array)
        assert len(tree["state_dict"]) == len(state)


def test_safetensors_come_out_too(tmp_path: Path) -> None:
    array = np.arange(6, dtype=np.float16).reshape(2, 3)
    save_file({"a": array}, tmp_path / "a.safetensors")
    with opened(tmp_path / "a.safetensors") as tree:
        np.testing.assert_array_equal(tree["a"].array(), array)


@pytest.mark.parametrize("write", WRITERS)
def test_bfloat16_is_the_upper_half_of_a_float(write: Callable[..., Path], tmp_path: Path) -> None:
    halves = np.array([0x3F80, 0xC000, 0x4049], dtype=np.uint16)  # 1, -2, 3.140625
    with opened(write(tmp_path / "a.pth", {"a": halves})) as tree:
        assert tree["a"].array().tolist() == [1, -2, 3.140625]


@pytest.mark.parametrize("write", WRITERS)
def test_a_file_that_breaks_off_is_refused_wherever_it_does(
    write: Callable[..., Path], tmp_path: Path
) -> None:
    whole = write(tmp_path / "a.pth", {"a": np.arange(20, dtype=np.float32)}).read_bytes()
    for length in range(len(whole)):
        (tmp_path / "a.pth").write_bytes(whole[:length])
        with pytest.raises(BadInput), opened(tmp_path / "a.pth") as tree:
            tree["a"].array()


def tar(path: Path) -> None:
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo("pickle"), io.BytesIO())


def script(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("net/data.pkl", "net/constants.pkl"):
            archive.writestr(name, b"\x80\x02N.")


def bomb(path: Path) -> None:
    writer.zipped(path, {"a": np.zeros(2**20, np.float32)}, compress=zipfile.ZIP_DEFLATED)


def other_machine(path: Path) -> None:
    writer.raw(path, writer.pickled({}), {})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("archive/byteorder", "big")


def other_storage(path: Path) -> None:
    storages: dict[str, np.ndarray] = {}
    data = writer.pickled({"a": np.zeros(4, np.float32)}, storages)
    writer.raw(path, data, {"0": bytes(15)})


@pytest.mark.parametrize(
    ("write", "told"),
    [
        (lambda path: path.write_bytes(b"<html>" * 9), "Received: something else"),
        (lambda path: path.write_bytes(b""), "16 to 1,073,741,824 bytes. Received: 0"),
        (lambda path: path.write_bytes(writer.pickled({"a": "no magic number"})), "torch.save"),
        (lambda path: path.write_bytes(b"\x0c" + bytes(7) + b'{"a": 1}' * 9), "must be whole"),
        (tar, "a tar archive"),
        (script, "TorchScript"),
        (bomb, "is compressed"),
        (other_machine, "big endian"),
        (other_storage, "15 of 16 bytes of part 0"),
    ],
)
def test_another_file_is_refused_for_what_it_is(
    write: Callable[[Path], object], told: str, tmp_path: Path
) -> None:
    write(tmp_path / "a.pth")
    with pytest.raises(BadInput, match=told), opened(tmp_path / "a.pth") as tree:
        tree["a"].array()


def test_a_file_that_is_too_large_is_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "LARGEST", 100)
    writer.zipped(tmp_path / "a.pth", {"a": np.zeros(99, np.float32)})
    with pytest.raises(BadInput, match="16 to 100 bytes"), opened(tmp_path / "a.pth"):
        pass
