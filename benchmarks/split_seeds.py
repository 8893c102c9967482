"""One row of a leaderboard against others on several split seeds, by runs that are there.

    python -m benchmarks.split_seeds rank_fusion/top10 hybrid_listnet ials als --seeds 21 22 23 24 25 \\
        --page docs/results/listen.md

The first row is compared with each of the others, user by user. A user's difference is the mean over the splits and,
with `--model-seeds`, over the runs with these seeds, so that each user counts once; its interval is the bootstrap's
over users, its p-value that of the paired randomisation test, corrected for all tests of the table (Holm 1979). The
page's block `<!-- split-seeds DATASET PROTOCOL ROW -->` is filled.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import tyro

from benchmarks.flags import asked_for
from common.evaluation.registry import label
from common.evaluation.statistics import bootstrap_interval, holm, paired_p
from common.experiments.flags import command
from common.experiments.outputs import Outputs, read_results
from common.experiments.run import Run, RunKey
from common.reporting.markdown_blocks import Table, fill_page
from common.splits.store import folder_name
from common.utils.errors import UserError, check_known
from common.utils.io import ROOT
from common.utils.terminal import show

METRICS = ("ndcg_10", "recall_20")


@dataclass(frozen=True)
class Settings:
    """One row of a leaderboard against others on several split seeds."""

    rows: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    """MODEL or MODEL/PRESET; the first is compared with each of the others."""
    seeds: tuple[int, ...] = ()
    """Split seeds; of each every row must have been run."""
    model_seeds: tuple[int, ...] = (0,)
    """Seeds of the models (`--seed` of a stage), of each of which every row must have been run on every split."""
    dataset: str = "lastfm-2k"
    """Folder under outputs/."""
    protocol: str = "listen"
    """What was held out."""
    part: str = "test"
    """test or valid."""
    metrics: tuple[str, ...] = METRICS
    """Metrics as metrics.json names them."""
    output_dir: Path = ROOT / "outputs"
    """Folder that holds the results."""
    page: Path | None = None
    """Markdown page whose block receives the tables."""

    def check(self) -> None:
        """Raise a UserError where there is nothing to compare, for a seed named twice, and for a part there is not."""
        check_known("value of --part", ("test", "valid"), self.part)
        for flag, seeds in (("--seeds", self.seeds), ("--model-seeds", self.model_seeds)):
            if len(set(seeds)) < len(seeds):
                raise UserError(f"{flag} names a seed twice; name each once")
        if len(self.rows) < 2 or not self.seeds or not self.model_seeds:
            raise UserError("name a row and at least one other to compare it with, and at least one of --seeds")


@dataclass(frozen=True)
class RowOnSplit:
    """A row on one split: whose it is, and each metric as the mean over the seeds of the model."""

    key: RunKey
    metrics: pd.Series
    """Of all users, by metric."""
    by_user: pd.DataFrame
    """A row per user, a column per metric."""


def results_by_row(settings: Settings) -> dict[str, list[RowOnSplit]]:
    """The results of each row, split by split.

    Raises a UserError for the first that is missing, lacks a metric or is of another drawing of its split.
    """
    outputs, found, metrics = Outputs(settings.output_dir), dict[str, list[RowOnSplit]](), list(settings.metrics)
    for seed in settings.seeds:
        split = folder_name(settings.protocol, seed)
        first = [outputs.find(row, settings.dataset, split) for row in settings.rows]
        runs = [Run(run.folder.with_name(f"seed{model_seed}")) for run in first for model_seed in settings.model_seeds]
        read = read_results(runs, settings.part)
        for place, row in enumerate(settings.rows):
            of_seeds = read[place * len(settings.model_seeds) :][: len(settings.model_seeds)]
            if unknown := [metric for metric in metrics for one in of_seeds if metric not in one.by_user]:
                raise UserError(f"{row} has no metric {unknown[0]!r} of each user; see its per_user.parquet")
            of_all = pd.DataFrame([one.metrics for one in of_seeds])[metrics].mean()
            by_user = pd.concat([one.by_user[metrics] for one in of_seeds]).groupby(level=0).mean()
            found.setdefault(row, []).append(RowOnSplit(of_seeds[0].run.key, of_all, by_user))
    return found


def values(rows: dict[str, list[RowOnSplit]], settings: Settings) -> Table:
    """Each metric of each row on each split, and its mean."""
    header = ["Metric", "Model", "Preset", *(f"seed {seed}" for seed in settings.seeds), "mean"]
    cells = []
    for metric in settings.metrics:
        for results in rows.values():
            of_splits = [one.metrics[metric] for one in results]
            numbers = [f"{value:.4f}" for value in (*of_splits, np.mean(of_splits))]
            cells.append([label(metric), results[0].key.model, results[0].key.preset, *numbers])
    return Table(header, cells, texts=3)


def differences(rows: dict[str, list[RowOnSplit]], settings: Settings) -> Table:
    """What the first row has more than each of the others: the mean over users and splits, and the least of a split."""
    (_, first), *others = rows.items()
    tests = [(metric, results) for metric in settings.metrics for _, results in others]
    by_split = [
        [(one.by_user[metric] - other.by_user[metric]).dropna() for one, other in zip(first, results, strict=True)]
        for metric, results in tests
    ]
    by_user = [pd.concat(splits, axis=1).mean(axis=1).to_numpy() for splits in by_split]
    adjusted = holm(np.array([paired_p(of_users).item() for of_users in by_user]))
    cells = []
    for (metric, results), splits, of_users, p in zip(tests, by_split, by_user, adjusted, strict=True):
        low, high = bootstrap_interval(of_users)
        reference = np.mean([one.metrics[metric] for one in results])
        seed, least = min(zip(settings.seeds, splits, strict=True), key=lambda pair: float(pair[1].mean()))
        of_least = bootstrap_interval(least.to_numpy())
        cells.append(
            [
                *(label(metric), f"{results[0].key.model}, {results[0].key.preset}"),
                *(f"{of_users.mean():+.4f}", f"{100 * of_users.mean() / reference:+.1f}%"),
                *(f"{low:+.4f} to {high:+.4f}", f"{p:.4f}"),
                f"{least.mean():+.4f} ({of_least[0]:+.4f} to {of_least[1]:+.4f}), seed {seed}",
            ]
        )
    header = ["Metric", "Against", "difference", "share", "95% interval over users", "p, Holm", "least of a split"]
    return Table(header, cells, texts=2)


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Print both tables, and fill a page's block."""
    settings, page = asked_for(Settings, argv)
    rows = results_by_row(settings)
    text = f"{values(rows, settings).markdown()}\n{differences(rows, settings).markdown()}"
    show(text)
    if settings.page:
        key = next(iter(rows.values()))[0].key
        marker = f"split-seeds {key.dataset} {settings.protocol} {key.model}/{key.preset}"
        fill_page(settings.page, page, {marker: text}, key.dataset)


if __name__ == "__main__":
    main()
