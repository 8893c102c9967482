"""Metrics by segment: users by the length of their history, held-out items by what is known of them."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import pandas as pd

from common.evaluation.metric_suite import described_items, found_by_visibility
from common.evaluation.statistics import bootstrap_interval, mean_over_seeds
from common.splits.train_view import TrainView

GROUPS = 3
"""Groups of users and of held-out items, of about as many each."""


FOUND = 20
"""A held-out item counts as found within so many."""
FIFTHS = ("rarest", "second", "third", "fourth", "most frequent")
"""Groups of items, from rare to frequent, that have a fifth of all visible interactions each."""


class Results(Protocol):
    """One run's results on one part of a split: the per-user table and the targets."""

    @property
    def per_user(self) -> pd.DataFrame:
        """user_id, [given,] and a column per metric."""

    @property
    def targets(self) -> pd.DataFrame:
        """A row per held-out pair: item_id, rank, rank_sampled99, listeners, ..."""


def segments(rows: Mapping[str, Sequence[Results]], train: TrainView) -> dict[str, Any]:
    """Results of several models by group, from the results of their seeds.

    Returns {"history": {group: users}, "target": {group: held-out pairs}, "popularity": {group: held-out pairs},
    "rows": {model: {group: value}}}: of a group of users the mean NDCG@10, of a group of held-out pairs the share found
    among the first 20; both means over seeds. `popularity` groups the same pairs by the fifth of their item.
    Users whom the train view lacks have no history and are left out of its groups.
    """
    any_results = next(iter(rows.values()))[0]
    history = history_groups(mean_over_seeds([any_results.per_user]).index, train)
    target = target_groups(any_results.targets["listeners"].to_numpy(), train.count_floor)
    popularity = popularity_fifths(any_results.targets["listeners"].to_numpy(), train.counts)
    values: dict[str, dict[str, float]] = {}
    for name, seeds in rows.items():
        ndcg = mean_over_seeds([of_seed.per_user for of_seed in seeds])
        found = np.mean([of_seed.targets["rank"].to_numpy() <= FOUND for of_seed in seeds], axis=0)
        values[name] = {group: float(ndcg[of].mean()) for group, of in history.items()}
        values[name] |= {group: float(found[of].mean()) for group, of in (target | popularity).items()}
    return {
        "history": {group: int(of.sum()) for group, of in history.items()},
        "target": {group: int(of.sum()) for group, of in target.items()},
        "popularity": {group: int(of.sum()) for group, of in popularity.items()},
        "rows": values,
    }


def history_groups(users: pd.Index, train: TrainView) -> dict[str, np.ndarray]:
    """Which users have a short, middle or long visible history: name with its lengths -> bool (users,)."""
    lengths = pd.Series(train.histories.lengths, train.users["user_id"].astype(object)).reindex(users, fill_value=0)
    return named_groups(lengths.to_numpy(), lengths.to_numpy() > 0, "history of")


def target_groups(listeners: np.ndarray, floor: int) -> dict[str, np.ndarray]:
    """Which held-out pairs have an item that nobody visibly has, or one of few, more or many listeners: bool (pairs,).

    Counts up to `floor` are one group: a smaller one says nothing (see TrainView.count_floor).
    """
    few = listeners <= floor
    groups = {"no listener" if floor == 1 else f"up to {floor}": few}
    return {name: of for name, of in groups.items() if of.any()} | named_groups(listeners, ~few, "")


