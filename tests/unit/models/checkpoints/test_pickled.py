"""A pickle is read and never run: whatever is in it, it ends in plain values or a refusal."""

from __future__ import annotations

import pickle
import pickletools
import subprocess
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chexnet.errors import BadInput
from chexnet.models.checkpoints import pickled
from chexnet.models.checkpoints.pickled import Loaded
from chexnet.models.checkpoints.tensors import Storage
from tests.unit.models.checkpoints import writer


def no_bytes(storage: Storage) -> bytes:
    raise AssertionError(f"nobody asked for {storage.key}")


def load(data: bytes) -> Loaded:
    return pickled.load(BytesIO(data), no_bytes)


class Calls:
    """Pickles as a call of `what`."""

    def __init__(self, what: object, *arguments: object) -> None:
        self.call = (what, arguments)

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.call


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize(
    ("what", "named"),
    [
        (eval, "eval"),
        (exec, "exec"),
        (getattr, "getattr"),
        (__import__, "__import__"),
        (subprocess.Popen, "Popen"),
        (Path, "Path"),
        (np.load, "load"),
    ],
)
def test_a_pickle_that_names_code_is_refused_by_that_name(
    what: object, named: str, protocol: int, tmp_path: Path
) -> None:
    proof = tmp_path / "run"
    evil = {"state_dict": Calls(what, f"open({str(proof)!r}, 'w')")}
    with pytest.raises(BadInput, match=f"nothing in it is run. Received: the name .*{named}"):
        load(pickle.dumps(evil, protocol))
    assert not proof.exists()


EVIL = {
    "an instruction of old that calls": b"(S'id'\nios\nsystem\n.",
    "an extension": b"\x80\x02\x82\x01.",
    "a name within an allowed one": b"\x80\x02ctorch._utils\n_rebuild_tensor_v2.__globals__\n.",
    "a name that is another module's": b"\x80\x02ctorch.serialization\nload\n.",
    "a name beside the layers": b"\x80\x02ctorch.nnevil\nLayer\n.",
    "a storage of another module": b"\x80\x02cos\nFloatStorage\n.",
    "a call of text": b"\x80\x02X\x01\x00\x00\x00a)R.",
    "a call of a storage's type": b"\x80\x02ctorch\nFloatStorage\n)R.",
    "attributes of a name": b"\x80\x02ccollections\nOrderedDict\n}b.",
    "attributes of a list": b"\x80\x02]}b.",
    "items of a name": b"\x80\x02ccollections\nOrderedDict\nNNs.",
    "an unhashable key": b"\x80\x02}]Ns.",
    "a key whose hash would overflow the stack": b"\x80\x02})" + b"\x85" * 300_000 + b"Ns.",
    "a name whose hash would": b"\x80\x04)" + b"\x85" * 300_000 + b"\x8c\x01a\x93.",
    "a name of many characters": b"\x80\x02ctorch.nn." + b"a" * 200 + b"\nLayer\n.",
    "a memory of a place that is none": b"\x80\x02j\xff\xff\xff\xff.",
    "a length beyond the file": b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x7f.",
    "a short end": b"\x80\x02}",
    "nothing": b"",
    "an empty stack": b"\x80\x02.",
    "a persistent id that is a number": b"\x80\x02K\x01Q.",
}


@pytest.mark.parametrize("data", EVIL.values(), ids=EVIL.keys())
def test_what_torch_never_writes_is_refused(data: bytes) -> None:
    with pytest.raises(BadInput, match=r"^A checkpoint m"):
        load(data)


def test_a_place_in_memory_costs_what_is_in_it_however_high_its_number() -> None:
    assert load(b"\x80\x02Nr\xff\xff\xff\xff.").value is None


def test_a_pickle_may_not_go_on_for_ever() -> None:
    with pytest.raises(BadInput, match="2,000,000 opcodes"):
        load(b"\x80\x02" + b"N" * 2_000_001 + b".")


def test_the_notes_of_a_state_dict_are_no_attributes_of_it() -> None:
    notes = b"}" + writer.text("items") + b"Ns"
    made = load(b"\x80\x02" + writer.name("collections", "OrderedDict") + b")R" + notes + b"b.")
    assert type(made.value) is dict
    assert list(made.value.items()) == []


def tensor(elements: int, offset: int, shape: list[int], strides: list[int]) -> bytes:
    where = writer.text("storage") + writer.name("torch", "FloatStorage")
    where = b"(" + where + writer.text("0") + writer.text("cpu") + writer.number(elements) + b"tQ"
    sizes = (b"(" + b"".join(map(writer.number, n)) + b"t" for n in (shape, strides))
    arguments = b"(" + where + writer.number(offset) + b"".join(sizes) + b"\x89Nt"
    return b"\x80\x02" + writer.name("torch._utils", "_rebuild_tensor_v2") + arguments + b"R."


@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [
        (4, [3], [1]),  # Past the end.
        (7, [], []),
        (0, [2, 3], [4, 1]),
        (0, [2**40], [0]),  # Much of little.
        (0, [4, 4], [0, 1]),
        (-1, [1], [1]),
        (2, [2], [-1]),
        (0, [2, 3], [1]),
        (0, [1] * 9, [1] * 9),
        (0, [2**62, 2**62, 0, 5], [1, 1, 1, 1]),  # None, but by way of far too many.
    ],
)
def test_a_tensor_must_lie_within_its_storage(
    offset: int, shape: list[int], strides: list[int]
) -> None:
    data = tensor(6, offset, shape, strides)
    if 0 in shape:
        assert load(data).value.shape == tuple(shape)
        return
    with pytest.raises(BadInput, match="within its storage"):
        load(data)


@given(
    st.recursive(
        st.text() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=20,
    ),
    st.sampled_from([2, 3, 4, 5]),
)
def test_plain_values_come_out_as_python_reads_them(value: object, protocol: int) -> None:
    assert load(pickle.dumps(value, protocol)).value == value


OPCODES = [opcode.code.encode("latin-1") for opcode in pickletools.opcodes]
GLOBALS = [b"ctorch\nFloatStorage\n", b"ccollections\nOrderedDict\n", b"ctorch.nn.x\nL\n"]
GLOBALS += [b"ctorch._utils\n_rebuild_parameter\n", b"cnumpy\ndtype\n", b"cos\nsystem\n"]
PIECES = st.sampled_from([*OPCODES, *GLOBALS, b"X\x01\x00\x00\x00a", b"K\x02"]) | st.binary(
    max_size=6
)


@given(st.lists(PIECES, max_size=40))
def test_any_bytes_end_in_a_value_or_a_refusal(pieces: list[bytes]) -> None:
    try:
        load(b"\x80\x02" + b"".join(pieces) + b".")
    except BadInput:
        return
