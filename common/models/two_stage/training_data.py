"""What a second stage learns from: labelled candidates of cross-fitted sources, shared by all that learn from them.

The sources are fitted once on everything visible, for use, and once per fold without the fold's pairs (see
`common/data/folds.py`), for learning: what is held out and proposed is a wanted candidate, every other proposed item
is not. All wanted candidates are kept and, since they are few, `negatives` times as many of the others, drawn evenly.
"""

import logging
import sys
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from tqdm import tqdm

from common.models.two_stage.candidates import KINDS, CandidateGenerator, CandidateSettings
from common.models.two_stage.feature_builder import FeatureBuilder, make_features
from common.models.two_stage.feature_inputs import feature_tables
from common.models.two_stage.feature_names import FEATURES
from common.splits.cross_fitting import FOLDS, Fold, folds
from common.splits.histories import Query
from common.splits.train_view import TrainView
from common.utils.environment import Seconds

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Lessons:
    """What there is to learn: pairs that are candidates or held out or both, sorted by list.

    described: float32 (pairs, columns), their features. lists: int64 (pairs,), which asked person of which fold each
    belongs to. users: int64 (pairs,), the person's code, -1 for somebody unknown. items: int64 (pairs,). candidate:
    bool (pairs,), False for one that is held out but not proposed. target: bool (pairs,), held out and asked for.
    plays: float32 (pairs,), log plays of targets, NaN of others and where every interaction weighs the same.
    """

    described: np.ndarray
    lists: np.ndarray
    users: np.ndarray
    items: np.ndarray
    candidate: np.ndarray
    target: np.ndarray
    plays: np.ndarray

    @property
    def features(self) -> np.ndarray:
        """Features of candidates, float32 (n, columns)."""
        return self.described[self.candidate]

    @property
    def wanted(self) -> np.ndarray:
        """Which candidates are targets, bool (n,)."""
        return self.target[self.candidate]

    @property
    def pair_features(self) -> np.ndarray:
        """Features of pairs whose plays are known, float32 (m, columns)."""
        return self.described[~np.isnan(self.plays)]

    @property
    def log_plays(self) -> np.ndarray:
        """log(1 + plays) of these, float32 (m,); m = 0 where every interaction weighs the same."""
        return self.plays[~np.isnan(self.plays)]


@dataclass(frozen=True)
class Prepared:
    """Everything before the learning itself, and the seconds that sources and features took."""

    bench: FeatureBuilder
    lessons: Lessons
    source_seconds: Seconds
    feature_seconds: Seconds
    trees: dict[str, tuple[Any, Any, Seconds]] = field(default_factory=dict)
    """Trees learned from the lessons before, and the seconds that took, by what they were learned with."""


KEPT = 2
"""Preparations that are kept for the next model that learns from the same: those of both phases of a run."""


_kept: list[tuple[tuple, Prepared]] = []


def prepare(
    train: TrainView, settings: CandidateSettings, negatives: int, seed: int, device: str
) -> tuple[Prepared, bool]:
    """The preparation for some visible data, and whether a model before this one has left it behind."""
    asked_for = (settings, negatives, seed, device)
    for (whose, *key), kept in _kept:
        if whose is train and tuple(key) == asked_for:
            return kept, True
    prepared = _prepare(train, settings, negatives, seed, device)
    _kept.append(((train, *asked_for), prepared))
    del _kept[: len(_kept) - KEPT]
    return prepared, False


def _prepare(train: TrainView, settings: CandidateSettings, negatives: int, seed: int, device: str) -> Prepared:
    clock = Clock()
    bench = set_up(train, settings, seed, device, clock)
    rng = np.random.default_rng([seed, negatives])
    parts, first = [], 0
    for fold in tqdm(folds(train, seed), "folds", FOLDS, leave=False, disable=not sys.stderr.isatty()):
        of_fold = set_up(fold.train, settings, seed, device, clock, bench.columns)
        for rows in of_fold.stage.blocks(fold.query):
            parts.append(lessons(of_fold, fold, rows, first, negatives, rng, clock))
        first += len(fold.query)
    bench, learned = without_unknown(bench, join(parts))
    if missing := [*(KINDS.keys() - bench.stage.sources.keys()), *(FEATURES.keys() - bench.columns.keys())]:
        nothing = "left out, since %s of data set %r has nothing for them: %s"
        log.info(nothing, train.protocol, train.dataset, ", ".join(sorted(missing)))
    return Prepared(bench, learned, clock.seconds["sources"], clock.seconds["features"])