def popularity_fifths(listeners: np.ndarray, counts: np.ndarray) -> dict[str, np.ndarray]:
    """Which held-out pairs have an item of each popularity fifth: name with its numbers of listeners -> bool (pairs,).

    Items are put in order of their visible listeners, `counts` int (items,), and cut where each fifth of all visible
    interactions is reached; items of as many listeners stay together. `listeners`: those of each pair's item, (pairs,).

    >>> fifths = popularity_fifths(np.array([0, 1, 6, 9]), np.array([1] * 6 + [6, 9, 9]))
    >>> {name: of.astype(int).tolist() for name, of in fifths.items()}
    {'rarest fifth, to 5': [1, 1, 0, 0], 'second fifth, from 6': [0, 0, 1, 0], 'third fifth, from 9': [0, 0, 0, 1]}
    """
    rising = np.sort(counts)
    reached = np.cumsum(rising)
    if not len(reached) or not reached[-1]:
        return {}
    least = np.unique(rising[np.searchsorted(reached, reached[-1] * np.arange(1, 5) / 5, side="right")])
    fifth = np.searchsorted(least, listeners, side="right")
    bounds = [f"to {least[0] - 1}", *(f"from {count}" for count in least)]
    return {f"{FIFTHS[n]} fifth, {bound}": fifth == n for n, bound in enumerate(bounds) if (fifth == n).any()}


def named_groups(values: np.ndarray, among: np.ndarray, before: str) -> dict[str, np.ndarray]:
    """Groups of about as many each of the whole numbers `among` allows, named by their least and greatest value.

    >>> {name: of.tolist() for name, of in named_groups(np.array([1, 2, 9, 0]), np.array([1, 1, 1, 0]) > 0, "").items()}
    {'1': [True, False, False, False], '2': [False, True, False, False], '9': [False, False, True, False]}
    """
    if not among.any():
        return {}
    edges = least_of_groups(values[among], GROUPS)
    group = np.where(among, np.searchsorted(edges, values, side="right"), 0)
    found = {}
    for number in range(1, len(edges) + 1):
        of = group == number
        low, high = values[of].min(), values[of].max()
        found[f"{before} {low}–{high}".strip() if low < high else f"{before} {low}".strip()] = of
    return found


def by_item_coldness(targets: pd.DataFrame, train: TrainView) -> dict[str, float]:
    """Recall@100, and the share of held-out pairs found among 99 sampled negatives by what is known of the item.

    All pairs weigh the same but in Recall@100, the mean over users.
    """
    codes = pd.Index(train.items["item_id"]).get_indexer(targets["item_id"].astype(object))
    found = found_by_visibility(targets, described_items(train)[codes])
    keys = [targets[key].astype(str) for key in ("user_id", "given") if key in targets]
    among = pd.Series(targets["rank"].to_numpy() <= 100).groupby([key.to_numpy() for key in keys]).mean()
    sampled = targets["rank_sampled99"].to_numpy()
    drawn = sampled[sampled > 0]
    return found | {
        "recall_100": float(among.mean()),
        "hr_5_sampled99": float((drawn <= 5).mean()) if len(drawn) else np.nan,
    }


def by_n_given(per_user: pd.DataFrame) -> pd.DataFrame:
    """Mean NDCG@10 by number of given items, 95% intervals over users: index given; columns mean, low, high."""
    groups = per_user.groupby("given")["ndcg_10"]
    low, high = zip(*(bootstrap_interval(values.to_numpy(float)) for _, values in groups), strict=True)
    return pd.DataFrame({"mean": groups.mean(), "low": low, "high": high})


BINS = 6
"""Groups of about as many users each by the length of their history."""


def by_length(per_user: pd.DataFrame, lengths: pd.Series, edges: np.ndarray) -> pd.DataFrame:
    """Mean NDCG@10 and HR@10 of users by the length of their visible history.

    `lengths` by user id; `edges`: the least length of each group, rising. Index: the median length of each group that
    is not empty.
    """
    known = per_user.assign(length=per_user["user_id"].astype(object).map(lengths)).dropna(subset="length")
    values = known.groupby(np.searchsorted(edges, known["length"], side="right"))
    return values[["ndcg_10", "hr_10"]].mean().set_index(values["length"].median())


def least_of_groups(values: np.ndarray, n: int) -> np.ndarray:
    """The least value of each of at most n groups of about as many values each, rising.

    >>> least_of_groups(np.array([3, 3, 3, 3, 9, 9]), BINS)
    array([3, 9])
    """
    return np.unique(np.quantile(values, np.arange(n) / n, method="higher"))
