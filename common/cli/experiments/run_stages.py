"""Every stage on some protocols, then the leaderboards: what `make run` does.

The data are explored first. Stages go side by side where processors and memory are free. A line after each says what
is done, what is next, and how long the rest takes by the timings of the last run. Flags behind `--` go to every stage
with models:

    python -m common run-stages --dataset lastfm-2k -- --preset classic
"""

import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from common.experiments.flags import command, flags_of, parse
from common.experiments.processes import forked
from common.experiments.processes.side_by_side import Ended, python, run_side_by_side
from common.experiments.settings import DataSettings
from common.models.registry import STAGES
from common.splits.protocols import PROTOCOLS
from common.utils import memory
from common.utils.environment import ONE_THREAD, threads
from common.utils.errors import check_known
from common.utils.io import display, write_json
from common.utils.settings import Range
from common.utils.terminal import show

EXPLORE = "0_explore.py"
MEMORY_OF_STAGE = 3 * 10**9
"""Bytes that a stage should have for itself where several run at a time."""
GPU = Path("/dev/nvidia0")
TIMINGS = "timings.json"


@dataclass(frozen=True)
class Settings(DataSettings):
    """Run every stage on some protocols, then print the leaderboards; flags behind -- go to every stage."""

    protocols: tuple[str, ...] = ("listen", "next")
    """Which protocols; those that the data do not allow are passed over."""
    workers: Annotated[int, Range(0, 1024)] = 0
    """How many stages at a time, each with one thread. 0: one for each processor, as far as each has 3 GB of memory;
    one where there is a GPU. 1: a stage has all threads, and what it says comes at once."""
    fork: bool = False
    """Start stages as copies of one process that has imported what they need, which saves most of their time on small
    data. Each has one thread, and the memory that it reports counts these imports. On Linux, where several stages run
    at a time or under OMP_NUM_THREADS=1."""

    def check(self) -> None:
        """Raise a UserError for the first flag that makes no sense."""
        super().check()
        check_known("protocol", PROTOCOLS, *self.protocols)

    @property
    def at_a_time(self) -> int:
        """How many stages run side by side."""
        return self.workers or (1 if GPU.exists() else max(1, min(threads(), memory.limit() // MEMORY_OF_STAGE)))


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Run the stages; one that fails ends the others, and its exit code is the command's."""
    words = list(sys.argv[1:] if argv is None else argv)
    own, of_stages = (words[: words.index("--")], words[words.index("--") + 1 :]) if "--" in words else (words, [])
    settings = parse(Settings, own)
    shared = flags_of(
        settings, [f.name for f in dataclasses.fields(DataSettings) if f.name not in ("download", "memory")]
    )
    once = shared if settings.download else [*shared, "--no-download"]
    if settings.fork and settings.at_a_time > 1 and sys.platform == "linux" and "OMP_NUM_THREADS" not in os.environ:
        begin_anew(words)
    forks = settings.fork and forked.import_stages()
    if settings.fork and not forks:
        show("--fork is passed over: only on Linux, and with OMP_NUM_THREADS=1, can this process be copied")
    call = forked.call if forks else call_process
    stop_unless_fine(EXPLORE, call([EXPLORE, *once, *memory_flag(settings, 1)]))
    shared.append("--no-download")
    if allowed := allowed_protocols(settings.protocols, shared):
        # What compares all rows is drawn once, by the report at the end.
        flags = [*shared, "--no-compare", *memory_flag(settings, settings.at_a_time), *of_stages]
        todo = {f"{name} {stage}": [f"{stage}.py", "--protocol", name, *flags] for stage in STAGES for name in allowed}
        run(todo, settings, " ".join([settings.dataset, *of_stages]), forks)
        stop_unless_fine("report", call(["-m", "common", "report", *shared]))
    else:
        show(f"nothing to train: the data allow neither of {', '.join(settings.protocols)}")


def begin_anew(words: Sequence[str]) -> None:
    """Become the same command with one thread: libraries that have started several by now can not be copied."""
    sys.stdout.flush()
    os.execve(sys.executable, python(["-m", "common", "run-stages", *words]), os.environ | ONE_THREAD)


def call_process(words: Sequence[str]) -> int:
    """Run one command in a process of its own, and return its exit code."""
    return subprocess.call(python(words))


def memory_flag(settings: Settings, workers: int) -> list[str]:
    """What each of several processes may take."""
    if workers == 1:
        return flags_of(settings, ["memory"])
    return ["--memory", f"{max(memory.LEAST, memory.limit() // workers) // 10**6}MB"]


def allowed_protocols(asked: Sequence[str], flags: Sequence[str]) -> list[str]:
    """Those protocols that the data allow; the others are told of by the command that says so."""
    words = python(["-m", "common", "protocols", "--protocols", *asked, *flags])
    found = subprocess.run(words, stdout=subprocess.PIPE, text=True, encoding="utf-8")
    stop_unless_fine("protocols", found.returncode)
    return found.stdout.split()


def stop_unless_fine(name: str, code: int) -> None:
    """End with the exit code of a command that failed; it has said why."""
    if code:
        show(f"{name} ended with exit code {code}; nothing after it was run", sys.stderr)
        raise SystemExit(code)


def run(todo: Mapping[str, Sequence[str]], settings: Settings, kind: str, forks: bool) -> None:
    """The stages, with a line about the whole after each.

    kind: runs of which the timings are comparable. forks: whether stages begin as copies of this process.
    """
    path = settings.output_dir / TIMINGS
    timings = read_timings(path)
    progress = Progress(list(todo), timings.get(kind, {}), settings.at_a_time)
    show(progress.line())
    way = one_by_one if settings.at_a_time == 1 else in_files
    with closing(way(todo, settings, progress, forks)) as runs:
        for ended in runs:
            stop_unless_fine(ended.name, ended.code)
            progress.end(ended)
            show(progress.line())
            write_json(path, timings | {kind: progress.before | progress.took})


def one_by_one(
    todo: Mapping[str, Sequence[str]], settings: Settings, progress: "Progress", forks: bool
) -> Generator[Ended]:
    """Each stage alone, with all threads, and what it says as it says it."""
    call = forked.call if forks else call_process
    for name, words in todo.items():
        start = time.perf_counter()
        progress.begin(name)
        yield Ended(name, call(words), time.perf_counter() - start, settings.output_dir)


def in_files(
    todo: Mapping[str, Sequence[str]], settings: Settings, progress: "Progress", forks: bool
) -> Generator[Ended]:
    """Several stages at a time; what each has said is shown when it has ended."""
    folder = settings.output_dir / "stages"
    if forks:
        begun = forked.run_forked(todo, folder, settings.at_a_time, progress.begin)
    else:
        begun = run_side_by_side(todo, folder, settings.at_a_time, ONE_THREAD, progress.begin)
    with closing(begun) as runs:
        for ended in runs:
            show(f"\n{ended.name} ({display(ended.log)})\n{ended.log.read_text(encoding='utf-8', errors='replace')}")
            yield ended


@dataclass
class Progress:
    """What is done of some commands, and how long the rest takes by seconds that each took before."""

    names: list[str]
    before: dict[str, float]
    workers: int
    took: dict[str, float] = field(default_factory=dict)
    begun: dict[str, float] = field(default_factory=dict)

    def begin(self, name: str) -> None:
        """A command begins."""
        self.begun[name] = time.perf_counter()

    def end(self, ended: Ended) -> None:
        """A command has ended."""
        self.took[ended.name] = round(ended.seconds, 1)

    def line(self) -> str:
        """One line about the whole."""
        left = [name for name in self.names if name not in self.took]
        if not left:
            return f"all {len(self.names)} stages are done"
        at_work = [name for name in left if name in self.begun]
        waiting = [name for name in left if name not in self.begun]
        parts = [f"{len(self.took)} of {len(self.names)} stages done"]
        parts += [f"at work: {', '.join(at_work)}"] if at_work else []
        parts += [f"next: {waiting[0]}"] if waiting else []
        return "; ".join([*parts, self.time_left(left)])

    def time_left(self, left: Sequence[str]) -> str:
        """How long the rest takes: what each took before, less what it has worked, shared by the workers."""
        if unknown := [name for name in left if name not in self.before]:
            return f"no earlier run tells how long {unknown[0]} takes"
        now = time.perf_counter()
        seconds = [max(0.0, self.before[name] - (now - self.begun.get(name, now))) for name in left]
        rest = max([sum(seconds) / self.workers, *seconds])
        return f"about {rest / 60:.0f} min left" if rest >= 90 else f"about {rest:.0f} s left"


def read_timings(path: Path) -> dict[str, dict[str, float]]:
    """Seconds by command by kind of run; nothing where there is no such file, or a damaged one."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {kind: {name: float(seconds) for name, seconds in of.items()} for kind, of in found.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}
