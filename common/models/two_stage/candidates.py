"""The first of two stages: a few hundred candidates per user, out of the best of several cheap models.

Each source proposes its N best items that the user does not have; the union of all proposals is what the second stage
orders. Only models with a closed form or a short fit are sources, since cross-fitting fits them again for every fold.
"""

from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Annotated, Any, Self

import numpy as np
import tyro

from common.features.content_vectors import item_vectors
from common.models.base import Recommender
from common.models.baselines import Popularity
from common.models.building_blocks import memory_of_parts, pack_parts, restore_parts
from common.models.knn.content_knn import ContentKNN, ContentKNNSettings, TagKNN, TagKNNSettings
from common.models.knn.item_knn import ItemKNN, ItemKNNSettings
from common.models.knn.user_knn import Friends, UserKNN, UserKNNSettings
from common.models.linear.als import ALS, ALSSettings
from common.models.linear.ease import EASE, EASESettings
from common.models.linear.ials import IALS, IALSSettings
from common.splits.histories import Query
from common.splits.train_view import TrainView
from common.utils.environment import threads
from common.utils.errors import UserError, unknown_name
from common.utils.settings import ADDED, NOT_SEARCHED, SearchRange

KINDS: dict[str, type[Recommender]] = {
    kind.name: kind for kind in (ALS, IALS, EASE, ItemKNN, UserKNN, TagKNN, ContentKNN, Friends, Popularity)
}
"""The sources; those for which the data have nothing are left out."""
DEFAULT = tuple(name for name in KINDS if name != IALS.name)
"""The sources of the published rows; `--preset ials` adds the other one."""
NEEDED = (ItemKNN.name,)
"""The sources that cannot be left out: features are made from them."""
OF_THE_REST = ("als", "tag_knn")
"""The sources that order the items that no source proposes: by listeners and, for items with few, by tags."""
SAMPLE = 200
"""Users whose best scores say what one unit of a source is."""
STRIDE = 16
"""Every so many-th score is looked at to guess which are the largest."""
SHORT = 6
"""How many times k of a row's scores are at most looked at together with those of other rows."""
FEW = 8
"""Fewer users than this are scored by one source after the other: threads would cost more than they save."""
BLOCK_BYTES = 128 * 2**20
"""Memory that the sources' scores of one block of users may take."""
SCORE_COPIES = 4
"""What a block of scores takes in all, in units of itself: copies of sources, chosen ones, features from them."""


@dataclass(frozen=True)
class CandidateSettings:
    """How many candidates; the sources' own settings are those of the models of the same names."""

    top: Annotated[int, SearchRange(20, 300, log=True, least=1, most=10_000, search=False)] = 100
    """Items that each source proposes."""
    sources: Annotated[tuple[str, ...], NOT_SEARCHED, ADDED] = DEFAULT
    """The models that propose candidates; those for which the data have nothing are left out."""
    context: Annotated[bool, NOT_SEARCHED, ADDED] = False
    """Whether the hour of day and the weekday (UTC) of a request are features; needs the times of interactions, and
    --protocol next or temporal."""
    als: tyro.conf.Suppress[ALSSettings] = field(default_factory=ALSSettings)
    ials: tyro.conf.Suppress[IALSSettings] = field(default_factory=IALSSettings)
    ease: tyro.conf.Suppress[EASESettings] = field(default_factory=EASESettings)
    item_knn: tyro.conf.Suppress[ItemKNNSettings] = field(default_factory=ItemKNNSettings)
    user_knn: tyro.conf.Suppress[UserKNNSettings] = field(default_factory=UserKNNSettings)
    tag_knn: tyro.conf.Suppress[TagKNNSettings] = field(default_factory=TagKNNSettings)
    content_knn: tyro.conf.Suppress[ContentKNNSettings] = field(default_factory=ContentKNNSettings)

    def unused(self) -> set[str]:
        """The settings that change nothing: those of a source that came later, where it is not among the sources."""
        return {IALS.name} - set(self.sources)

    def check_sources(self, flag: str) -> None:
        """Raise a UserError for sources that do not exist, or without the one that features are made from."""
        for name in self.sources:
            if name not in KINDS:
                raise UserError(f"{flag}: {unknown_name('source', name, KINDS)}")
        if lacking := [name for name in NEEDED if name not in self.sources]:
            raise UserError(f"{flag} {' '.join(self.sources)}: add {', '.join(lacking)}, features are made from it")


