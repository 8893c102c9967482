"""All metrics of the two tables, per user and over all of them.

Keys: `<metric>_<k>` (`ndcg_10`); `_sampled99` where a held-out item is ranked among its own 99 negatives only;
`_seen` and `_unseen` for the share of held-out pairs found whose item has, or has not, a visible listener, the latter
split into `_unseen_content` and `_unseen_bare` for items with and without any visible tag, genre or sound;
`_given<r>` for newcomers of whom r items are known; `_unseen_users` for users without visible history; `_repeats`
where the data keep repeats, for all that is played next, what the user had before included and not masked.
"""

import numpy as np
import pandas as pd

from common.data.ids import codes_of
from common.data.sources.registry import DEDUPLICATED, SOURCES
from common.evaluation import metrics
from common.evaluation.recommendations import rows_of
from common.features.content_vectors import SPACES, distinct_values, item_vectors, mix_of, shares
from common.models.top_items import top_items
from common.splits.histories import Histories
from common.splits.holdout import Holdout
from common.splits.train_view import TrainView
from common.utils.arrays import blocks
from common.utils.memory import block_bytes

CUTOFFS = (5, 10, 20)
DEEPEST = max(CUTOFFS)
RETRIEVED = 100
"""Length of the list that a candidate generator hands on: recall alone is measured on it."""
LISTED_BYTES = 8
"""Memory that an item takes while it is looked up in a user's history."""
MIXED = ("genre", "tag")
"""Spaces in which a list has a mix that is compared with the history's."""
SEGMENTED = ("hr_10", "ndcg_10", "recall_20")
"""Metrics that are also reported for each number of items given of newcomers, and for unseen users."""


class MetricSuite:
    """Measures lists on one holdout; holds what the train view alone determines."""

    def __init__(self, train: TrainView, holdout: Holdout, places: np.ndarray) -> None:
        self.train, self.holdout, self.items = train, holdout, pd.Index(train.items["item_id"])
        name = train.dataset.removesuffix(DEDUPLICATED)
        self.deeper = SOURCES[name].cutoffs if name in SOURCES else ()
        given = holdout.given
        self.history_mean = mean_by_row(given.rows, train.counts[given.items], len(given))
        self.popular = popular_lists(train.popularity, holdout.given, places, DEEPEST)
        spaces = {space: item_vectors(train, space) for space in SPACES}
        self.spaces = {space: vectors for space, vectors in spaces.items() if vectors is not None}
        self.described = described_items(train)
        values = {"genre": distinct_values(train, "genres"), "artist": distinct_values(train, "artist")}
        mixes = {space: shares(vectors) for space, vectors in self.spaces.items() if space in MIXED}
        self.mixes = {space: (mix, mix_of(holdout.given, mix)) for space, mix in mixes.items()}
        self.values = {name: held for name, held in values.items() if held is not None}

    def measure(self, recommendations: pd.DataFrame, targets: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, float]]:
        """Per-user metrics (a row per evaluated row, a column per metric) and the overall values."""
        target_rows, n_rows = rows_of(targets, self.holdout), len(self.holdout.users)
        ranks, sampled = targets["rank"].to_numpy(), targets["rank_sampled99"].to_numpy()
        drawn = sampled > 0  # of very large data only some held-out items have negatives
        lists = self._lists(recommendations, DEEPEST)
        hits, n_relevant = hits_from_ranks(target_rows, ranks, n_rows, DEEPEST)
        alone = one_by_one(target_rows[drawn], sampled[drawn], n_rows, CUTOFFS)
        columns = accuracy(hits, n_relevant) | {f"{name}_sampled99": values for name, values in alone.items()}
        columns |= self._beyond_accuracy(hits, lists)
        columns[f"recall_{RETRIEVED}"] = mean_by_row(target_rows, ranks <= RETRIEVED, n_rows)
        for k in self.deeper:
            columns[f"ndcg_{k}"] = metrics.ndcg(hits_from_ranks(target_rows, ranks, n_rows, k)[0], n_relevant, k)
            columns[f"recall_{k}"] = mean_by_row(target_rows, ranks <= k, n_rows)
        per_user = pd.DataFrame(columns)
        means = per_user.mean()
        overall: dict[str, float] = {str(name): float(value) for name, value in means.items() if not np.isnan(value)}
        for k in CUTOFFS:
            overall[f"coverage_{k}"] = metrics.coverage(lists, self.train.n_items, k)
            overall[f"gini_{k}"] = metrics.gini(lists, self.train.n_items, k)
        for k in self.deeper:
            overall[f"coverage_{k}"] = metrics.coverage(self._lists(recommendations, k), self.train.n_items, k)
        described = self.described[codes_of(targets["item_id"], self.items)]
        overall |= found_by_visibility(targets, described) | self._of_segments(per_user)
        overall |= {"n_users": len(np.unique(self.holdout.users)), "n_targets": len(targets)}
        ids = {"user_id": self.holdout.users.astype(str)}
        if self.holdout.n_given is not None:
            ids["given"] = self.holdout.n_given
        return pd.concat([pd.DataFrame(ids), per_user], axis=1), overall

    def _lists(self, recommendations: pd.DataFrame, depth: int) -> np.ndarray:
        """The first `depth` items of each row's list, int64 (rows, depth), -1 as padding."""
        top = recommendations[recommendations["rank"].to_numpy() <= depth]
        lists = np.full((len(self.holdout.users), depth), -1, np.int64)
        lists[rows_of(top, self.holdout), top["rank"].to_numpy() - 1] = codes_of(top["item_id"], self.items)
        return lists

    def _beyond_accuracy(self, hits: np.ndarray, lists: np.ndarray) -> dict[str, np.ndarray]:
        train, columns = self.train, {}
        for k in CUTOFFS:
            columns[f"novelty_{k}"] = metrics.novelty(lists, train.counts, train.n_users, k)
            columns[f"popularity_lift_{k}"] = metrics.popularity_lift(lists, train.counts, self.history_mean, k)
            columns[f"serendipity_{k}"] = metrics.serendipity(hits, lists, self.popular, k)
            for space, vectors in self.spaces.items():
                columns[f"ils_{space}_{k}"] = metrics.intra_list_similarity(lists, vectors, k)
                columns[f"ils_{space}_share_{k}"] = metrics.featured_share(lists, vectors, k)
            for space, (mixes, of_history) in self.mixes.items():
                columns[f"calibration_{space}_{k}"] = metrics.calibration_error(lists, mixes, of_history, k)
            if "artist" in self.values:
                columns[f"ils_artist_{k}"] = metrics.intra_list_similarity(lists, self.values["artist"], k)
            for name, values in self.values.items():
                columns[f"{name}_diversity_{k}"] = metrics.distinct_values(lists, values, k)
        return columns

    def _of_segments(self, per_user: pd.DataFrame) -> dict[str, float]:
        if self.holdout.n_given is not None:
            by_number = per_user[list(SEGMENTED)].groupby(self.holdout.n_given).mean()
            return {f"{name}_given{number}": value for name in SEGMENTED for number, value in by_number[name].items()}
        unseen = self.holdout.codes < 0
        if not unseen.any():
            return {}
        means = per_user.loc[unseen, list(SEGMENTED)].mean()
        return {"n_unseen_users": int(unseen.sum())} | {f"{name}_unseen_users": means[name] for name in SEGMENTED}


