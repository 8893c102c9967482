"""Re-ranking the candidates of any model for diversity, calibration, novelty, caps and quotas.

    rerank(als.recommend(["2"], k=100), task.train, mmr=0.3, one_version=True)

Three steps: filters leave candidates out; weights combine relevance, novelty and popularity into one value; a greedy
choice fills one place after the other, given the items above it, under caps and quotas. `rerank` does so for a table of
recommendations, `rerank_candidates` and `reorder` for arrays.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from common.data.ids import codes_of
from common.features.content_vectors import mix_of, shares
from common.models.base import as_histories
from common.models.external_ids import NamedHistories, checked_view, to_histories
from common.reranking.item_facts import ItemFacts, Reranking, item_facts
from common.reranking.objectives import Calibration, Cap, Dissimilarity, Objective, Quota, Rule, choose
from common.splits.histories import Histories
from common.splits.train_view import TrainView
from common.utils.errors import UserError, unknown_name, whole_number

USERS_AT_ONCE = 128
ITEMS_AT_ONCE = 3_200
"""Most users, and distinct candidates of more than FEW users, in a batch: its similarities are a square of 80 MB."""
FEW = 16
DAY = 86_400
Given = Histories | Sequence[Sequence[int]]
Parts = Callable[[np.ndarray, np.ndarray], tuple[list[tuple[float, Objective]], list[Rule]]]


def rerank(
    recommendations: pd.DataFrame,
    train: TrainView,
    k: int | None = None,
    *,
    mmr: float = 0.0,
    histories: NamedHistories | None = None,
    **settings: Any,
) -> pd.DataFrame:
    """A table of recommendations in another order: user_id, rank 1.., item_id, [name], score; at most k rows per user.

    mmr: weight of dissimilarity to the items above (Carbonell & Goldstein 1998), which is the setting `diversity`;
    settings: further fields of `Reranking`, such as calibration, novelty, per_artist=2, one_version=True. Without k all
    candidates that no filter leaves out come back. Scores stay those of the model.
    The histories, which calibration, balance and the recent_ settings need, are those of the view's users; of new ones
    give what `recommend` was given, one for each user in the table's order, else theirs count as empty.
    Raises UserError for an unknown setting or item, a weight out of range, a k below 1, a lacking column or feature.
    """
    if not isinstance(recommendations, pd.DataFrame):
        kind = type(recommendations).__name__
        raise UserError(f"recommendations: {kind} is no table; give one as recommend returns it")
    if lacking := [name for name in ("user_id", "item_id", "score") if name not in recommendations]:
        raise UserError(f"recommendations lack {' and '.join(lacking)}; give a table as recommend returns it")
    for name in settings.keys() - {field.name for field in fields(Reranking)}:
        raise unknown_name("setting of rerank", name, ["mmr", *(field.name for field in fields(Reranking))])
    if recommendations.empty:
        return recommendations.copy()
    items, scores, source = _candidates(recommendations, checked_view(train))
    if histories is None:
        user_ids = pd.Series(recommendations["user_id"].astype(object).unique())
        of_users = train.histories.take(codes_of(user_ids, pd.Index(train.users["user_id"])))
    elif len(of_users := to_histories(train, histories)) != len(items):
        raise UserError(f"histories: {len(of_users)} for {len(items)} users; give one for each user of the table")
    wishes, k = Reranking(**({"diversity": mmr} | settings)), items.shape[1] if k is None else whole_number("k", k)
    found, _ = rerank_candidates(items, scores, of_users, item_facts(train), wishes, k)
    users, places = np.nonzero(found >= 0)
    chosen = (items[users] == found[users, places, None]).argmax(axis=1)
    table = recommendations.iloc[source[users, chosen]].reset_index(drop=True)
    return table.assign(rank=(places + 1).astype(np.int32))


def _candidates(recommendations: pd.DataFrame, train: TrainView) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Item codes, scores and rows of the table, (users, most rows of a user) each, -1 and NaN padded."""
    codes = codes_of(recommendations["item_id"], pd.Index(train.items["item_id"]))
    if (codes < 0).any():
        unknown = recommendations["item_id"].to_numpy(object)[codes < 0][0]
        raise UserError(f"item {unknown!r} of the recommendations is not in the train view; give the view they are of")
    user_ids = recommendations["user_id"].astype(object)
    user, place = pd.factorize(user_ids)[0], user_ids.groupby(user_ids).cumcount()
    tables = np.full((3, user.max() + 1, place.max() + 1), np.nan)
    tables[:, user, place] = codes, recommendations["score"], np.arange(len(codes))
    items, scores, source = tables
    return np.nan_to_num(items, nan=-1).astype(np.int64), scores, np.nan_to_num(source, nan=-1).astype(np.int64)


