"""Spark against the local engine on the same generated log, on a cluster of two workers on this machine.

`python -m benchmarks.cluster --events 20000000` from the root of the repository; docs/cluster.md describes the parts.
What was measured is kept in a file, so that the same command goes on after a stop.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cluster import parts, tables
from benchmarks.flags import asked_for
from benchmarks.notebook import Notebook
from benchmarks.scale import logs
from benchmarks.scale.parts import print_tables, run_parts, write_page
from benchmarks.scale.sizes import Size
from common.experiments.flags import command
from common.utils import memory
from common.utils.errors import check_known, whole_number
from common.utils.io import ROOT

PARTS = ("generate", "prepare", "local", "steps", "models", "kill")
LAST = {"local": ("local", " als"), "steps": ("cluster", f" {tables.STEPS}"), "models": ("cluster", " als")}
"""Where a part's last finding is noted, and what follows the size in its name; of the others: the part itself."""


@dataclass(frozen=True)
class Settings:
    """Measure Spark and the local engine at one size."""

    events: int = 20_000_000
    """Raw events."""
    parts: tuple[str, ...] = PARTS
    """generate, prepare, local, steps, models, kill."""
    workers: int = 2
    """Workers of the cluster, an executor each."""
    cores: int = 1
    """Cores of a worker."""
    executor_memory: str = "1g"
    """Heap of an executor."""
    memory: str = "auto"
    """What a process of the local engine may take, such as 6GB."""
    minutes: int = 45
    """After so many minutes no further part is begun; the same command goes on."""
    folder: Path = ROOT / "outputs" / "cluster"
    """Folder for everything that is made."""
    page: Path | None = None
    """Markdown page whose blocks <!-- cluster ... --> receive the tables."""

    def check(self) -> None:
        """Raise a UserError for the first flag that makes no sense."""
        whole_number("--events", self.events, least=10_000)
        for name in ("workers", "cores", "minutes"):
            whole_number(f"--{name}", getattr(self, name))
        check_known("part", PARTS, *self.parts)
        memory.use(self.memory)


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Measure the parts that are asked for and not noted yet; print all tables."""
    settings, page = asked_for(Settings, argv)
    size = Size(settings.events, "parquet", settings.folder, settings.memory)
    notebook = Notebook(settings.folder / "findings.jsonl")
    measure(settings, size, notebook)
    made = tables.blocks(notebook)
    print_tables(made)
    if settings.page:
        write_page(settings.page, page, made)


def measure(settings: Settings, size: Size, notebook: Notebook) -> None:
    """The parts in their order, until the time is over."""
    deadline = time.monotonic() + 60 * settings.minutes
    about = parts.Cluster(settings.workers, settings.cores, settings.executor_memory)
    known: dict[str, Callable[[], None]] = {
        "generate": lambda: logs.generate(size, notebook),
        "prepare": lambda: logs.prepare(size, notebook, deadline),
        "local": lambda: parts.local(size, notebook),
        "steps": lambda: parts.steps(size, notebook, about),
        "models": lambda: parts.fits(size, notebook, about),
        "kill": lambda: parts.kill(size, notebook, about),
    }
    asked = {part: run for part, run in known.items() if part in settings.parts}
    todo = {part: run for part, run in asked.items() if not is_done(part, size, notebook)}
    if todo:
        size.check_disk(tuple(part for part in todo if part in ("generate", "prepare")) or ("models",))
    run_parts(todo, size.name, deadline, settings.minutes)


def is_done(part: str, size: Size, notebook: Notebook) -> bool:
    """Whether all of a part is noted."""
    of, last = LAST.get(part, (part, ""))
    return notebook.has(of, size.name + last)


if __name__ == "__main__":
    main()