def hits_from_ranks(rows: np.ndarray, ranks: np.ndarray, n_rows: int, depth: int) -> tuple[np.ndarray, np.ndarray]:
    """From targets and their ranks: hits bool (n_rows, depth) and the number of targets of each row, int64.

    >>> hits_from_ranks(np.array([0, 0, 1]), np.array([2, 9, 1]), n_rows=2, depth=2)
    (array([[False,  True],
           [ True, False]]), array([2, 1]))
    """
    hits = np.zeros((n_rows, depth), bool)
    within = ranks <= depth
    hits[rows[within], ranks[within] - 1] = True
    return hits, np.bincount(rows, minlength=n_rows)


def one_by_one(rows: np.ndarray, ranks: np.ndarray, n_rows: int, cutoffs: tuple[int, ...]) -> dict[str, np.ndarray]:
    """HR, NDCG and MRR where every held-out item is a list of its own with one hit, the mean over each row's.

    `rows`, `ranks` int (targets,); float64 (n_rows,) each, NaN for a row without targets.
    """
    hits, one = hits_from_ranks(np.arange(len(ranks)), ranks, len(ranks), max(cutoffs))
    found = {f"hr_{k}": metrics.hit_rate(hits, k) for k in cutoffs}
    found |= {f"ndcg_{k}": metrics.ndcg(hits, one, k) for k in cutoffs}
    found |= {f"mrr_{k}": metrics.reciprocal_rank(hits, k) for k in cutoffs}
    return {name: mean_by_row(rows, values, n_rows) for name, values in found.items()}


def mean_by_row(rows: np.ndarray, values: np.ndarray, n_rows: int) -> np.ndarray:
    """Mean of the values of each row, float64 (n_rows,), NaN for a row without any.

    >>> mean_by_row(np.array([0, 0, 2]), np.array([1.0, 2.0, 5.0]), 3)
    array([1.5, nan, 5. ])
    """
    n = np.bincount(rows, minlength=n_rows)
    return np.bincount(rows, values, n_rows) / np.where(n > 0, n, np.nan)