@dataclass(frozen=True)
class Proposals:
    """What the sources of a generator say of a query.

    rows, items: the candidates int64 (pairs,), sorted by row, then item. scores: of every source, float32 (sources,
    rows, n_items). best: each source's best score among the items the user does not have, 1 where it is not above 0,
    float32 (sources, rows).
    """

    generator: "CandidateGenerator"
    query: Query
    rows: np.ndarray
    items: np.ndarray
    scores: np.ndarray
    best: np.ndarray

    def ranks(self, rows: np.ndarray, items: np.ndarray) -> np.ndarray:
        """How many of the user's candidates a source puts before each pair, float32 (pairs, sources); rows sorted."""
        ranks = np.zeros((len(rows), len(self.scores)), np.float32)
        users = np.arange(self.scores.shape[1] + 1)
        queried, candidates = np.searchsorted(rows, users), np.searchsorted(self.rows, users)
        for user in np.flatnonzero(np.diff(queried)):
            pairs = slice(queried[user], queried[user + 1])
            own = self.items[candidates[user] : candidates[user + 1]]
            for source, scores in enumerate(self.scores[:, user]):
                ascending = np.sort(scores[own])
                ranks[pairs, source] = len(own) - np.searchsorted(ascending, scores[items[pairs]], side="right")
        return ranks

    def order_of_the_rest(self) -> np.ndarray:
        """First-stage score of every item: the mean of OF_THE_REST in units of their best, (rows, n_items).

        It stands in [-1, 0]: below every candidate, whose score is at least 0.
        """
        sources = [place for place, name in enumerate(self.generator.sources) if name in OF_THE_REST]
        total = np.zeros(self.scores.shape[1:], np.float32)
        for place in sources:
            total += np.clip(self.scores[place] / self.best[place][:, None], -1, 1) / len(sources)
        return (total - 1) / 2