def set_up(
    train: TrainView,
    settings: CandidateSettings,
    seed: int,
    device: str,
    clock: "Clock",
    columns: dict[str, list[str]] | None = None,
) -> FeatureBuilder:
    """Fit the sources and gather the tables; `columns` are those of the whole data, for a fold of it."""
    stage = CandidateGenerator(settings, seed, device).fit(train)
    clock.lap("sources")
    tables = feature_tables(train)
    if columns is None:
        anybody = Query(np.array([0]), train.histories.take(np.array([0])))
        pair = np.array([0])
        made = make_features(tables, stage, anybody, pair, pair, stage.propose(anybody))
        columns = {group: list(names) for group, names in made.items()}
    clock.lap("features")
    return FeatureBuilder(stage, tables, columns)


def lessons(
    bench: FeatureBuilder,
    fold: Fold,
    rows: np.ndarray,
    first: int,
    negatives: int,
    rng: np.random.Generator,
    clock: "Clock",
) -> Lessons:
    """The lessons of some consecutive rows of a fold, whose lists are numbered from `first`."""
    asked, n_items = fold.query.take(rows), bench.stage.n_items
    proposals = bench.stage.propose(asked)
    clock.lap("sources")
    mine = slice(*np.searchsorted(fold.rows, [rows[0], rows[-1] + 1]))
    held, wanted_held = (fold.rows[mine] - rows[0]) * n_items + fold.items[mine], fold.labels[mine]
    keys = proposals.rows * n_items + proposals.items
    wanted, others = np.isin(keys, held[wanted_held]), ~np.isin(keys, held)
    share = negatives * wanted.sum() / max(1, others.sum())
    chosen = np.flatnonzero(wanted | (others & (rng.random(len(keys)) < share)))
    pairs = held[wanted_held] if bench.tables.has_plays else held[:0]
    described = np.union1d(keys[chosen], pairs)
    owners, items = described // n_items, described % n_items
    features = bench.describe(asked, owners, items, proposals)
    clock.lap("features")
    plays = np.full(len(described), np.nan, np.float32)
    plays[np.searchsorted(described, pairs)] = fold.log_weights[mine][wanted_held][: len(pairs)]
    return Lessons(
        described=features,
        lists=first + rows[0] + owners,
        users=asked.users[owners],
        items=items,
        candidate=np.isin(described, keys[chosen]),
        target=np.isin(described, held[wanted_held]),
        plays=plays,
    )


def join(parts: list[Lessons]) -> Lessons:
    """The lessons of all parts."""
    return Lessons(**{f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Lessons)})


def without_unknown(bench: FeatureBuilder, learned: Lessons) -> tuple[FeatureBuilder, Lessons]:
    """Both without the columns of which nothing was ever known in training: friends of people who are all strangers."""
    if not learned.candidate.any():
        return bench, learned
    known = ~np.isnan(learned.features).all(axis=0)
    if len(learned.log_plays):
        known &= ~np.isnan(learned.pair_features).all(axis=0)
    names = {name for name, kept in zip(bench.names, known, strict=True) if kept}
    columns = {group: [name for name in own if name in names] for group, own in bench.columns.items()}
    columns = {group: own for group, own in columns.items() if own}
    return replace(bench, columns=columns), replace(learned, described=learned.described[:, known])


class Clock:
    """Seconds by name; a lap ends what has run since the last one."""

    def __init__(self) -> None:
        self.seconds = {"sources": Seconds(), "features": Seconds()}
        self.last = Seconds.now()

    def lap(self, name: str) -> None:
        """Count the time since the last lap under a name."""
        now = Seconds.now()
        self.seconds[name] += now - self.last
        self.last = now
