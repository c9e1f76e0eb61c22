"""Confined: this process and its kernels see what they need of the disk, and no secret beside it.

Landlock (Linux 5.13 and later) needs no root. What is not allowed here is refused, whoever owns it,
for good and for every child; so are signals to processes outside, and a look into their memory.
"""

from __future__ import annotations

import ctypes
import os
import site
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

from msgspec import Struct

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc", "/sys")
NAMES = ("/etc/resolv.conf", "/etc/localtime")  # Often links to places outside of these.
MACHINE = ("/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/sys")  # Of no process.

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 1 << 1, 1 << 2, 1 << 3
TRUNCATE, IOCTL = 1 << 14, 1 << 15
OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL
READ = EXECUTE | READ_FILE | READ_DIR
RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}  # How many rights each version knows; 16 since version 5.
SCOPES = 0b11  # Signals and abstract sockets stay inside; since version 6.
_CREATE, _ADD, _RESTRICT = 444, 445, 446  # The system calls: the same on all architectures.
_NO_NEW_PRIVILEGES = 38


class Allowed(Struct, frozen=True):
    """What a confined process may do on the disk; anything else is refused."""

    read: tuple[Path, ...]  # With all that lies beneath.
    write: tuple[Path, ...] = ()
    listed: tuple[Path, ...] = ()  # Names alone, beneath too.


class _Ruleset(ctypes.Structure):
    _fields_ = [("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64)]


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32)]


def version() -> int:
    """Return the version of Landlock that this kernel has; 0 where it has none."""
    known: int = _libc().syscall(_CREATE, None, ctypes.c_size_t(0), 1)
    return max(known, 0)


def needed(state: Path, folder: Path, readable: Iterable[Path]) -> Allowed:
    """Return what Python, its packages and this app need.

    Args:
        state: the site's folder, of which nothing is seen but what follows.
        folder: where the app and its kernels write.
        readable: files and folders that they read besides.
    """
    state, read, listed = state.resolve(), list(readable), []
    for entry in {*sys.path, *site.getsitepackages(), *_installed()}:
        place = Path(entry or ".").resolve()
        if place.is_relative_to(state) or not place.exists():
            continue  # `python -m` puts the working folder there.
        if state.is_relative_to(place):  # A checkout with its state in it.
            listed.append(place)
            read += _around(place, state)
        else:
            read.append(place)
    read += [Path(name) for name in (*SYSTEM, *NAMES, *MACHINE)]
    devices = Path("/dev")
    return Allowed(tuple(read), write=(folder, devices), listed=tuple(listed))


def _installed() -> Iterator[str]:
    """Yield where Python is, and the packages that are installed by a link to their checkout."""
    yield from (sys.prefix, sys.base_prefix, sysconfig.get_path("stdlib"))
    for name, module in list(sys.modules.items()):
        if "." not in name:
            yield from getattr(module, "__path__", ())
    for point in entry_points(group="chexnet.inputs"):
        spec = find_spec(point.module.partition(".")[0])
        yield from (spec and spec.submodule_search_locations) or ()


def _around(place: Path, state: Path) -> Iterator[Path]:
    for child in place.iterdir():
        if not state.is_relative_to(child.resolve()):
            yield child


def confine(allowed: Allowed) -> bool:
    """Confine this thread, and whatever it starts from here on; return whether the kernel can.

    Raises:
        OSError: the kernel has Landlock and refuses.
    """
    known = version()
    if not known:
        return False
    every = (1 << RIGHTS.get(known, 16)) - 1
    size = 8 if known < 4 else 16 if known < 6 else 24
    ruleset = _Ruleset(every, 0, SCOPES if known >= 6 else 0)
    made = _call(_CREATE, ctypes.byref(ruleset), ctypes.c_size_t(size), 0)
    try:
        for places, rights in (
            (allowed.read, READ),
            (allowed.listed, READ_DIR),
            (allowed.write, every & ~EXECUTE),
        ):
            for place in places:
                _allow(made, place, rights & every)
        if _libc().prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "no_new_privs")
        _call(_RESTRICT, made, 0)
    finally:
        os.close(made)
    return True


def _allow(ruleset: int, place: Path, rights: int) -> None:
    try:
        at = os.open(place, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        beneath = _Beneath(rights if place.is_dir() else rights & OF_FILES, at)
        _call(_ADD, ruleset, 1, ctypes.byref(beneath), 0)
    finally:
        os.close(at)


def _call(number: int, *arguments: object) -> int:
    done: int = _libc().syscall(number, *arguments)
    if done < 0:
        raise OSError(ctypes.get_errno(), f"Landlock: {os.strerror(ctypes.get_errno())}")
    return done


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