class CandidateGenerator:
    """The fitted sources."""

    def __init__(self, settings: CandidateSettings, seed: int, device: str = "cpu") -> None:
        self.settings, self.seed, self.device = settings, seed, device

    def fit(self, train: TrainView) -> Self:
        """Fit every source that the data can feed."""
        self.sources = {name: self._new(name) for name in available(train, self.settings.sources)}
        if ALS.name in self.sources:  # it holds all of BLAS to one thread while it trains, so it trains alone
            self.sources[ALS.name].fit(train)
        with ThreadPoolExecutor(threads()) as executor:
            list(executor.map(lambda source: source.fit(train), [s for n, s in self.sources.items() if n != ALS.name]))
        self.n_items = train.n_items
        self.scales = self._scales(train)
        return self

    def _scales(self, train: TrainView) -> np.ndarray:
        """The mean over some users of each source's best score, float32 (sources,): what one unit of it is."""
        users = np.flatnonzero(train.histories.lengths > 0)
        sample = users[np.unique(np.linspace(0, len(users) - 1, min(SAMPLE, len(users))).astype(int))]
        if not len(sample):
            return np.ones(len(self.sources), np.float32)
        return self.propose(Query(sample, train.histories.take(sample))).best.mean(axis=1)

    def _new(self, name: str) -> Recommender:
        settings: Any = getattr(self.settings, name, None)
        return KINDS[name](settings, seed=self.seed, device=self.device)

    def needed_memory(self, train: TrainView) -> float:
        """Bytes of the sources, fitted for use and once more for a fold, and of the scores of one block of users."""
        sources = [self._new(name) for name in available(train, self.settings.sources)]
        scores = min(float(BLOCK_BYTES), 4.0 * train.n_items * len(sources) * train.n_users)
        return memory_of_parts(sources, train, times=2) + SCORE_COPIES * scores

    def blocks(self, query: Query) -> Iterator[np.ndarray]:
        """The rows of `query`, in blocks whose scores fit into BLOCK_BYTES."""
        step = max(1, BLOCK_BYTES // (4 * self.n_items * len(self.sources)))
        yield from (np.arange(start, min(start + step, len(query))) for start in range(0, len(query), step))

    def propose(self, query: Query) -> Proposals:
        """Candidates and scores of a query; ties at the last place of a proposal go by code."""
        shape = (len(self.sources), len(query), self.n_items)
        scores, best = np.empty(shape, np.float32), np.empty(shape[:2], np.float32)
        chosen = np.empty(shape, bool)
        history = query.given.rows, query.given.items

        def fill(place: int, source: Recommender) -> None:
            own = source.scores_of(query).astype(np.float32, copy=False)
            scores[place] = own
            own[history] = -np.inf
            best[place] = own.max(axis=1, initial=-np.inf)
            chosen[place] = largest(own, self.settings.top)
            chosen[place][history] = False  # where a user has so much that too little is left

        if len(query) < FEW:
            list(map(fill, range(len(self.sources)), self.sources.values()))
        else:
            with ThreadPoolExecutor(threads()) as executor:
                list(executor.map(fill, range(len(self.sources)), self.sources.values()))
        rows, items = np.divmod(np.flatnonzero(chosen.any(axis=0)), self.n_items)
        best = np.where(best > 0, best, np.float32(1))
        return Proposals(self, query, rows, items, scores, best)

    def arrays(self) -> dict[str, np.ndarray]:
        """The sources' arrays under their names."""
        about = {"n_items": np.array(self.n_items), "sources": np.array(list(self.sources)), "scales": self.scales}
        return pack_parts(self.sources) | about

    def restore(self, arrays: dict[str, np.ndarray], inference_only: bool = False) -> None:
        """Take back the sources; inference_only: as in `Recommender.load`."""
        self.n_items, self.scales = int(arrays["n_items"]), arrays["scales"]
        self.sources = {name: self._new(name) for name in arrays["sources"].tolist()}
        restore_parts(self.sources, arrays, inference_only)


def available(train: TrainView, names: Collection[str] = tuple(KINDS)) -> list[str]:
    """Those of some sources that the data can feed: no tags, no audio, no friends, no such source."""
    lacking = {
        "tag_knn": train.item_tags is None or train.item_tags.empty,
        "content_knn": item_vectors(train, "audio") is None,
        "friends": train.social is None or train.social.empty,
    }
    return [name for name in KINDS if name in names and not lacking.get(name, False)]


def largest(scores: np.ndarray, k: int) -> np.ndarray:
    """Which entries are among the k largest of their row, ties by column, bool of the same shape.

    >>> largest(np.array([[1.0, 3.0, 2.0, 2.0]]), 2)
    array([[False,  True,  True, False]])
    """
    n_rows, n_items = scores.shape
    k = min(k, n_items)
    chosen = np.zeros(scores.shape, bool)
    places = np.flatnonzero(scores >= _at_least_k_above(scores, k))  # of the flat array, twice as fast as in pairs
    values, rows = scores.ravel()[places], places // n_items
    starts = np.searchsorted(rows, np.arange(n_rows + 1))
    counts = np.diff(starts)
    short = counts[rows] <= SHORT * k
    padded = np.full((n_rows, SHORT * k), -np.inf, scores.dtype)
    padded[rows[short], (np.arange(len(places)) - starts[rows])[short]] = values[short]
    least = np.partition(padded, -k, axis=1)[:, -k]
    for row in np.flatnonzero(counts > SHORT * k):  # where many scores are equal
        least[row] = np.partition(values[starts[row] : starts[row + 1]], -k)[-k]
    above, equal = values > least[rows], values == least[rows]
    left = k - np.bincount(rows[above], minlength=n_rows)  # for those that equal the k-th, the first ones
    before = np.cumsum(equal) - equal
    first = equal & (before - before[np.minimum(starts[rows], len(places) - 1)] < left[rows])
    chosen.ravel()[places[above | first]] = True
    return chosen


def _at_least_k_above(scores: np.ndarray, k: int) -> np.ndarray:
    """A bound for each row, (rows, 1), that at least k entries reach and not many more.

    Every STRIDE-th entry is looked at, which takes a tenth of the time that the k-th largest of all would take; where
    chance has put the bound too high, it is found exactly.
    """
    place = 2 * k // STRIDE + 8
    sample = scores[:, ::STRIDE]
    if place > sample.shape[1] // 2:
        return np.partition(scores, -k, axis=1)[:, [-k]]
    bound = np.partition(sample, -place, axis=1)[:, [-place]]
    short = (scores >= bound).sum(axis=1) < k
    bound[short] = np.partition(scores[short], -k, axis=1)[:, [-k]]
    return bound