def accuracy(hits: np.ndarray, n_relevant: np.ndarray) -> dict[str, np.ndarray]:
    """The accuracy metrics at every cut-off, one array (users,) each."""
    columns = {}
    for k in CUTOFFS:
        columns[f"hr_{k}"] = metrics.hit_rate(hits, k)
        columns[f"precision_{k}"] = metrics.precision(hits, k)
        columns[f"recall_{k}"] = metrics.recall(hits, n_relevant, k)
        columns[f"f1_{k}"] = metrics.f1(hits, n_relevant, k)
        columns[f"ndcg_{k}"] = metrics.ndcg(hits, n_relevant, k)
        columns[f"mrr_{k}"] = metrics.reciprocal_rank(hits, k)
        columns[f"map_{k}"] = metrics.average_precision(hits, n_relevant, k)
    return columns


def accuracy_with_repeats(holdout: Holdout, ranks: np.ndarray) -> dict[str, float]:
    """Mean accuracy over users of ranks among all items, what a user had before not masked: `ndcg_10_repeats`, ...

    `n_users_repeats` and `n_targets_repeats` count whom and what it is over, `n_targets_known` the targets that the
    user had before.
    """
    hits, n_relevant = hits_from_ranks(holdout.target_rows, ranks, len(holdout.users), DEEPEST)
    means = {f"{name}_repeats": float(values.mean()) for name, values in accuracy(hits, n_relevant).items()}
    given, n_items = holdout.given, holdout.given.n_items
    known = np.isin(holdout.target_rows * n_items + holdout.target_items, given.rows * n_items + given.items)
    counts = {"n_users_repeats": len(holdout.users), "n_targets_repeats": len(ranks)}
    return means | counts | {"n_targets_known": int(known.sum())}


def described_items(train: TrainView) -> np.ndarray:
    """Whether an item has any visible tag, genre or sound, bool (n_items,)."""
    described = np.zeros(train.n_items, bool)
    for vectors in (item_vectors(train, space) for space in SPACES):
        if vectors is not None:
            described |= np.diff(vectors.indptr) > 0
    return described


def found_by_visibility(targets: pd.DataFrame, described: np.ndarray) -> dict[str, float]:
    """Share of held-out pairs found in the first k, separately for items with and without a visible listener; of the
    latter separately for those with and without content (`described`, bool (targets,))."""
    unseen = targets["listeners"].to_numpy() == 0
    content, bare = unseen & described, unseen & ~described
    found: dict[str, float] = {"n_targets_unseen": int(unseen.sum()), "n_targets_unseen_content": int(content.sum())}
    groups = {"seen": ~unseen, "unseen": unseen, "unseen_content": content, "unseen_bare": bare}
    for name, chosen in groups.items():
        if chosen.any():
            for k in CUTOFFS:
                found[f"hr_{k}_{name}"] = float((targets["rank"].to_numpy()[chosen] <= k).mean())
                sampled = targets["rank_sampled99"].to_numpy()[chosen]
                if (sampled > 0).any():
                    found[f"hr_{k}_sampled99_{name}"] = float((sampled[sampled > 0] <= k).mean())
    return found


def popular_lists(popularity: np.ndarray, histories: Histories, places: np.ndarray, depth: int) -> np.ndarray:
    """The popularity model's own lists, int64 (rows, depth): the most popular items outside each history.

    Nobody's list reaches past the `depth` + longest history most popular items, so only those are looked at.
    """
    longest = int(histories.lengths.max(initial=0))
    nobody = Histories.from_lists([[]], len(popularity))
    order, _ = top_items(popularity[None], nobody, places, min(len(popularity), depth + longest))
    head = order[0]
    place_in_head = np.full(len(popularity), -1)
    place_in_head[head] = np.arange(len(head))
    lists = np.full((len(histories), depth), -1, np.int64)
    for rows in blocks(np.full(len(histories), LISTED_BYTES * len(head)), block_bytes(), len(histories)):
        lists[rows] = _first_free(histories.take(rows), head, place_in_head, depth)
    return lists


def _first_free(histories: Histories, head: np.ndarray, place_in_head: np.ndarray, depth: int) -> np.ndarray:
    """The first `depth` items of a list outside each history, int64 (rows, depth), -1 where it ends early."""
    free = np.ones((len(histories), len(head)), bool)
    rows, place = histories.rows, place_in_head[histories.items]
    free[rows[place >= 0], place[place >= 0]] = False
    at = np.cumsum(free, axis=1, dtype=np.int32) - 1
    row, column = np.nonzero(free & (at < depth))
    lists = np.full((len(histories), depth), -1, np.int64)
    lists[row, at[row, column]] = head[column]
    return lists
