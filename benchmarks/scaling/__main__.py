"""What models cost from a thousand to a million users: tables and a figure for docs/scaling.md.

`python -m benchmarks.scaling` from the root of the repository. What was measured is kept in a file, so that the same
command goes on after a stop; docs/scaling.md says what is measured and how.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.flags import asked_for
from benchmarks.notebook import Notebook
from benchmarks.scale.child import OverTimeError, measured
from benchmarks.scale.parts import print_tables, run_parts, write_page
from benchmarks.scaling import classic, tables
from benchmarks.scaling.estimates import estimated_seconds
from benchmarks.scaling.fits import FITS
from common.experiments.flags import command
from common.utils import memory
from common.utils.errors import check_known, whole_number
from common.utils.io import ROOT

PARTS = ("sizes", "classic")
FIGURE = ROOT / "docs" / "figures" / "scaling.png"


@dataclass(frozen=True)
class Settings:
    """Measure fits and answers of models by the number of users."""

    users: tuple[int, ...] = (1_000, 10_000, 100_000, 1_000_000)
    """Sizes, the smallest first."""
    models: tuple[str, ...] = tuple(FITS)
    """What is fitted at each size."""
    parts: tuple[str, ...] = PARTS
    """sizes: every model at every size; classic: 10,000 users x 5,000 songs with metrics."""
    most: int = 900
    """CPU seconds of one fit: what would take more, by the two sizes before it, is left out and the table says so."""
    memory: str = "4GB"
    """What a process may take: a model that says that it needs more is left out."""
    lists: int = 50
    """Lists of single users that are timed."""
    minutes: int = 45
    """After so many minutes nothing more is begun; the same command goes on."""
    classic: tuple[int, int] = (10_000, 5_000)
    """Users and songs of the part classic."""
    folder: Path = ROOT / "outputs" / "scaling"
    """Folder for everything that is made."""
    page: Path | None = None
    """Markdown page whose blocks <!-- scaling ... --> receive the tables; docs/figures/scaling.png is drawn, too."""

    def check(self) -> None:
        """Raise a UserError for the first flag that makes no sense."""
        for users in self.users:
            whole_number("--users", users, least=20)
        for name in ("most", "lists", "minutes"):
            whole_number(f"--{name}", getattr(self, name))
        for number in self.classic:
            whole_number("--classic", number, least=20)
        check_known("model", tuple(FITS), *self.models)
        check_known("part", PARTS, *self.parts)
        memory.use(self.memory)


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Measure what is asked for and not noted yet; print all tables."""
    settings, page = asked_for(Settings, argv)
    notebook = Notebook(settings.folder / "findings.jsonl")
    deadline = time.monotonic() + 60 * settings.minutes
    run_parts(todo(settings, notebook, deadline), "the scaling benchmark", deadline, settings.minutes)
    made = tables.blocks(notebook)
    print_tables(made)
    if settings.page:
        write_page(settings.page, page, made, merged=lambda before, table: table)
        if tables.draw(notebook, FIGURE):
            print(f"{FIGURE} drawn", flush=True)


def todo(settings: Settings, notebook: Notebook, deadline: float) -> dict[str, Callable[[], None]]:
    """What is left to do, by name: the sizes from the smallest on, then the classic benchmark."""
    parts: dict[str, Callable[[], None]] = {}
    if "sizes" in settings.parts:
        for users in sorted(settings.users):
            if not all(is_noted(notebook, f"{users} {label}", settings.most) for label in settings.models):
                parts[f"{users:,} users"] = partial(measure_size, settings, notebook, users, deadline)
    users, songs = settings.classic
    if "classic" in settings.parts and not notebook.has("classic", f"{users} x {songs} {classic.MODELS_SHOWN[-1]}"):
        parts["classic"] = partial(measure_classic, settings, notebook, deadline)
    return parts


def is_noted(notebook: Notebook, name: str, most: int) -> bool:
    """Whether a fit was measured, refused for a memory that it may still not take, or left out as taking too long."""
    if found := notebook.findings.get(("fit", name)):
        return float(found.get("refused", math.inf)) > memory.limit()
    left_out = notebook.findings.get(("left out", name))
    return left_out is not None and bool(left_out["estimate"] > most)


def measure_size(settings: Settings, notebook: Notebook, users: int, deadline: float) -> None:
    """Every model at one size; what would take too long is noted as an estimate."""
    for label in settings.models:
        name = f"{users} {label}"
        about = {"users": users, "model": label}
        if is_noted(notebook, name, settings.most):
            continue
        if (estimate := estimated_seconds(notebook, label, users)) > settings.most:
            notebook.note("left out", name, **about, estimate=round(estimate))
            continue
        if time.monotonic() > deadline:
            raise OverTimeError
        asked = {"folder": generated(settings, notebook, users), "label": label, "memory": settings.memory}
        notebook.note("fit", name, **about, **measured("fits.fit", **asked, lists=settings.lists))
        print(f"  {name}: {notebook.findings['fit', name]}", flush=True)


def generated(settings: Settings, notebook: Notebook, users: int) -> Path:
    """The folder of the generated users of a size, who are generated where they are not there."""
    folder = settings.folder / str(users)
    if not (folder / "indptr.npy").exists():
        found = measured("data.generate", folder=folder, users=users)
        notebook.note("generate", str(users), **found)
    return folder


def measure_classic(settings: Settings, notebook: Notebook, deadline: float) -> None:
    """The models of the classic benchmark, one after the other."""
    users, songs = settings.classic
    asked = {"folder": settings.folder / "data", "users": users, "songs": songs}
    for model in classic.MODELS_SHOWN:
        name = f"{users} x {songs} {model}"
        if notebook.has("classic", name):
            continue
        if time.monotonic() > deadline:
            raise OverTimeError
        if not notebook.has("classic data", f"{users} x {songs}"):
            notebook.note("classic data", f"{users} x {songs}", **measured("classic.prepare", **asked))
        found = measured("classic.evaluate", **asked, model=model, lists=settings.lists)
        notebook.note("classic", name, users=users, songs=songs, model=model, **found)


if __name__ == "__main__":
    main()
