"""How sure the rows of a leaderboard are: intervals over users, a paired test against one reference row."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from common.errors import UserError
from common.evaluation.statistics import bootstrap_interval, paired_differences
from common.files import read_parquet

REFERENCE = ("als", "tuned")
"""Model and preset of the row that the others are compared with."""
LEVEL = 0.05
"""A row whose adjusted p-value lies below is told apart from the reference."""
METRIC = "ndcg_10"
Row = tuple[str, str]


def mean_over_seeds(folders: Sequence[Path], metric: str = METRIC) -> pd.Series:
    """A metric of each user, averaged over model seeds (and over the rungs of a newcomer): float (users,) by user id.

    `folders` hold the `per_user.parquet` of each seed.
    """
    seeds = [
        read_parquet(folder / "per_user.parquet")[["user_id", metric]]
        .assign(user_id=lambda table: table["user_id"].astype(object))
        .groupby("user_id")[metric]
        .mean()
        for folder in folders
    ]
    if any(not seed.index.equals(seeds[0].index) for seed in seeds):
        raise UserError(f"{folders[0].parents[1]}: its seeds were scored on different users; run them again")
    return sum(seeds[1:], start=seeds[0]) / len(seeds)


def certainty(folders: Mapping[Row, Sequence[Path]], reference: Row = REFERENCE) -> pd.DataFrame:
    """For each row of a leaderboard, from the result folders of its seeds, by (model, preset):

    ndcg_10_low, ndcg_10_high: 95% bootstrap interval over users of the mean over seeds; and, where the reference row is
    among them, difference (mean over users of row - reference), difference_low, difference_high, p_alone, and p,
    which is p_alone Holm-adjusted over all rows compared. The reference's own differences are NaN.
    """
    per_user = {row: mean_over_seeds(found) for row, found in folders.items()}
    table: dict[Row, dict[str, float]] = {}
    for row, values in per_user.items():
        low, high = bootstrap_interval(values.to_numpy())
        table[row] = {f"{METRIC}_low": low, f"{METRIC}_high": high}
    others = [row for row in per_user if row != reference]
    if reference in per_user and others:
        for row, found in zip(others, compared([per_user[row] for row in others], per_user[reference]), strict=True):
            table[row] |= found
    frame = pd.DataFrame.from_dict(table, orient="index")
    frame.index = pd.MultiIndex.from_tuples(table, names=["model", "preset"])
    return frame


def compared(rows: Sequence[pd.Series], reference: pd.Series) -> list[dict[str, Any]]:
    """Each row's difference to the reference: difference, difference_low and _high, p_alone, and p (Holm-adjusted)."""
    differences = [row.to_numpy() - reference.reindex(row.index).to_numpy() for row in rows]
    if any(np.isnan(values).any() for values in differences):
        raise UserError("the rows were scored on different users, so they cannot be compared; run them again")
    return [
        {
            "difference": of["difference"],
            "difference_low": of["low"],
            "difference_high": of["high"],
            "p_alone": of["p"],
            "p": of["p_holm"],
        }
        for of in paired_differences(differences)
    ]


def is_apart(p: float) -> bool:
    """Whether a row can be told from the reference: its adjusted p-value lies below LEVEL."""
    return bool(p < LEVEL)
