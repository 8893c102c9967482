"""What a figure was measured on: commit, hardware, threads, versions, memory."""

import math
import os
import platform
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from common.utils.io import ROOT

LIBRARIES = ("numpy", "scipy", "pandas", "pyarrow", "scikit-learn", "implicit", "torch", "faiss-cpu")


ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""Environment variables of a process that computes with one thread."""


PROCESSORS = Path("/proc/cpuinfo")
"""Where Linux lists its processors."""


def use_one_thread() -> None:
    """Let this process compute with one thread: on small inputs threads wait longer for one another than they work.

    Libraries that are loaded later read it from the environment; a number that is set there already stays.
    """
    from threadpoolctl import threadpool_limits

    for name, number in ONE_THREAD.items():
        os.environ.setdefault(name, number)
    threadpool_limits(int(os.environ["OPENBLAS_NUM_THREADS"]), "blas")


@dataclass(frozen=True)
class Seconds:
    """A moment, or the time between two: on the wall's clock, and on the processors that this process kept busy."""

    wall: float = 0.0
    cpu: float = 0.0

    @classmethod
    def now(cls) -> "Seconds":
        """This moment; only differences mean something."""
        return cls(time.perf_counter(), time.process_time())

    @classmethod
    def of_children(cls) -> "Seconds":
        """This moment, with what the ended child processes have used; Windows counts that as 0."""
        used = os.times()
        return cls(time.perf_counter(), used.children_user + used.children_system)

    def __add__(self, other: "Seconds") -> "Seconds":
        """One after the other."""
        return Seconds(self.wall + other.wall, self.cpu + other.cpu)

    def __sub__(self, other: "Seconds") -> "Seconds":
        """Between two moments."""
        return Seconds(self.wall - other.wall, self.cpu - other.cpu)


def threads() -> int:
    """Processors that this process may use; all of the machine where the system cannot tell (macOS, Windows)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def peak_rss_mb() -> float:
    """Largest resident memory of this process so far, in MiB; NaN where the system does not count it (Windows)."""
    try:
        import resource
    except ImportError:
        return math.nan
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


@cache
def hardware() -> str:
    """System, number of processors and their model: `Linux x86_64, 2 x AMD EPYC`."""
    return f"{platform.system()} {platform.machine()}, {os.cpu_count() or 1} x {_processor()}"


def _processor() -> str:
    """The model of the processors: from Linux's list, elsewhere what Python knows."""
    try:
        named = re.search(r"^model name\s*:\s*(\S.*?)\s*$", PROCESSORS.read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        named = None
    return named[1] if named else platform.processor() or "unknown processor"


@cache
def commit() -> tuple[str, bool]:
    """The checkout's commit and whether tracked files differ from it; ("unknown", False) outside a checkout."""
    try:
        head = _git("rev-parse", "HEAD")
        return head, bool(_git("status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.CalledProcessError):
        return "unknown", False


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def about_machine(device: str) -> dict[str, Any]:
    """Everything about where a run happened, as it stands in metrics.json."""
    head, dirty = commit()
    return {
        "commit": head,
        "dirty": dirty,
        "device": device,
        "machine": hardware(),
        "threads": threads(),
        "versions": library_versions(),
    }


def library_versions() -> dict[str, str]:
    """The versions of Python and of the libraries that figures depend on; "absent" for one that is not there."""
    return {"python": platform.python_version()} | {name: _version(name) for name in LIBRARIES}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"
