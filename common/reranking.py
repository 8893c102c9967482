"""Re-ranking: the candidates of any model put into another order, by more than how relevant they are.

    facts = item_facts(seen)
    rerank(items, scores, seen.histories.take(users), facts, Reranking(diversity=0.3, one_version=True), k=10)

A pipeline in three steps: filters leave candidates out; weights make one value of relevance, novelty and popularity;
a greedy choice fills one place after the other, in view of what stands above it, under caps and quotas.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from scipy import sparse

from common.data.histories import Histories
from common.data.vectors import SPACES, distinct_values, item_vectors
from common.data.visible import Visible
from common.errors import UserError
from common.evaluation.ranking import tie_places
from common.greedy import Calibration, Cap, Quota, Rule, Unlikeness, Worth, choose, shares
from common.ranges import Range, check_ranges
from common.similar_items import groups_of

USERS_AT_ONCE = 32
"""A batch's likenesses are a square of its distinct candidates: 100 candidates of 32 users take 80 MB at most."""
DAY = 86_400


@dataclass(frozen=True)
class Reranking:
    """What a list is to be besides relevant; by default nothing, and the order stays as it is."""

    diversity: Annotated[float, Range(0.0, 1.0, most=1.0)] = 0.0
    """Share of unlikeness to the items above, 0 to 1 (MMR); the textbook's is 0.3."""
    space: Literal["auto", "genre", "tag", "audio"] = "auto"
    """Where likeness is measured; auto: the first of tag, genre, audio that the data has."""
    calibration: Annotated[float, Range(0.0, 1.0, most=1.0)] = 0.0
    """Share of nearness to the mix of the user's history, 0 to 1 (Steck's lambda)."""
    mix: Literal["auto", "genre", "tag"] = "auto"
    """What the mix is made of; auto: the first of genre, tag that the data has."""
    novelty: Annotated[float, Range(0.0, 1.0)] = 0.0
    """Weight of how few people have an item: -log2 of the share of users who do, scaled to 0..1."""
    unpopularity: Annotated[float, Range(0.0, 1.0)] = 0.0
    """Weight that takes away from popular items: listeners over those of the most popular item."""
    per_artist: Annotated[int, Range(0, 10)] = 0
    """At most so many items of one artist; 0 sets no cap."""
    per_genre: Annotated[int, Range(0, 10)] = 0
    """At most so many items of one genre; 0 sets no cap."""
    balance: bool = False
    """Places go to genres in proportion to their shares of the user's history."""
    no_explicit: bool = False
    """Leave out items with the explicit flag."""
    one_version: bool = False
    """Of the versions of one work (group_id) keep the best alone."""
    recent_items: Annotated[int, Range(0, 100)] = 0
    """Leave out the works of the last so many items of the history; 0 leaves none out."""
    recent_days: Annotated[float, Range(0.0, 365.0)] = 0.0
    """Leave out the works heard within so many days of the newest event; 0 leaves none out."""

    def check(self, facts: "ItemFacts", flag: str = "rerank") -> None:
        """Raise a UserError for the first setting out of range, or that asks for what the data lacks."""
        check_ranges(flag, self)
        if self.diversity + self.calibration > 1:
            raise UserError(
                f"--{flag}.diversity {self.diversity:g} and --{flag}.calibration {self.calibration:g} are shares of one "
                "whole: give two that sum to 1 or less"
            )
        lacking = {
            "diversity": facts.space(self.space) is None and f"features of items ({self.space})",
            "calibration": facts.mix(self.mix) is None and f"features of items ({self.mix})",
            "per_artist": facts.artists is None and "column artist of items",
            "per_genre": facts.genres is None and "column genres of items",
            "balance": facts.genres is None and "column genres of items",
            "no_explicit": facts.explicit is None and "column explicit of items",
            "recent_days": facts.now is None and "timestamps of interactions",
        }
        for name, lacks in lacking.items():
            if lacks and getattr(self, name):
                raise UserError(f"--{flag}.{name.replace('_', '-')}: the data has no {lacks}; leave the flag out")


@dataclass(frozen=True)
class ItemFacts:
    """What re-ranking knows of the items. Codes are those of the visible data; None where the data lacks it.

    popularity: visible listeners, never below the count that must hide some, float (n_items,); n_users: visible users;
    places: fixed hash order of ties, int (n_items,); groups: work of each item, int (n_items,); vectors: space -> unit
    rows (n_items, dimensions), zeros where an item has no features or is not finite; genres, artists: multi-hot
    (n_items, values); explicit: bool (n_items,); now: the newest event in seconds.
    """

    popularity: np.ndarray
    n_users: int
    places: np.ndarray
    groups: np.ndarray
    vectors: dict[str, sparse.csr_array]
    genres: sparse.csr_array | None = None
    artists: sparse.csr_array | None = None
    explicit: np.ndarray | None = None
    now: int | None = None

    def __post_init__(self) -> None:
        """Forget features that are no numbers: such an item counts as one without any."""
        object.__setattr__(self, "vectors", {space: finite_rows(rows) for space, rows in self.vectors.items()})

    def space(self, name: str) -> sparse.csr_array | None:
        """The vectors that likeness is measured by."""
        return self._first(("tag", "genre", "audio") if name == "auto" else (name,))

    def mix(self, name: str) -> sparse.csr_array | None:
        """The vectors whose shares make a mix."""
        return self._first(("genre", "tag") if name == "auto" else (name,))

    def _first(self, names: Sequence[str]) -> sparse.csr_array | None:
        return next((self.vectors[name] for name in names if name in self.vectors), None)


