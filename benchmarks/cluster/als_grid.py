"""ALS by both engines under the same settings, on validation: `python -m benchmarks.cluster.als_grid`.

MLlib weighs the regularisation by the pairs of a user or item, `implicit` does not: l of MLlib stands beside l times
the mean number of pairs of a user for `implicit`. What was measured is kept in a file, so that the command goes on
after a stop.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cluster.parts import fit
from benchmarks.flags import asked_for
from benchmarks.notebook import Notebook
from common.cluster.session import spark_session
from common.evaluation.recommendations import Evaluation
from common.evaluation.task import Task, split
from common.experiments.flags import command
from common.models import ALS
from common.models.linear.als import ALSSettings
from common.reporting.markdown_blocks import Table, fill
from common.utils.io import ROOT, write_text
from common.utils.settings import check_ranges

MARKER = "cluster als"


@dataclass(frozen=True)
class Settings:
    """Fit ALS with every combination of some settings by both engines, and compare what they reach on validation."""

    dataset: str = "lastfm-2k"
    """Data set."""
    protocol: str = "listen"
    """How it is split."""
    factors: tuple[int, ...] = (32, 64, 128)
    """Lengths of the vectors."""
    regularisation: tuple[float, ...] = (1.0, 3.0)
    """MLlib's; that of the local engine is times the pairs of a user, on average."""
    alpha: tuple[float, ...] = (20.0,)
    """Weights of the plays."""
    iterations: int = 8
    """Of every fit."""
    master: str = "local[2]"
    """Spark master."""
    executor_memory: str = "1g"
    """Heap of an executor."""
    folder: Path = ROOT / "outputs" / "cluster" / "als-grid"
    """Folder for what is measured."""
    page: Path | None = None
    """Markdown page whose block <!-- cluster als --> receives the table."""

    def check(self) -> None:
        """Raise a UserError for a setting that ALS refuses."""
        for chosen in grid(self):
            check_ranges("", chosen)


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Fit what is not noted yet; print the table."""
    from common.data.dataset import load_dataset

    settings, page = asked_for(Settings, argv)
    task = split(load_dataset(settings.dataset), settings.protocol)
    notebook = Notebook(settings.folder / "findings.jsonl")
    measure(settings, task, notebook)
    made = table(notebook).markdown()
    print(made)
    if settings.page:
        write_text(settings.page, fill(page, MARKER, made))


def measure(settings: Settings, task: Task, notebook: Notebook) -> None:
    """Fit with each setting of the grid, first all by the local engine."""
    pairs = len(task.train.histories.items) / task.train.n_users
    for chosen in left(settings, notebook, "local"):
        own = replace(chosen, regularisation=chosen.regularisation * pairs)
        note(notebook, "local", chosen, own, task.valid.evaluate(ALS(own, seed=0).fit(task.train)))
    if not left(settings, notebook, "spark"):
        return
    with spark_session(settings.master, executor_memory=settings.executor_memory) as spark:
        for chosen in left(settings, notebook, "spark"):
            _, found = fit(spark, task, ALS(chosen, seed=0), settings.folder / "spark")
            note(notebook, "spark", chosen, chosen, found)


def left(settings: Settings, notebook: Notebook, engine: str) -> list[ALSSettings]:
    """What of the grid is not noted of an engine."""
    return [chosen for chosen in grid(settings) if not notebook.has(engine, name_of(chosen))]


def grid(settings: Settings) -> list[ALSSettings]:
    """Every combination."""
    values = product(settings.factors, settings.regularisation, settings.alpha)
    return [
        ALSSettings(factors=factors, iterations=settings.iterations, regularisation=weight, alpha=alpha)
        for factors, weight, alpha in values
    ]


def name_of(settings: ALSSettings) -> str:
    """Under which both engines' figures are noted."""
    return (
        f"{settings.factors} factors, {settings.iterations} iterations, {settings.regularisation:g}, {settings.alpha:g}"
    )


def note(notebook: Notebook, engine: str, chosen: ALSSettings, own: ALSSettings, found: Evaluation) -> None:
    """Note what a fit reaches for each user."""
    users = found.per_user.sort_values("user_id")["ndcg_10"]
    notebook.note(engine, name_of(chosen), settings=asdict(own), per_user=users.round(6).tolist())
    print(f"{engine}: {name_of(chosen)}: {users.mean():.4f}", flush=True)


def table(notebook: Notebook) -> Table:
    """What both reach, and how far they differ, paired over users."""
    header = [
        *("factors", "alpha", "l of Spark", "l of the local engine", "Spark, NDCG@10", "local"),
        *("difference", "standard error of it"),
    ]
    local = {row["name"]: row for row in notebook.of("local")}
    rows = [(row, local[row["name"]]) for row in notebook.of("spark") if row["name"] in local]
    return Table(header, [_cells(*pair) for pair in rows], texts=0)


def _cells(spark: dict[str, Any], local: dict[str, Any]) -> list[str]:
    ours, theirs = np.array(local["per_user"]), np.array(spark["per_user"])
    settings, by_user = spark["settings"], theirs - ours
    return [
        *(f"{settings['factors']}", f"{settings['alpha']:g}", f"{settings['regularisation']:g}"),
        *(f"{local['settings']['regularisation']:.0f}", f"{theirs.mean():.4f}", f"{ours.mean():.4f}"),
        *(f"{by_user.mean():+.4f}", f"{by_user.std(ddof=1) / len(by_user) ** 0.5:.4f}"),
    ]


if __name__ == "__main__":
    main()