def rerank_candidates(
    items: np.ndarray, scores: np.ndarray, histories: Given, facts: ItemFacts, settings: Reranking, k: int = 20
) -> tuple[np.ndarray, np.ndarray]:
    """The best k of each user's candidates: items int32 (users, k), -1 padded, and their own scores, NaN padded.

    items: item codes int (users, candidates), -1 where a list is shorter; scores: relevance, of the same shape.
    One user alone may be given as one row (candidates,) with a single history; the answer is then one row too.
    Fewer than k come back where filters or caps leave fewer.

    With r the relevance scaled to 0..1 over a user's candidates, each place goes to the allowed candidate i of greatest

        (1 - d - c) (r_i + n novelty_i - u popularity_i) - d max cos(i, above) - c KL(history's mix || list's with i),

    of equal ones to the one of higher score, then to the first by the fixed hash; see `objectives.py` for d
    (diversity) and c (calibration). Raises UserError for settings out of range, or that need what the data lacks.
    """
    k = whole_number("k", k)
    return _reranked(items, scores, histories, facts, settings, k, width=k, rest=False)


def reorder(
    items: np.ndarray, scores: np.ndarray, histories: Histories, facts: ItemFacts, settings: Reranking, k: int = 20
) -> tuple[np.ndarray, np.ndarray]:
    """All candidates that no filter leaves out: the first k by `rerank_candidates`, then the rest as it was.

    Shapes are those of the input. Where caps leave fewer than k, the rest follows at once.
    """
    return _reranked(items, scores, histories, facts, settings, k, np.shape(items)[-1], rest=True)


