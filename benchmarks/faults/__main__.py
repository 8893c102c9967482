"""What is lost or mixed when runs are killed, read while they are written, or damaged: a table for docs/reliability.md.

`python -m benchmarks.faults` from the root of the repository; README.md beside this folder says what it means. What was
measured is kept in a file, so that the same command goes on after a stop; another --folder starts anew.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.faults import damage, kills, likes, saves
from benchmarks.flags import asked_for
from benchmarks.notebook import Notebook
from common.experiments.flags import command
from common.reporting.markdown_blocks import fill_page
from common.utils.errors import UserError, unknown_name, whole_number
from common.utils.io import ROOT

PARTS = ("kills", "saves", "damage", "likes")


@dataclass(frozen=True)
class Settings:
    """Measure what kills, readers beside writers, and damaged files do to stored results."""

    parts: tuple[str, ...] = PARTS
    """kills, saves, damage, likes."""
    kills: int = 60
    """Stages to kill and resume."""
    loads: int = 2_000
    """Loads of a model while others save."""
    saves: int = 200
    """Saves during which they happen, at least."""
    runs: tuple[str, ...] = tuple(damage.RUNS)
    """Runs whose files are damaged: als, forest, sasrec."""
    likes: int = 10_000
    """Likes to write while writers are killed."""
    folder: Path = ROOT / "outputs" / "faults"
    """Folder for everything that is made."""
    page: Path | None = None
    """Markdown page whose block between <!-- faults --> and <!-- end --> receives the table."""

    def check(self) -> None:
        """Raise a UserError for the first flag that makes no sense."""
        for part in self.parts:
            if part not in PARTS:
                raise unknown_name("part", part, PARTS)
        for run in self.runs:
            if run not in damage.RUNS:
                raise unknown_name("run", run, damage.RUNS)
        for name in ("kills", "loads", "saves", "likes"):
            whole_number(f"--{name}", getattr(self, name))


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Measure the parts that are asked for; print the table of all that was measured so far."""
    settings, page = asked_for(Settings, argv)
    notebook = Notebook(settings.folder / "findings.jsonl")
    measure: dict[str, Callable[[], None]] = {
        "kills": lambda: kills.measure(settings.kills, settings.folder, notebook),
        "saves": lambda: saves.measure(settings.loads, settings.saves, settings.folder, notebook),
        "damage": lambda: damage.measure(settings.runs, settings.folder, notebook),
        "likes": lambda: likes.measure(settings.likes, settings.folder, notebook),
    }
    for part in settings.parts:
        measure[part]()
    made = table(notebook)
    print(made)
    if settings.page:
        fill_page(settings.page, page, {"faults": made + "\n"}, "faults")


def table(notebook: Notebook) -> str:
    """A row for each part that was measured, as Markdown."""
    parts = {"kills": kills, "saves": saves, "damage": damage, "likes": likes}
    rows = [module.table_row(notebook) for name, module in parts.items() if notebook.of(name)]
    if not rows:
        raise UserError("nothing was measured; name parts with --parts")
    return "\n".join(["| what was done | what came of it |", "| --- | --- |", *(f"| {a} | {b} |" for a, b in rows)])


if __name__ == "__main__":
    main()