def item_facts(seen: Visible) -> ItemFacts:
    """The facts of what a phase shows; made once for any number of calls."""
    vectors = {space: item_vectors(seen, space) for space in SPACES}
    times = seen.histories.timestamps
    return ItemFacts(
        popularity=seen.popularity,
        n_users=seen.n_users,
        places=tie_places(seen.items["item_id"]),
        groups=groups_of(seen.items),
        vectors={space: rows for space, rows in vectors.items() if rows is not None},
        genres=distinct_values(seen, "genres"),
        artists=distinct_values(seen, "artist"),
        explicit=seen.items["explicit"].eq(True).to_numpy(bool) if "explicit" in seen.items else None,
        now=int(times.max()) if times is not None and len(times) else None,
    )


def rerank(
    items: np.ndarray,
    scores: np.ndarray,
    histories: Histories | Sequence[Sequence[int]],
    facts: ItemFacts,
    settings: Reranking,
    k: int = 20,
) -> tuple[np.ndarray, np.ndarray]:
    """The best k of each user's candidates: items int32 (users, k), -1 padded, and their own scores, NaN padded.

    items: item codes int (users, candidates), -1 where a list is shorter; scores: relevance, alike, higher is better.
    One user alone may be given as one row (candidates,) with a single history; the answer is then one row too.
    Fewer than k come back where filters or caps leave fewer.

    With r the relevance scaled to 0..1 over a user's candidates, each place goes to the allowed candidate i of greatest

        (1 - d - c) (r_i + n novelty_i - u popularity_i) - d max cos(i, above) - c KL(history's mix || list's mix with i)

    of equal ones to the one of higher score, then to the first by the fixed hash; see `common/greedy.py` for d
    (diversity) and c (calibration). Raises UserError for settings out of range, or that ask for what the data lacks.
    """
    if k < 1:
        raise UserError(f"k is {k}; ask for at least 1 item")
    ordered = _ordered(items, scores, histories, facts, settings, k)
    ordered.following[:] = False
    return ordered.lists(k, np.ndim(items))


def reorder(
    items: np.ndarray, scores: np.ndarray, histories: Histories, facts: ItemFacts, settings: Reranking, k: int = 20
) -> tuple[np.ndarray, np.ndarray]:
    """All candidates that no filter leaves out: the first k as `rerank` chooses them, then the rest as it was.

    Shapes are those of the input. Where caps leave fewer than k, the rest follows at once.
    """
    return _ordered(items, scores, histories, facts, settings, k).lists(np.shape(items)[-1], np.ndim(items))


@dataclass(frozen=True)
class _Ordered:
    """Candidates by relevance: items and scores (users, candidates); chosen: places of them (users, k), -1 padded;
    following: those that no filter leaves out and that are not chosen, bool (users, candidates)."""

    items: np.ndarray
    scores: np.ndarray
    chosen: np.ndarray
    following: np.ndarray

    def lists(self, width: int, dimensions: int) -> tuple[np.ndarray, np.ndarray]:
        """The chosen, then the following, padded; one row where one row was given."""
        n, candidates = self.items.shape
        last = candidates + self.chosen.shape[1]
        key = np.where(self.following, self.chosen.shape[1] + np.arange(candidates), last)
        rows, places = np.nonzero(self.chosen >= 0)
        key[rows, self.chosen[rows, places]] = places
        order = np.argsort(key, axis=1, kind="stable")[:, :width]
        listed = np.take_along_axis(key, order, axis=1) < last
        items, scores = np.full((n, width), -1, np.int32), np.full((n, width), np.nan, np.float32)
        items[:, : order.shape[1]] = np.where(listed, np.take_along_axis(self.items, order, axis=1), -1)
        scores[:, : order.shape[1]] = np.where(listed, np.take_along_axis(self.scores, order, axis=1), np.nan)
        return (items, scores) if dimensions > 1 else (items[0], scores[0])


