"""ALS by both engines under the same settings, on validation: `python -m benchmarks.cluster.als_grid`.

MLlib weighs the regularisation by the pairs of a user or item. The local model `ials` can do so too, and then
minimises the same loss. `als`, by the library `implicit`, cannot: its l is MLlib's times the mean number of pairs of a
user. What was measured is kept in a file, so that the command goes on after a stop.
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
from benchmarks.scale.parts import print_tables
from common.cluster.session import spark_session
from common.evaluation.recommendations import Evaluation
from common.evaluation.task import Task, split
from common.experiments.flags import command
from common.models import ALS
from common.models.base import Recommender
from common.models.linear.als import ALSSettings
from common.models.linear.ials import IALS, IALSSettings
from common.reporting.markdown_blocks import Table, fill
from common.splits.train_view import TrainView
from common.utils.io import ROOT, write_text
from common.utils.settings import check_ranges

MARKER, BEST = "cluster als", "cluster als-best"
LOCAL = ("ials", "als")
"""Models of the local engine, the one with the loss of MLlib first."""
COMPARED = ("Spark, NDCG@10", "local", "difference", "standard error of it", "in standard errors")
Row = dict[str, Any]


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
    """MLlib's; that of `als` is times the pairs of a user, on average."""
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
    """Markdown page whose blocks <!-- cluster als --> and <!-- cluster als-best --> receive the tables."""

    def check(self) -> None:
        """Raise a UserError for a setting that ALS refuses."""
        for chosen in grid(self):
            check_ranges("", chosen)


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Fit what is not noted yet; print the tables."""
    from common.data.dataset import load_dataset

    settings, page = asked_for(Settings, argv)
    task = split(load_dataset(settings.dataset), settings.protocol)
    notebook = Notebook(settings.folder / "findings.jsonl")
    measure(settings, task, notebook)
    made = {MARKER: table(notebook).markdown(), BEST: best(notebook).markdown()}
    print_tables(made)
    if settings.page:
        for marker, text in made.items():
            page = fill(page, marker, text)
        write_text(settings.page, page)


def measure(settings: Settings, task: Task, notebook: Notebook) -> None:
    """Fit with each setting of the grid, first all by the local engine."""
    for name in LOCAL:
        for chosen in left(settings, notebook, name):
            model, train = same_loss(chosen, task.train) if name == "ials" else like_it(chosen, task.train)
            note(notebook, name, chosen, model, task.valid.evaluate(model.fit(train)))
    if not left(settings, notebook, "spark"):
        return
    with spark_session(settings.master, executor_memory=settings.executor_memory) as spark:
        for chosen in left(settings, notebook, "spark"):
            model = ALS(chosen, seed=0)
            note(notebook, "spark", chosen, model, fit(spark, task, model, settings.folder / "spark")[1])


def same_loss(chosen: ALSSettings, train: TrainView) -> tuple[Recommender, TrainView]:
    """`ials` with the loss that MLlib has under some settings, and what it is fitted on.

    MLlib's is the sum of c_ui (p_ui - x_u . y_i)^2 with c_ui = 1 + alpha for the pairs, 1 for the rest, and of
    l n_u |x_u|^2 and l n_i |y_i|^2, n counting pairs. `ials` divides n_i by n' = sum n_i^2 / sum n_i and n_u by its
    mean; l n' for its l, and mean n_u / n' for its user_share, take that back. It leaves out listens of items with no
    more listeners than the view's floor, MLlib does not, so that its view has none.
    """
    typical = float((train.counts.astype(float) ** 2).sum() / train.counts.sum())
    settings = IALSSettings(
        factors=chosen.factors,
        rounds=chosen.iterations,
        regularisation=chosen.regularisation * typical,
        frequency=1.0,
        shift=0.0,
        user_share=float(train.histories.lengths.mean()) / typical,
        alpha=chosen.alpha,
        lowest=1.0,
        tag_weight=0.0,
        discount=0.0,
    )
    return IALS(settings, seed=0), replace(train, count_floor=0)


def like_it(chosen: ALSSettings, train: TrainView) -> tuple[Recommender, TrainView]:
    """`als` with MLlib's settings, its l times the pairs of a user on average, and what it is fitted on."""
    weight = chosen.regularisation * float(train.histories.lengths.mean())
    return ALS(replace(chosen, regularisation=weight), seed=0), train


def left(settings: Settings, notebook: Notebook, by: str) -> list[ALSSettings]:
    """What of the grid is not noted of Spark or a local model."""
    return [chosen for chosen in grid(settings) if not notebook.has(by, name_of(chosen))]


def grid(settings: Settings) -> list[ALSSettings]:
    """Every combination."""
    values = product(settings.factors, settings.regularisation, settings.alpha)
    return [
        ALSSettings(factors=factors, iterations=settings.iterations, regularisation=weight, alpha=alpha)
        for factors, weight, alpha in values
    ]


def name_of(settings: ALSSettings) -> str:
    """Under which figures are noted."""
    return (
        f"{settings.factors} factors, {settings.iterations} iterations, {settings.regularisation:g}, {settings.alpha:g}"
    )


def note(notebook: Notebook, by: str, chosen: ALSSettings, model: Recommender, found: Evaluation) -> None:
    """Note what a fit reaches for each user."""
    users = found.per_user.sort_values("user_id")["ndcg_10"]
    about = {"chosen": asdict(chosen), "settings": asdict(model.settings)}
    notebook.note(by, name_of(chosen), **about, per_user=users.round(6).tolist())
    print(f"{by}: {name_of(chosen)}: {users.mean():.4f}", flush=True)


def table(notebook: Notebook) -> Table:
    """What Spark and each local model reach under one setting, and how far they differ, paired over users."""
    header = ["local model", "factors", "alpha", "l of Spark", "l of the local model", *COMPARED]
    cells = []
    for name in LOCAL:
        for spark in notebook.of("spark"):
            if local := notebook.findings.get((name, spark["name"])):
                chosen = [f"{spark['chosen'][key]:g}" for key in ("factors", "alpha", "regularisation")]
                own = f"{local['settings']['regularisation']:.0f}"
                cells.append([f"`{name}`", *chosen, own, *compared(spark, local)])
    return Table(header, cells, texts=1)


def best(notebook: Notebook) -> Table:
    """The best setting of Spark against the best of each local model."""
    header = ["local model", "best of Spark: factors, l", "best of the local model: factors, l of Spark", *COMPARED]
    cells = []
    for name in LOCAL:
        if notebook.of(name) and notebook.of("spark"):
            rows = [max(notebook.of(by), key=reached) for by in ("spark", name)]
            chosen = [f"{row['chosen']['factors']}, {row['chosen']['regularisation']:g}" for row in rows]
            cells.append([f"`{name}`", *chosen, *compared(*rows)])
    return Table(header, cells, texts=1)


def reached(row: Row) -> float:
    """NDCG@10 over all users."""
    return float(np.mean(row["per_user"]))


def compared(spark: Row, local: Row) -> list[str]:
    """Cells below COMPARED."""
    by_user = np.array(spark["per_user"]) - np.array(local["per_user"])
    error = by_user.std(ddof=1) / len(by_user) ** 0.5
    return [
        *(f"{reached(row):.4f}" for row in (spark, local)),
        *(f"{by_user.mean():+.4f}", f"{error:.4f}", f"{by_user.mean() / error:+.1f}" if error else "-"),
    ]


if __name__ == "__main__":
    main()
