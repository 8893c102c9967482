"""How much memory this process may take, and the refusal of what needs more.

`--memory` says how much; by default it is 70% of what the machine has, or of what the container that it runs in is
allowed. Work that would grow with the square of something is cut into blocks of `block_bytes`, and what no block makes
small is refused by `require` before it starts. The limit is one of the process, as its threads are: it changes no
result, and is part of no configuration.
"""

import os
import re
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from common.utils import distributed
from common.utils.errors import UserError, short

SHARE = 0.7
"""Part of the memory that is taken where `--memory` does not say otherwise."""
UNKNOWN = 8 * 10**9
"""Bytes that are assumed where the system does not tell."""
LEAST, MOST = 10**8, 10**15
"""Bytes that `--memory` may name: below the least no stage starts."""
LARGEST_BLOCK = 2**30
"""Bytes of a block at most: larger ones are no faster."""
UNITS = {"MB": 10**6, "GB": 10**9, "TB": 10**12, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}
CGROUPS, OWN_CGROUPS = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
"""Where Linux keeps the limits of containers, and where it says which one a process is in."""
_given: int | None = None


def use(size: str) -> None:
    """Let `size` be what this process may take: `6GB`, `512MiB`, or auto. Raises a UserError for anything else."""
    global _given
    _given = None if size.strip().lower() == "auto" else parse_size(size)


def limit() -> int:
    """Bytes that this process may take; processes that torchrun has started on one machine share it."""
    return int(SHARE * of_machine() if _given is None else _given) // distributed.on_this_machine()[1]


def block_bytes() -> int:
    """Bytes that one block of a larger piece of work may take."""
    return min(LARGEST_BLOCK, limit() // 4)


def require(what: str, needed: float, remedy: str) -> None:
    """Raise a UserError that names the figure and the remedy where something needs more than there is."""
    if needed > limit():
        raise UserError(
            f"{what} needs about {readable(needed)} of memory and may take {readable(limit())}; {remedy}, "
            "or allow more with --memory where the machine has it"
        )


def add_up(parts: Mapping[str, float]) -> tuple[float, str]:
    """The bytes of several parts together, and the remedy of the largest; parts: what makes it smaller -> bytes.

    >>> add_up({"lower --a": 1.0, "lower --b": 3.0})
    (4.0, 'lower --b')
    """
    return float(sum(parts.values())), max(parts, key=lambda remedy: parts[remedy])


def parse_size(text: str, flag: str = "--memory") -> int:
    """Bytes of a size with its unit.

    >>> parse_size("6GB"), parse_size("1.5 gib")
    (6000000000, 1610612736)
    """
    found = re.fullmatch(r"\s*(\d{1,15}(?:\.\d{1,9})?)\s*([MGT]I?B)\s*", text.upper(), re.ASCII)
    size = float(found[1]) * UNITS[found[2]] if found else 0
    if not LEAST <= size <= MOST:
        sizes = f"{readable(LEAST)} to {readable(MOST)}, such as 6GB, or auto"
        raise UserError(f"{flag} {short(text)}: give a size from {sizes}")
    return int(size)


def readable(size: float) -> str:
    """Bytes in the largest unit of which there is one.

    >>> readable(6.2e9), readable(1e8), readable(4e12)
    ('6.2 GB', '100 MB', '4 TB')
    """
    unit = next(unit for unit in ("TB", "GB", "MB") if size >= UNITS[unit] or unit == "MB")
    return f"{size / UNITS[unit]:,.3g} {unit}" if size < 1000 * UNITS[unit] else f"{size / UNITS[unit]:,.0f} {unit}"


@cache
def of_machine() -> int:
    """Bytes of memory of the machine, or of the container where that is allowed less."""
    return min((size for size in (_physical(), _of_container()) if size), default=UNKNOWN)


def _physical() -> int:
    """Bytes of memory of the machine, 0 where the system does not tell."""
    if sys.platform == "win32":
        return _physical_of_windows()
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # no such function, no such name, not known
        return 0


def _physical_of_windows() -> int:
    import ctypes

    class Status(ctypes.Structure):
        _fields_ = (
            *(("length", ctypes.c_ulong), ("load", ctypes.c_ulong), ("total", ctypes.c_ulonglong)),
            ("rest", ctypes.c_ulonglong * 6),
        )

    status = Status(length=ctypes.sizeof(Status))
    told = ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))  # type: ignore[attr-defined]
    return int(status.total) if told else 0


def _of_container() -> int:
    """The least limit of the control groups that this process is in, of version 2 or 1; 0 where there is none."""
    try:
        lines = OWN_CGROUPS.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return 0
    limits: list[int] = []
    for _, controllers, path in (line.split(":", 2) for line in lines if line.count(":") >= 2):
        if not controllers:
            limits += _limits(CGROUPS, path, "memory.max") + _limits(CGROUPS / "unified", path, "memory.max")
        elif "memory" in controllers.split(","):
            limits += _limits(CGROUPS / controllers, path, "memory.limit_in_bytes")
    return min(limits, default=0)


def _limits(root: Path, path: str, name: str) -> list[int]:
    """The limits of a control group and of all that it lies in; a container sees its own one as the root."""
    inside = Path(path.lstrip("/"))
    folders = [root / inside, *(root / above for above in inside.parents)]
    return [size for size in map(_number, (folder / name for folder in folders)) if 0 < size < 2**60]


def _number(path: Path) -> int:
    """What a limit's file says, 0 for `max` and where there is none."""
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 0