def _reranked(
    items: np.ndarray,
    scores: np.ndarray,
    histories: Given,
    facts: ItemFacts,
    settings: Reranking,
    k: int,
    width: int,
    *,
    rest: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Lists of `width`: k chosen candidates and, with `rest`, behind them all others that no filter leaves out."""
    settings.check(facts)
    dimensions = np.ndim(items)
    items, scores, histories = _checked(items, scores, histories, facts)
    by_relevance = np.lexsort((facts.places[items], np.where(items >= 0, -scores, np.inf)), axis=-1)
    items, scores = (np.take_along_axis(table, by_relevance, axis=1) for table in (items, scores))
    kept = (items >= 0) & ~left_out(items, histories, facts, settings)
    base = base_values(items, scores, kept, facts, settings)
    chosen, parts = np.full((len(items), k), -1, np.int64), _parts(histories, facts, settings)
    for rows in batches(items):
        chosen[rows] = choose(base[rows], kept[rows], *parts(items[rows], rows), k)
    found = _listed(items, scores, chosen, kept & rest, width)
    return found if dimensions > 1 else (found[0][0], found[1][0])


def _listed(
    items: np.ndarray, scores: np.ndarray, chosen: np.ndarray, following: np.ndarray, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """Items and scores (users, width), padded: the candidates at the `chosen` places, (users, k), then those that are
    `following`, bool (users, candidates)."""
    k, candidates = chosen.shape[1], items.shape[1]
    place = np.where(following, k + np.arange(candidates), k + candidates)  # the greatest: not listed
    rows, places = np.nonzero(chosen >= 0)
    place[rows, chosen[rows, places]] = places
    order = np.argsort(place, axis=1, kind="stable")[:, :width]
    rows, places = np.nonzero(np.take_along_axis(place, order, axis=1) < k + candidates)
    listed, values = np.full((len(items), width), -1, np.int32), np.full((len(items), width), np.nan, np.float32)
    listed[rows, places], values[rows, places] = (table[rows, order[rows, places]] for table in (items, scores))
    return listed, values


def _checked(
    items: np.ndarray, scores: np.ndarray, histories: Given, facts: ItemFacts
) -> tuple[np.ndarray, np.ndarray, Histories]:
    """Arrays (users, candidates) and one history per user; a ValueError where they do not fit together."""
    items, scores = np.atleast_2d(np.asarray(items, np.int64)), np.atleast_2d(np.asarray(scores, np.float32))
    n_items = len(facts.popularity)
    histories = as_histories(histories, n_items)
    if items.shape != scores.shape or len(items) != len(histories):
        raise ValueError(f"items {items.shape}, scores {scores.shape} and {len(histories)} histories do not match")
    if items.size and (items.min() < -1 or items.max() >= n_items):
        raise ValueError(f"item codes must lie in 0..{n_items - 1}, or be -1 where a list is shorter")
    if not np.isfinite(scores[items >= 0]).all():
        raise ValueError("scores of candidates must be finite")
    return items, scores, histories


def left_out(items: np.ndarray, histories: Histories, facts: ItemFacts, settings: Reranking) -> np.ndarray:
    """Which candidates (best first) the filters leave out, bool (users, candidates)."""
    out = items < 0
    if settings.no_explicit and facts.explicit is not None:
        out |= facts.explicit[items]
    if settings.recent_items or settings.recent_days:
        recent, step = histories.keep(_recent(histories, facts, settings)), int(facts.groups.max()) + 1
        recent_works = recent.rows * step + facts.groups[recent.items]
        out |= np.isin(np.arange(len(items))[:, None] * step + facts.groups[items], recent_works)
    if settings.one_version:  # last, so that of two versions the one that may be listed is kept
        works = np.where(out, -1 - np.arange(items.shape[1]), facts.groups[items])
        users = np.repeat(np.arange(len(items)), items.shape[1])
        out |= pd.DataFrame({"user": users, "work": works.ravel()}).duplicated().to_numpy().reshape(items.shape)
    return out & (items >= 0)


def _recent(histories: Histories, facts: ItemFacts, settings: Reranking) -> np.ndarray:
    """Which events of the histories are recent, bool (events,)."""
    recent = histories.from_end < settings.recent_items
    if settings.recent_days:
        if histories.timestamps is None or facts.now is None:
            raise UserError("recent_days needs the times of the history, which are not there; use recent_items")
        recent |= histories.timestamps >= facts.now - DAY * settings.recent_days
    return recent


def base_values(
    items: np.ndarray, scores: np.ndarray, kept: np.ndarray, facts: ItemFacts, settings: Reranking
) -> np.ndarray:
    """(1 - d - c) (relevance + novelty - popularity) of each candidate, float (users, candidates)."""
    exact = scores.astype(float)
    low = np.where(kept, exact, np.inf).min(axis=1, initial=np.inf)[:, None]
    high = np.where(kept, exact, -np.inf).max(axis=1, initial=-np.inf)[:, None]
    value = np.where(kept & (high > low), exact - low, 0) / np.where(high > low, high - low, 1)
    if settings.novelty:
        bits = np.log2(facts.n_users + 1)
        value += settings.novelty * (1 - np.log2(facts.popularity + 1) / max(bits, 1.0))[items]
    if settings.unpopularity:
        value -= settings.unpopularity * (facts.popularity / max(1.0, facts.popularity.max(initial=0)))[items]
    return (1 - settings.diversity - settings.calibration) * value


def _parts(histories: Histories, facts: ItemFacts, settings: Reranking) -> Parts:
    """Weighted objectives and rules, made for the candidates of some users."""
    objectives: list[Callable[[np.ndarray, np.ndarray], tuple[float, Objective]]] = []
    rules: list[Callable[[np.ndarray, np.ndarray], Rule]] = []
    space, mix, genres, artists = facts.space(settings.space), facts.mix(settings.mix), facts.genres, facts.artists
    if settings.diversity and space is not None:
        objectives.append(lambda items, _: (settings.diversity, Dissimilarity(items, space)))
    if settings.calibration and mix is not None:
        mixes = shares(mix)
        of_history = mix_of(histories, mixes)
        objectives.append(lambda items, rows: (settings.calibration, Calibration(items, mixes, of_history[rows])))
    if settings.per_artist and artists is not None:
        rules.append(lambda items, _: Cap(items, artists, settings.per_artist))
    if settings.per_genre and genres is not None:
        rules.append(lambda items, _: Cap(items, genres, settings.per_genre))
    if settings.balance and genres is not None:  # last: whose turn it is depends on what the caps still allow
        parts = shares(with_bare(genres))
        target = mix_of(histories, parts)
        rules.append(lambda items, rows: Quota(items, parts, target[rows]))
    return lambda items, rows: ([make(items, rows) for make in objectives], [make(items, rows) for make in rules])


def batches(items: np.ndarray) -> Iterator[np.ndarray]:
    """Rows of users that are re-ranked together, few enough that their distinct candidates are not too many."""
    start = 0
    while start < len(items):
        size = USERS_AT_ONCE
        while size > FEW and len(np.unique(items[start : start + size])) > ITEMS_AT_ONCE:
            size //= 2
        yield np.arange(start, min(start + size, len(items)))
        start += size


def with_bare(values: sparse.csr_array) -> sparse.csr_array:
    """Multi-hot values with one more column: 1 for items that have none of them.

    >>> with_bare(sparse.csr_array([[1.0, 1.0], [0.0, 0.0]])).toarray()
    array([[1., 1., 0.],
           [0., 0., 1.]])
    """
    bare = (values.count_nonzero(axis=1) == 0).astype(float)[:, None]
    return sparse.csr_array(sparse.hstack([values, sparse.csr_array(bare)], format="csr"))
