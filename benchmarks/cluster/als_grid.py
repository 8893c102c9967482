"""ALS by both engines under the same settings, on validation: `python -m benchmarks.cluster.als_grid`.

MLlib weighs the regularisation by the pairs of a user or item, `implicit` does not: l of MLlib stands beside l times
the mean number of pairs of a user for `implicit`. What was measured is kept in a file, so that the command goes on
after a stop.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.cluster.parts import fit
from benchmarks.notebook import Notebook
from common.cluster.session import spark_session
from common.evaluation.recommendations import Evaluation
from common.evaluation.task import Task, split
from common.experiments.flags import command, parse_flags
from common.models import ALS
from common.models.linear.als import ALSSettings
from common.reporting.markdown_blocks import Table, fill, read_page
from common.utils.io import ROOT, write_text

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

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


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Fit what is not noted yet; print the table."""
    from common.data.dataset import load_dataset

    settings = parse_flags(Settings, list(sys.argv[1:] if argv is None else argv), Settings())
    page = read_page(settings.page) if settings.page else ""
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
    for chosen in grid(settings):
        own = replace(chosen, regularisation=chosen.regularisation * pairs)
        keep(notebook, "local", chosen, own, lambda: task.valid.evaluate(ALS(own, seed=0).fit(task.train)))  # noqa: B023
    if all(notebook.has("spark", name_of(chosen)) for chosen in grid(settings)):
        return
    with spark_session(settings.master, executor_memory=settings.executor_memory) as spark:
        for chosen in grid(settings):
            keep(notebook, "spark", chosen, chosen, lambda: by_spark(spark, task, chosen, settings.folder))  # noqa: B023


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


def keep(notebook: Notebook, engine: str, chosen: ALSSettings, own: ALSSettings, run: Callable[[], Evaluation]) -> None:
    """Note what a fit reaches for each user, where it is not noted."""
    if notebook.has(engine, name_of(chosen)):
        return
    users = run().per_user.sort_values("user_id")["ndcg_10"]
    notebook.note(engine, name_of(chosen), settings=asdict(own), per_user=users.round(6).tolist())
    print(f"{engine}: {name_of(chosen)}: {users.mean():.4f}", flush=True)


def by_spark(spark: "SparkSession", task: Task, chosen: ALSSettings, folder: Path) -> Evaluation:
    """Fit and measure by Spark."""
    return fit(spark, task, ALS(chosen, seed=0), folder / "spark")[1]


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
