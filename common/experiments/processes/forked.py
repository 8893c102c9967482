"""Commands side by side, each in a copy of this process, which has imported what the stages need.

On small data a stage spends more time with imports than with its models. A copy (Linux's fork) begins where they are
done, and is a process of its own from there on: with its own flags, log, exit status and end. Nothing but imports may
have happened before, and no thread may have been started, since a copy has none but its first.
"""

import atexit
import gc
import importlib
import multiprocessing
import os
import runpy
import signal
import sys
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from multiprocessing.connection import wait
from multiprocessing.context import ForkProcess
from pathlib import Path

from common.experiments.processes.side_by_side import Ended, log_of
from common.models.registry import STAGES
from common.utils.environment import use_one_thread
from common.utils.io import ROOT

LIBRARIES = (
    *("implicit.cpu.als", "optuna", "scipy.optimize", "scipy.stats", "seaborn", "skops.io", "torch._dynamo"),
    *("sklearn.decomposition", "sklearn.ensemble", "sklearn.feature_extraction.text", "sklearn.inspection"),
    *("sklearn.manifold", "sklearn.metrics", "sklearn.preprocessing"),
)
"""What stages import where they use it."""
THREADS = Path("/proc/self/task")
OF_ALLOCATOR = "jemalloc_bg_thd"
"""The one thread that may be there: of pyarrow's jemalloc, which begins it anew in a copy."""


def can_be_copied() -> bool:
    """Whether this process has no thread but its first, on Linux; BLAS starts others unless OMP_NUM_THREADS=1."""
    if sys.platform != "linux":
        return False
    names = [(thread / "comm").read_text(encoding="utf-8").strip() for thread in THREADS.iterdir()]
    return len(names) - names.count(OF_ALLOCATOR) == 1


def import_stages(scripts: Sequence[str] = (*STAGES, "0_explore"), libraries: Sequence[str] = LIBRARIES) -> bool:
    """Import what the stages need; whether this process can be copied then. If not even before, nothing is imported."""
    if not can_be_copied():
        return False
    use_one_thread()
    if str(ROOT) not in sys.path:
        sys.path.append(str(ROOT))
    for name in (*scripts, *libraries):
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # what is shared is not looked at, and so not copied, by a collection of a copy
    return can_be_copied()


def begin(words: Sequence[str], log: Path | None = None) -> ForkProcess:
    """Begin `-m MODULE ...` or a script of the repository with its flags; what it says goes to a file, if one is given.

    Its exit status is that of a process started from the shell: `exitcode`, -N where signal N ended it.
    """
    process = multiprocessing.get_context("fork").Process(target=_run, args=(list(words), log))
    process.start()
    return process


def call(words: Sequence[str]) -> int:
    """Run one command in a copy of this process, and return its exit code."""
    process = begin(words)
    try:
        process.join()
    except BaseException:
        process.terminate()
        raise
    return process.exitcode or 0


def run_forked(
    todo: Mapping[str, Sequence[str]], folder: Path, workers: int, tell: Callable[[str], None] = lambda name: None
) -> Generator[Ended]:
    """What `run_side_by_side` does, in copies of this process."""
    folder.mkdir(parents=True, exist_ok=True)
    waiting = list(todo)
    begun: dict[ForkProcess, tuple[str, float]] = {}
    try:
        while waiting or begun:
            while waiting and len(begun) < workers:
                name = waiting.pop(0)
                tell(name)
                start = time.perf_counter()
                begun[begin(todo[name], log_of(folder, name))] = name, start
            wait([process.sentinel for process in begun])
            for process in [process for process in begun if not process.is_alive()]:
                name, start = begun.pop(process)
                yield Ended(name, process.exitcode or 0, time.perf_counter() - start, log_of(folder, name))
    finally:
        for process in begun:
            process.terminate()


def _run(words: list[str], log: Path | None) -> None:
    """What the copy does: become the command."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if log is not None:
        file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        for stream in (1, 2):
            os.dup2(file, stream)
        os.close(file)
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115
    try:
        if words[0] == "-m":
            sys.argv = words[1:]
            runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv = [str(ROOT / words[0]), *words[1:]]
            sys.path[0] = str(ROOT)
            runpy.run_path(sys.argv[0], run_name="__main__")
    finally:
        atexit._run_exitfuncs()  # which the end of a copy leaves out
