"""Commands side by side, each in a process of its own."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from common.utils.environment import ONE_THREAD
from common.utils.io import ROOT


@dataclass(frozen=True)
class Ended:
    """A command that has ended: its name, exit status, seconds, and the file that holds what it said."""

    name: str
    code: int
    seconds: float
    log: Path


def python(words: Sequence[str]) -> list[str]:
    """The command line that starts `-m common ...`, or a script of the repository with its flags, in this Python."""
    return [sys.executable, *words] if words[0] == "-m" else [sys.executable, str(ROOT / words[0]), *words[1:]]


def log_of(folder: Path, name: str) -> Path:
    """The file that holds what a command has said."""
    return folder / (name.replace(" ", "-") + ".log")


def run_side_by_side(
    todo: Mapping[str, Sequence[str]],
    folder: Path,
    workers: int,
    environment: Mapping[str, str] = ONE_THREAD,
    tell: Callable[[str], None] = lambda name: None,
) -> Generator[Ended]:
    """Run commands, by name, `workers` at a time in their order; each as it ends.

    What a command says goes to a file of its name in `folder`. Each has one thread, so that none slows another, unless
    `environment` says otherwise. `tell` is called with the name of each that begins. Who stops asking, or is
    interrupted, ends all that run.
    """
    folder.mkdir(parents=True, exist_ok=True)
    begun: list[subprocess.Popen] = []

    def run(name: str) -> Ended:
        log, start = log_of(folder, name), time.perf_counter()
        tell(name)
        with log.open("w", encoding="utf-8") as file:
            words, variables = python(todo[name]), os.environ | environment
            process = subprocess.Popen(words, env=variables, stdout=file, stderr=subprocess.STDOUT)
            begun.append(process)
            return Ended(name, process.wait(), time.perf_counter() - start, log)

    with ThreadPoolExecutor(workers) as pool:
        runs = [pool.submit(run, name) for name in todo]
        try:
            for done in as_completed(runs):
                yield done.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in begun:
                process.terminate()  # one that has ended is left alone
