"""From generated raw logs to measured recommendations, at any size: tables and a figure for docs/scale.md.

`python -m benchmarks.scale --events 20000000` from the root of the repository; docs/scale.md says what each part does.
What was measured is kept in a file, so that the same command goes on after a stop.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.flags import asked_for
from benchmarks.notebook import Notebook
from benchmarks.scale import aggregation, logs, models, pairs, tables
from benchmarks.scale.parts import print_tables, run_parts, write_page
from benchmarks.scale.sizes import BYTES, Size
from common.experiments.flags import command
from common.utils import memory
from common.utils.errors import check_known, whole_number
from common.utils.io import ROOT

PARTS = ("generate", "prepare", "aggregate", "als-pairs", "split", "popularity", "als", "index", "lists")
FIGURE = ROOT / "docs" / "figures" / "scale.png"


@dataclass(frozen=True)
class Settings:
    """Measure the way from raw logs to recommendations at one size."""

    events: int = 20_000_000
    """Raw events."""
    format: str = "parquet"
    """parquet, csv.gz or jsonl."""
    parts: tuple[str, ...] = PARTS
    """generate, prepare, aggregate, als-pairs, split, popularity, als, index, lists."""
    memory: str = "auto"
    """What a process may take, such as 6GB."""
    runs: int = 5
    """Turns of every contestant."""
    iterations: int = 3
    """Iterations of a turn of als-pairs."""
    minutes: int = 45
    """After so many minutes nothing more is begun; the same command goes on."""
    folder: Path = ROOT / "outputs" / "scale"
    """Folder for everything that is made."""
    page: Path | None = None
    """Markdown page whose blocks <!-- scale ... --> receive the tables; docs/figures/scale.png is drawn, too."""

    def check(self) -> None:
        """Raise a UserError for the first flag that makes no sense."""
        whole_number("--events", self.events, least=10_000)
        for name in ("runs", "minutes"):
            whole_number(f"--{name}", getattr(self, name))
        whole_number("--iterations", self.iterations, least=2)
        check_known("format", BYTES, self.format)
        check_known("part", PARTS, *self.parts)
        memory.use(self.memory)


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Measure the parts that are asked for and not noted yet; print all tables."""
    settings, page = asked_for(Settings, argv)
    size = Size(settings.events, settings.format, settings.folder, settings.memory)
    notebook = Notebook(settings.folder / "findings.jsonl")
    measure(settings, size, notebook)
    made = tables.blocks(notebook)
    print_tables(made)
    if settings.page and tables.draw(write_page(settings.page, page, made), FIGURE):
        print(f"{FIGURE} drawn", flush=True)


def measure(settings: Settings, size: Size, notebook: Notebook) -> None:
    """The parts in their order, until the time is over."""
    deadline = time.monotonic() + 60 * settings.minutes
    parts: dict[str, Callable[[], None]] = {
        "generate": lambda: logs.generate(size, notebook),
        "prepare": lambda: logs.prepare(size, notebook, deadline),
        "aggregate": lambda: aggregation.aggregate(size, notebook, settings.runs, deadline),
        "als-pairs": lambda: pairs.contest(size, notebook, settings.runs, settings.iterations, deadline),
    }

    def follow(part: str) -> Callable[[], None]:
        return lambda: models.follow(size, notebook, part, settings.runs, deadline)

    parts |= {part: follow(part) for part in PARTS[len(parts) :]}
    asked = {part: run for part, run in parts.items() if part in settings.parts}
    todo = {part: run for part, run in asked.items() if not is_done(part, size, notebook, settings)}
    if todo:
        size.check_disk(tuple(todo))
    run_parts(todo, size.name, deadline, settings.minutes)


def is_done(part: str, size: Size, notebook: Notebook, settings: Settings) -> bool:
    """Whether a part is noted: of contests, every turn."""
    runs = settings.runs
    if part == "aggregate":
        turns = [row for row in notebook.of("aggregate") if row["events"] == size.events]
        whole = [row for row in turns if row["name"].endswith(f" {runs - 1}")]
        return len(whole) >= 3 + (size.events <= aggregation.MOST_OF_PANDAS)
    if part == "als-pairs":
        asked = [(side, settings.iterations, turn) for side in pairs.SIDES for turn in range(runs)]
        return all(notebook.has("als_pairs", pairs.turn_of(size, *turn)) for turn in asked)
    if part == "als":
        return notebook.has("als", size.name) and notebook.findings["als", size.name]["runs"] >= runs
    if part == "lists":
        return notebook.has("lists", size.name) and notebook.has("faiss", size.name)
    return notebook.has(part, size.name)


if __name__ == "__main__":
    main()