def _ordered(
    items: np.ndarray,
    scores: np.ndarray,
    histories: Histories | Sequence[Sequence[int]],
    facts: ItemFacts,
    settings: Reranking,
    k: int,
) -> _Ordered:
    settings.check(facts)
    items, scores, histories = _checked(items, scores, histories, facts)
    by_relevance = np.lexsort((facts.places[items], np.where(items >= 0, -scores, np.inf)), axis=-1)
    items, scores = (np.take_along_axis(table, by_relevance, axis=1) for table in (items, scores))
    kept = (items >= 0) & ~left_out(items, histories, facts, settings)
    base = base_values(items, scores, kept, facts, settings)
    chosen = np.full((len(items), k), -1, np.int64)
    for start in range(0, len(items), USERS_AT_ONCE):
        rows = np.arange(start, min(start + USERS_AT_ONCE, len(items)))
        worths, rules = _parts(items[rows], histories.take(rows), facts, settings)
        chosen[rows] = choose(base[rows], kept[rows], worths, rules, k)
    following = kept.copy()
    rows, places = np.nonzero(chosen >= 0)
    following[rows, chosen[rows, places]] = False
    return _Ordered(items, scores, chosen, following)


def _checked(
    items: np.ndarray, scores: np.ndarray, histories: Histories | Sequence[Sequence[int]], facts: ItemFacts
) -> tuple[np.ndarray, np.ndarray, Histories]:
    """Tables (users, candidates) and one history for each user; what does not fit together is a mistake of the code."""
    items, scores = np.atleast_2d(np.asarray(items, np.int64)), np.atleast_2d(np.asarray(scores, np.float32))
    n_items = len(facts.popularity)
    if not isinstance(histories, Histories):
        histories = Histories.from_lists(histories, n_items)
    if items.shape != scores.shape or len(items) != len(histories):
        raise ValueError(f"items {items.shape}, scores {scores.shape} and {len(histories)} histories do not match")
    if items.size and (items.min() < -1 or items.max() >= n_items):
        raise ValueError(f"item codes must lie in 0..{n_items - 1}, or be -1 where a list is shorter")
    if not np.isfinite(scores[items >= 0]).all():
        raise ValueError("scores of candidates must be finite")
    return items, scores, histories


def left_out(items: np.ndarray, histories: Histories, facts: ItemFacts, settings: Reranking) -> np.ndarray:
    """Which candidates (best first) the filters leave out, bool alike."""
    out = items < 0
    if settings.no_explicit and facts.explicit is not None:
        out |= facts.explicit[items]
    if settings.recent_items or settings.recent_days:
        users, step = np.repeat(np.arange(len(histories)), histories.lengths), int(facts.groups.max()) + 1
        recent = _recent(histories, users, facts, settings)
        heard = users[recent] * step + facts.groups[histories.items[recent]]
        out |= np.isin(np.arange(len(items))[:, None] * step + facts.groups[items], heard)
    if settings.one_version:  # last, so that of two versions the one that may be listed is kept
        works = np.where(out, -1 - np.arange(items.shape[1]), facts.groups[items])
        order = np.argsort(works, axis=1, kind="stable")
        ordered = np.take_along_axis(works, order, axis=1)
        again = np.zeros(items.shape, bool)
        again[:, 1:] = ordered[:, 1:] == ordered[:, :-1]
        rows, places = np.nonzero(again)
        out[rows, order[rows, places]] = True
    return out & (items >= 0)


def _recent(histories: Histories, users: np.ndarray, facts: ItemFacts, settings: Reranking) -> np.ndarray:
    """Which events of the histories are recent, bool (events,)."""
    recent = histories.indptr[users + 1] - np.arange(len(users)) <= settings.recent_items
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


def _parts(
    items: np.ndarray, histories: Histories, facts: ItemFacts, settings: Reranking
) -> tuple[list[tuple[float, Worth]], list[Rule]]:
    """What the greedy choice looks at for one batch of users: weighted worths, and rules, quotas last."""
    worths: list[tuple[float, Worth]] = []
    rules: list[Rule] = []
    space, mix = facts.space(settings.space), facts.mix(settings.mix)
    had = histories.matrix()
    had.data[:] = 1
    if settings.diversity and space is not None:
        worths.append((settings.diversity, Unlikeness(items, space)))
    if settings.calibration and mix is not None:
        mixes = shares(mix)
        worths.append((settings.calibration, Calibration(items, mixes, shares(had @ mixes))))
    if settings.per_artist and facts.artists is not None:
        rules.append(Cap(items, facts.artists, settings.per_artist))
    if settings.per_genre and facts.genres is not None:
        rules.append(Cap(items, facts.genres, settings.per_genre))
    if settings.balance and facts.genres is not None:
        rules.append(Quota(items, facts.genres, had))
    return worths, rules


def finite_rows(vectors: sparse.csr_array) -> sparse.csr_array:
    """Vectors without the rows that hold anything but finite numbers, which become zeros; no zeros are stored."""
    bad = np.unique(np.repeat(np.arange(vectors.shape[0]), np.diff(vectors.indptr))[~np.isfinite(vectors.data)])
    keep = np.ones(len(vectors.data), bool)
    keep[np.isin(np.repeat(np.arange(vectors.shape[0]), np.diff(vectors.indptr)), bad)] = False
    clean = vectors.copy()
    clean.data = np.where(keep, clean.data, 0)
    clean.eliminate_zeros()
    return clean
