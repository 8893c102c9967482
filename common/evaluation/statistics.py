"""How sure a figure is: bootstrap intervals over users, paired tests, Holm's correction, rows against a reference."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from common.utils.errors import UserError

DRAWS = 2000
"""How often the users are drawn."""


KEPT = 10_000
"""Up to so many users a drawing is kept for the next figure, which takes the same: at most 40 MB."""


SWAPS = 10_000
"""How often a test swaps two models at random; the least p-value is 1 / (SWAPS + 1)."""


CHUNK = 1000
"""Swaps that are drawn at a time."""


def bootstrap_interval(per_user: np.ndarray, level: float = 0.95, seed: int = 0) -> tuple[float, float]:
    """Percentile interval of a mean over users: the users are drawn anew, with replacement (Efron 1979).

    `per_user` are values float (users,), of a paired comparison the differences of each user.

    >>> bootstrap_interval(np.array([0.5, 0.5, 0.5]))
    (0.5, 0.5)
    """
    draws = (_kept_draws if len(per_user) <= KEPT else _draws)(len(per_user), seed)
    means = draws @ np.asarray(per_user, float) / len(per_user)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _draws(n_users: int, seed: int) -> np.ndarray:
    """How often each drawing has each user, int16 (DRAWS, n_users); a user is hardly drawn ten times."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(n_users, np.full(n_users, 1 / n_users), size=DRAWS).astype(np.int16)


_kept_draws = lru_cache(maxsize=1)(_draws)


def paired_p(differences: np.ndarray, seed: int = 0) -> np.ndarray:
    """Two-sided p-values of a paired randomisation test (Fisher 1935; for rankings Smucker, Allan and Carterette 2007).

    `differences` float (users,) or (users, models): what a model has more than the reference, user by user. If both
    were alike, each user's difference might as well have the other sign; p is the share of SWAPS random choices of
    signs whose mean lies at least as far from 0 as the mean that was found. Returns float (models,), () for one model.

    >>> paired_p(np.zeros(5)).item()
    1.0
    >>> bool(paired_p(np.full(40, 0.01)) < 0.001)
    True
    """
    values = np.asarray(differences, float)
    columns = values.reshape(len(values), -1)
    found = np.abs(columns.sum(axis=0))
    rng, as_far = np.random.default_rng(seed), np.zeros(columns.shape[1])
    for _ in range(SWAPS // CHUNK):
        signs = rng.integers(0, 2, (CHUNK, len(columns)), dtype=np.int8).astype(np.float64) * 2 - 1
        as_far += (np.abs(signs @ columns) >= found - 1e-12).sum(axis=0)
    return ((as_far + 1) / (SWAPS + 1)).reshape(values.shape[1:])


def holm(p_values: np.ndarray) -> np.ndarray:
    """P-values that hold for all of several tests at once (Holm 1979), in the order given, at most 1.

    The smallest is multiplied by their number, the next by one less, ...; none may fall below one before it.

    >>> holm(np.array([0.03, 0.01, 0.04])).round(3).tolist()
    [0.06, 0.03, 0.06]
    """
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(order), 0, -1)
    adjusted = np.empty(len(order))
    adjusted[order] = np.maximum.accumulate(np.minimum(1.0, np.asarray(p_values, float)[order] * factors))
    return adjusted


def paired_differences(models: Sequence[np.ndarray]) -> list[dict[str, float]]:
    """What each of several models has more than the reference, from its differences float (users,), user by user.

    difference: their mean; low, high: its 95% interval; p: two-sided; p_holm: p corrected for the number of models.

    >>> paired_differences([np.full(40, 0.5)])[0]["low"]
    0.5
    """
    if len({len(differences) for differences in models}) == 1:
        p_values = paired_p(np.column_stack(models))
    else:
        p_values = np.array([paired_p(differences).item() for differences in models])
    found = []
    for differences, p, adjusted in zip(models, p_values, holm(p_values), strict=True):
        low, high = bootstrap_interval(differences)
        mean = float(differences.mean())
        found.append({"difference": mean, "low": low, "high": high, "p": float(p), "p_holm": float(adjusted)})
    return found


class Measured(NamedTuple):
    """A metric of one model: its value, and that of each user by id; None where it is of all lists together only."""

    label: str
    value: float
    by_user: pd.Series | None


