"""A piece of work in a process of its own, so that its CPU seconds and its memory are its own."""

import contextlib
import ctypes
import importlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.scale.sizes import size_of
from common.utils.errors import UserError
from common.utils.io import ROOT

FOLDERS = {"scale": ("logs", "aggregation", "pairs", "models"), "scaling": ("data", "fits", "classic")}
MODULES = {module: f"benchmarks.{folder}.{module}" for folder, modules in FOLDERS.items() for module in modules}
"""Where the functions stand that may be asked for."""
POLL = 2.0
"""Seconds between two looks at the disk."""
ANSWER = "answer: "
PARENT_DEATH_SIGNAL = 1
"""PR_SET_PDEATHSIG of prctl(2)."""


class OverTimeError(Exception):
    """The time that a start may take is over; what is done is kept."""


def measured(
    function: str, watched: Path | None = None, look: Callable[[], None] | None = None, /, **arguments: Any
) -> dict[str, Any]:
    """Run `module.function` of MODULES with arguments that JSON can hold; what it returns, and what it took.

    Added are seconds, cpu_seconds, peak_mb and, where a folder is watched, disk_mb, the most that it held meanwhile.
    `look` is called every few seconds; where it raises OverTimeError, the process is ended and OverTimeError goes on.
    Raises a UserError where the process does.
    """
    started, most = time.monotonic(), 0
    given = json.dumps(arguments, default=str)
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.scale.child", function, given, str(os.getpid())],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=None,
    )
    try:
        while process.poll() is None:
            most = max(most, size_of(watched) if watched else 0)
            if look:
                look()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(POLL)
        said = process.stdout.read() if process.stdout else ""
    finally:
        process.kill()
        process.communicate()
    answers = [line for line in said.splitlines() if line.startswith(ANSWER)]
    if process.returncode or not answers:
        last = said.strip().splitlines()[-1:] or [f"it ended with exit code {process.returncode}"]
        raise UserError(f"{function}: {last[0]}; mend that and start again: what is noted stays")
    found: dict[str, Any] = json.loads(answers[-1].removeprefix(ANSWER))
    found["seconds"] = round(time.monotonic() - started, 2)
    if watched:
        found["disk_mb"] = round(max(most, size_of(watched)) / 1e6, 1)
    return found


def peak_mb() -> float:
    """The most memory that this process has held, pages of mapped files included."""
    return resident_mb("VmHWM")


def resident_mb(of: str = "VmRSS") -> float:
    """Memory that this process holds, pages of mapped files included; outside Linux the most that it has held."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return max(int(line.split()[1]) / 1e3 for line in lines if line.startswith(f"{of}:"))
    except (OSError, ValueError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def cpu_seconds() -> float:
    """Of this process and of those that it has started."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def _end_with(parent: int) -> None:
    """Let the system kill this process when its parent is killed, so that no work goes on that nobody waits for."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PARENT_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:  # it was killed before
        raise SystemExit(1)


def main() -> None:
    """Run the function that the first word names, with the arguments of the second."""
    _end_with(int(sys.argv[3]))
    module, name = sys.argv[1].split(".")
    if module not in MODULES:
        raise SystemExit(f"no module {module}")
    function = getattr(importlib.import_module(MODULES[module]), name)
    try:
        found = function(**json.loads(sys.argv[2]))
    except UserError as mistake:
        print(mistake, flush=True)
        raise SystemExit(2) from None
    taken = {"cpu_seconds": round(cpu_seconds(), 2), "peak_mb": round(peak_mb(), 1)}
    print(f"{ANSWER}{json.dumps(taken | (found or {}))}", flush=True)


if __name__ == "__main__":
    main()
