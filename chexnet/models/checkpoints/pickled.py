"""A reader of PyTorch's pickles that runs nothing: an opcode or a name it doesn't know is refused.

Python's own Unpickler imports and calls what a file names, and lets BUILD set attributes of what it
was given. Here a name becomes a value of ours or an error, and nothing is ever imported.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from mmap import mmap
from typing import IO, Any, NamedTuple, cast

from chexnet.errors import BadInput
from chexnet.models.checkpoints.tensors import Storage, Tensor

NAME = 200  # Characters of a name; torch's longest have 60.
OPCODES = 2_000_000  # A DenseNet-121 with its optimizer has 60,000.

STORAGES = {
    "DoubleStorage": "F64",
    "FloatStorage": "F32",
    "HalfStorage": "F16",
    "BFloat16Storage": "BF16",
    "LongStorage": "I64",
    "IntStorage": "I32",
    "ShortStorage": "I16",
    "CharStorage": "I8",
    "ByteStorage": "U8",
    "BoolStorage": "BOOL",
}
# What stands beside weights in a checkpoint, and is not needed: it is not made, only passed over.
PASSED_OVER = {
    ("__builtin__", "set"),
    ("builtins", "set"),
    ("_codecs", "encode"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy._core.multiarray", "scalar"),
    ("torch", "Size"),
    ("torch", "device"),
}
# Whose layers a model saved as a whole is made of. Only their tensors are read, never their code.
LAYERS = ("torch.nn.", "torchvision.models.densenet.", "torchxrayvision.models.")


@dataclass
class Layer:
    """A layer of a model that was saved as a whole: its class's name, and what it held."""

    name: str
    state: dict[Any, Any] = field(default_factory=dict)


class Ignored:
    """Something that is not needed."""


@dataclass(frozen=True)
class Name:
    """What a pickle names in place of `module.attribute`.

    Args:
        full: as it was named.
        call: what calling it means here; None if nothing.
        storage: the type of its numbers, if it names a storage.
    """

    full: str
    call: Callable[..., Any] | None = None
    storage: str = ""


class Loaded(NamedTuple):
    """What a pickle holds, and the storages that it refers to, by key.

    What it holds is made of None, bool, int, float, str, bytes, list, tuple, dict, Tensor, Layer,
    Ignored and Name.
    """

    value: Any
    storages: dict[str, Storage]


def load(file: BytesIO | mmap, read: Callable[[Storage], bytes]) -> Loaded:
    """Return what the next pickle of `file` holds, and leave the file at its end.

    Args:
        file: at the start of a pickle; in memory or mapped, so that a length that was made up
            costs nothing.
        read: returns the bytes of a storage; called when a tensor is wanted, and not before.

    Raises:
        BadInput: it is damaged, too long, or asks for what is not allowed; nothing has been run.
    """
    machine = _Machine(read)
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(cast(IO[bytes], file))):
            if count >= OPCODES:
                raise _refused(f"more than {OPCODES:,} opcodes")
            step = _STEPS.get(opcode.name)
            if step is None:
                raise _refused(f"the opcode {opcode.name}")
            step(machine, argument)
        return Loaded(machine.stack.pop(), machine.storages)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        rule = "A checkpoint must hold a whole pickle."
        received = f"Received: one that breaks off or contradicts itself: {error}."
        raise BadInput("checkpoint", f"{rule} {received} Get the file again.") from error


def _refused(received: str) -> BadInput:
    rule = "A checkpoint may hold tensors and plain values only; nothing in it is run."
    todo = "Save the model's state_dict() where it was made, or as safetensors."
    return BadInput("checkpoint", f"{rule} Received: {received}. {todo}")