def paired_table(rows: Sequence[Measured]) -> pd.DataFrame:
    """One row per model: model, value; and of every one but the first, the reference, its paired difference.

    difference: the mean over the users whom both have a value for (users); low, high: its 95% bootstrap interval;
    p, p_holm: two-sided, by itself and after Holm's correction over the compared models; excludes_zero, significant:
    whether the interval excludes zero, and whether p_holm < 0.05, too; higher, lower: users whose value is so. NaN
    where a metric exists for all lists together only, like coverage.
    """
    table: list[dict[str, Any]] = [{"model": row.label, "value": row.value} for row in rows]
    tested: dict[int, np.ndarray] = {}
    for place, row in enumerate(rows[1:], start=1):
        if row.by_user is None or rows[0].by_user is None:
            table[place]["difference"] = row.value - rows[0].value
        elif len(values := (row.by_user - rows[0].by_user).dropna().to_numpy(float)):
            tested[place] = values
    for (place, values), found in zip(tested.items(), paired_differences(list(tested.values())), strict=True):
        counts = {"users": len(values), "higher": int((values > 0).sum()), "lower": int((values < 0).sum())}
        table[place] |= found | counts
    columns = ["model", "value", "difference", "users", "low", "high", "p", "higher", "lower"]
    frame = pd.DataFrame(table).reindex(columns=[*columns, "p_holm"])
    frame["excludes_zero"] = (frame["low"] > 0) | (frame["high"] < 0)
    frame["significant"] = frame["excludes_zero"] & (frame["p_holm"] < LEVEL)
    return frame[[*columns, "excludes_zero", "significant", "p_holm"]]


def by_user(per_user: pd.DataFrame) -> pd.DataFrame:
    """Metrics by user id; of a newcomer the mean over the numbers of given items."""
    table = per_user.drop(columns="given", errors="ignore")
    return table.assign(user_id=table["user_id"].astype(object)).groupby("user_id").mean()


REFERENCE = ("als", "tuned")
"""Model and preset of the row that the others are compared with."""


LEVEL = 0.05
"""A row whose adjusted p-value lies below is told apart from the reference."""


METRIC = "ndcg_10"


RENAMED = {"low": "difference_low", "high": "difference_high", "p": "p_alone", "p_holm": "p"}
"""What a leaderboard calls those keys of `paired_differences` that mean something else there."""


Row = tuple[str, str]


def mean_over_seeds(seeds: Sequence[pd.DataFrame]) -> pd.Series:
    """METRIC of each user, averaged over model seeds (and over the numbers of items given of a newcomer), by user id.

    `seeds` are the per-user tables of one row's runs: user_id and a column per metric.
    """
    means = [by_user(table[["user_id", METRIC]])[METRIC] for table in seeds]
    if any(not of_seed.index.equals(means[0].index) for of_seed in means):
        raise UserError("the seeds of a row were scored on different users, so they have no mean; run them again")
    return sum(means[1:], start=means[0]) / len(means)


def significance(seeds: Mapping[Row, Sequence[pd.DataFrame]]) -> pd.DataFrame:
    """For each row of a leaderboard, from the per-user tables of its seeds, by (model, preset):

    ndcg_10_low, ndcg_10_high: 95% bootstrap interval over users of the mean over seeds; and, where the reference row is
    among them, difference (mean over users of row - reference), difference_low, difference_high, p_alone, and p,
    which is p_alone Holm-adjusted over all rows compared. The reference's own differences are NaN.
    """
    per_user = {row: mean_over_seeds(tables) for row, tables in seeds.items()}
    table: dict[Row, dict[str, float]] = {}
    for row, values in per_user.items():
        low, high = bootstrap_interval(values.to_numpy())
        table[row] = {f"{METRIC}_low": low, f"{METRIC}_high": high}
    others = [row for row in per_user if row != REFERENCE and REFERENCE in per_user]
    differences = [(per_user[row] - per_user[REFERENCE].reindex(per_user[row].index)).to_numpy() for row in others]
    if any(np.isnan(values).any() for values in differences):
        raise UserError("the rows were scored on different users, so they cannot be compared; run them again")
    for row, found in zip(others, paired_differences(differences), strict=True):
        table[row] |= {RENAMED.get(key, key): value for key, value in found.items()}
    frame = pd.DataFrame.from_dict(table, orient="index")
    frame.index = pd.MultiIndex.from_tuples(table, names=["model", "preset"])
    return frame
