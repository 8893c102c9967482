"""How well plays are predicted by group: a stratified holdout of visible pairs, with new and cold users, new items.

The pairs are drawn from a train view, so no held-out pair of the split is used; the model is fitted without them.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from common.evaluation.play_counts import mean_plays, order_ndcg, plays_metrics
from common.models.base import Recommender
from common.splits.cross_fitting import without
from common.splits.train_view import TrainView
from common.utils.arrays import random_places

SHARE = 0.1
"""Share of the pairs that are held out in each stratum."""
GROUP_SHARE = 0.03
"""Share of the users who become new, of those who become cold, and of the items that become new."""
COLD = 5
"""Users with fewer interactions than this are cold."""
STRATA = 4
"""Groups of about as many pairs each by activity of the user, and by popularity of the item."""


@dataclass(frozen=True)
class PlaysSplit:
    """Pairs held out of the visible interactions.

    left: the visible data without them. users, items: int64 (pairs,); log_plays: float64 (pairs,); stratified: bool
    (pairs,), drawn by stratum rather than for being of a new or cold user or of a new item.
    """

    left: TrainView
    users: np.ndarray
    items: np.ndarray
    log_plays: np.ndarray
    stratified: np.ndarray

    def groups(self) -> dict[str, np.ndarray]:
        """The pairs of each group, bool (pairs,): all, warm and cold users, new users, new items.

        `all` are those of the stratified draw; the others stand for themselves.
        """
        known = self.left.histories.lengths[self.users]
        new_item = self.left.counts[self.items] == 0
        return {
            "all": self.stratified,
            "warm users": (known >= COLD) & ~new_item,
            "cold users": (known > 0) & (known < COLD) & ~new_item,
            "new users": (known == 0) & ~new_item,
            "new items": new_item,
        }


def plays_split(train: TrainView, seed: int = 0) -> PlaysSplit:
    """Hold out SHARE of the pairs of each stratum (activity of the user x popularity of the item, in quarters), at even
    steps through the strata, so that small ones need no care; and besides all pairs of some users (new), all but 1 to
    COLD - 1 of some others (cold), and all pairs of some items."""
    rng, history = np.random.default_rng([seed, 8]), train.histories
    users, items = history.rows, history.items.astype(np.int64)
    n_group = max(1, round(GROUP_SHARE * train.n_users))
    drawn = rng.permutation(np.flatnonzero(history.lengths > 0))
    new, cold = drawn[:n_group], drawn[n_group : 2 * n_group]
    known = np.flatnonzero(train.counts > 0)
    new_items = rng.permutation(known)[: max(1, round(GROUP_SHARE * len(known)))]
    place = random_places(users, rng)
    keeps = np.full(train.n_users, len(users))
    keeps[new], keeps[cold] = 0, rng.integers(1, COLD, len(cold))
    gone = (place >= keeps[users]) | np.isin(items, new_items)
    rest = np.flatnonzero(~gone & ~np.isin(users, cold))
    strata = quarters(history.lengths[users])[rest] * STRATA + quarters(train.counts[items])[rest]
    by_stratum = rest[np.lexsort((rng.random(len(rest)), strata))]
    every = round(1 / SHARE)
    stratified = np.zeros(len(users), bool)
    stratified[by_stratum[rng.integers(min(every, max(1, len(rest)))) :: every]] = True
    held = gone | stratified
    log_plays = np.log1p(history.weights[held].astype(float))
    return PlaysSplit(without(train, held), users[held], items[held], log_plays, stratified[held])


def quarters(values: np.ndarray) -> np.ndarray:
    """Which of STRATA groups of about as many entries each a value lies in; equal values lie together.

    >>> quarters(np.array([1, 9, 5, 5, 3, 7])).tolist()
    [0, 3, 1, 1, 0, 3]
    """
    edges = np.quantile(values, np.arange(1, STRATA) / STRATA)
    return np.searchsorted(edges, values, side="left")


def predict(model: Recommender, split: PlaysSplit) -> pd.DataFrame:
    """Held-out pairs with true and predicted log plays, and what the means say; empty where none are predicted."""
    predicted = model.predict_plays(split.users, split.items)
    if predicted is None:
        return pd.DataFrame()
    return pd.DataFrame(
        {
            "user": split.users,
            "item": split.items,
            "log_plays": split.log_plays,
            "predicted": predicted.astype(float),
            "reference": mean_plays(split.left, split.users, split.items),
            **split.groups(),
        }
    )


def by_group(pairs: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """A row per group: pairs, users, rmse, mae, r2 and reference_r2 (of the means), ndcg and reference_ndcg.

    R2 is against the group's own mean; NDCG that of the order of each user's plays.
    """
    rows: list[dict[str, Any]] = []
    for name in names:
        own = pairs[pairs[name].to_numpy()]
        if len(own) < 2:
            continue
        users, true = own["user"].to_numpy(), own["log_plays"].to_numpy()
        row: dict[str, Any] = {"group": name, "pairs": len(own), "users": own["user"].nunique()}
        for prefix, column in (("", "predicted"), ("reference_", "reference")):
            predicted = own[column].to_numpy()
            measured = plays_metrics(true, predicted)
            row |= {f"{prefix}{key}": measured[key] for key in ("rmse", "mae", "r2")}
            row[f"{prefix}ndcg"] = order_ndcg(users, true, predicted)
        rows.append(row)
    return pd.DataFrame(rows)