class _Machine:
    """The pickle machine's stack and memory."""

    def __init__(self, read: Callable[[Storage], bytes]) -> None:
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.storages: dict[str, Storage] = {}
        self._read = read

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def mark(self) -> None:
        self.marks.append(self.stack)
        self.stack = []

    def marked(self) -> list[Any]:
        items, self.stack = self.stack, self.marks.pop()
        return items

    def take(self, count: int) -> None:
        """Replace the last values by a tuple of them."""
        if count > len(self.stack):
            raise IndexError("its stack is empty")
        items = tuple(self.stack[len(self.stack) - count :])
        del self.stack[len(self.stack) - count :]
        self.push(items)

    def append(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not list:
            raise TypeError("it appends to what is no list")
        target.extend(items)

    def set(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if isinstance(target, Ignored):
            return
        if type(target) is not dict:
            raise TypeError("it sets items of what is no dict")
        target.update(_pairs(items))

    def call(self) -> None:
        arguments, what = self.stack.pop(), self.stack.pop()
        if not isinstance(what, Name) or what.call is None or type(arguments) is not tuple:
            raise TypeError("it calls what can't be called")
        self.push(what.call(*arguments))

    def build(self) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        if isinstance(target, Layer) and type(state) is dict:
            target.state = state
        elif not isinstance(target, Ignored | dict):  # A state_dict's own notes on versions.
            raise TypeError("it sets attributes")

    def persistent(self) -> None:
        """A storage, or the class of a layer with its source code, which is passed over."""
        kind, what, *more = self.stack.pop()
        if kind == "module" and isinstance(what, Name):
            self.push(what)
            return
        key, _device, elements, *view = more
        if kind != "storage" or not isinstance(what, Name) or not what.storage:
            raise TypeError("it refers to what is no storage")
        if type(key) is not str or type(elements) is not int or elements < 0 or any(view):
            raise TypeError("it refers to a storage in an unknown way")
        storage = Storage(what.storage, key, elements, self._read)
        if self.storages.setdefault(key, storage) != storage:
            raise ValueError(f"storage {key} is of two kinds")
        self.push(storage)


def _pairs(items: list[Any]) -> dict[Any, Any]:
    # Of other keys, tuples within tuples, the hash could overflow the stack.
    if not all(isinstance(key, str | int | float | None) for key in items[::2]):
        raise TypeError("a dict's key is neither text nor a number")
    return dict(zip(items[::2], items[1::2], strict=True))


def _ordered_dict(pairs: Any = ()) -> dict[Any, Any]:
    return _pairs([item for key, value in pairs for item in (key, value)])


def _tensor(storage: Any, offset: int, size: Any, stride: Any, *_: Any) -> Tensor:
    if not isinstance(storage, Storage):
        raise TypeError("a tensor has no storage")
    return storage.view(offset, tuple(size), tuple(stride))


def _parameter(tensor: Any, *_: Any) -> Tensor:
    if not isinstance(tensor, Tensor):
        raise TypeError("a parameter is no tensor")
    return tensor


def _ignored(*_: Any) -> Ignored:
    return Ignored()


_CALLS: dict[tuple[str, str], Callable[..., Any]] = {
    ("collections", "OrderedDict"): _ordered_dict,
    ("torch._utils", "_rebuild_tensor"): _tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    **dict.fromkeys(PASSED_OVER, _ignored),
}


def _named(module: Any, name: Any) -> Name:
    """Return what a name stands for; raise BadInput if it is not allowed."""
    if type(module) is not str or type(name) is not str:
        raise TypeError("a name is no text")
    if (length := len(module) + len(name)) > NAME:  # Each call would make it anew.
        raise _refused(f"a name of {length:,} characters")
    full = f"{module}.{name}"
    if call := _CALLS.get((module, name)):
        return Name(full, call)
    if module == "torch" and name in STORAGES:
        return Name(full, storage=STORAGES[name])
    if f"{module}.".startswith(LAYERS):
        return Name(full, lambda *_: Layer(full))
    raise _refused(f"the name {full}")


def _put(machine: _Machine, place: int | None) -> None:
    machine.memo[len(machine.memo) if place is None else place] = machine.stack[-1]


_Step = Callable[[_Machine, Any], None]


def _push(value: Callable[[], Any]) -> _Step:
    return lambda m, _: m.push(value())


def _take(count: int) -> _Step:
    return lambda m, _: m.take(count)


_STEPS: dict[str, _Step] = {
    "PROTO": lambda *_: None,
    "FRAME": lambda *_: None,
    "STOP": lambda *_: None,
    "MARK": lambda m, _: m.mark(),
    "NONE": _push(lambda: None),
    "NEWTRUE": _push(lambda: True),
    "NEWFALSE": _push(lambda: False),
    "EMPTY_DICT": _push(dict),
    "EMPTY_LIST": _push(list),
    "EMPTY_TUPLE": _push(tuple),
    **dict.fromkeys(("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"), _Machine.push),
    **dict.fromkeys(
        ("BINUNICODE", "SHORT_BINUNICODE", "BINBYTES", "SHORT_BINBYTES"), _Machine.push
    ),
    **dict.fromkeys(("BINSTRING", "SHORT_BINSTRING"), _Machine.push),  # Of Python 2.
    **dict.fromkeys(("BINPUT", "LONG_BINPUT", "MEMOIZE"), _put),
    **dict.fromkeys(("BINGET", "LONG_BINGET"), lambda m, place: m.push(m.memo[place])),
    "TUPLE1": _take(1),
    "TUPLE2": _take(2),
    "TUPLE3": _take(3),
    "TUPLE": lambda m, _: m.push(tuple(m.marked())),
    "APPEND": lambda m, _: m.append([m.stack.pop()]),
    "APPENDS": lambda m, _: m.append(m.marked()),
    "SETITEM": lambda m, _: m.set([m.stack.pop(-2), m.stack.pop()]),
    "SETITEMS": lambda m, _: m.set(m.marked()),
    "GLOBAL": lambda m, names: m.push(_named(*names.split(" ", 1))),
    "STACK_GLOBAL": lambda m, _: m.push(_named(m.stack.pop(-2), m.stack.pop())),
    "BINPERSID": lambda m, _: m.persistent(),
    "REDUCE": lambda m, _: m.call(),
    "NEWOBJ": lambda m, _: m.call(),
    "BUILD": lambda m, _: m.build(),
}
