"""CPU time of a process and all below it: of a driver, daemons, executors and their Python workers on one machine."""

import os
from pathlib import Path

PARENT, TIMES = 1, slice(11, 15)
"""Fields of /proc/PID/stat behind the name: the parent, and user and system time, own and of children that ended."""


def tree_cpu_seconds(root: int | None = None) -> float:
    """CPU seconds so far of a process, this one without `root`, and of all below it, those that ended included.

    A process whose parent was killed before it is no longer below. Linux only.
    """
    found = {int(path.parent.name): _fields(path) for path in Path("/proc").glob("[0-9]*/stat")}
    below, todo = 0, [root or os.getpid()]
    children: dict[int, list[int]] = {}
    for process, fields in found.items():
        if fields:
            children.setdefault(int(fields[PARENT]), []).append(process)
    while todo:
        process = todo.pop()
        below += sum(map(int, found.get(process, [])[TIMES]))
        todo += children.get(process, [])
    return below / os.sysconf("SC_CLK_TCK")


def _fields(path: Path) -> list[str]:
    """What stands behind the name of a process, which may hold blanks; nothing where the process is gone."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return []
