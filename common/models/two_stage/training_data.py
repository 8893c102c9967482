"""What a ranker learns from: features of labelled candidates of cross-fitted sources.

The sources are fitted once on the whole train view, for use, and once per fold without the fold's pairs (see
`common/splits/cross_fitting.py`), for learning: what is held out and proposed is a positive candidate, every other
proposed item is a negative. All positives are kept and, since they are few, `negatives` times as many of the others,
drawn evenly. Draws for several numbers of `negatives` are made in one go, so that the models of stages 3 and 6 can
learn from the same cross-fitted sources.
"""

import logging
import sys
from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from tqdm import tqdm

from common.models.two_stage.candidates import KINDS, CandidateGenerator, CandidateSettings, Proposals
from common.models.two_stage.feature_inputs import FeatureTables, feature_tables
from common.models.two_stage.pair_features import CONTEXT, GROUPS, Columns, Pairs, make_features
from common.splits.cross_fitting import FOLDS, Fold, folds, scheme_of
from common.splits.histories import Query
from common.splits.train_view import TrainView
from common.utils.environment import Seconds

FOUND = 0.5
"""Share of what is to be found that is reckoned to be among the candidates, and of proposals that are distinct."""
COLUMNS = 64
"""Features of a pair to reckon with."""
COPIES = 4
"""Times that all features are there while they are put together."""
ALSO_DRAWN = (16,)
"""Negative candidates per positive one that are drawn beside those asked for: what stage 6 will ask for."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FeatureBuilder:
    """The fitted sources and the tables of one train view: proposals and features come from here."""

    generator: CandidateGenerator
    tables: FeatureTables
    columns: dict[str, list[str]]
    """The features that these data feed: group -> names."""

    @property
    def names(self) -> list[str]:
        """The name of each feature, in order."""
        return [name for names in self.columns.values() for name in names]

    def build(self, proposals: Proposals, rows: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Features of pairs (row of the proposals' query, item), sorted by row, float32 (pairs, columns)."""
        return aligned(make_features(Pairs(self.tables, proposals, rows, items)), self.columns, len(rows))


def aligned(made: dict[str, Columns], columns: dict[str, list[str]], n: int) -> np.ndarray:
    """Columns in the given order, float32 (n, columns); NaN for one that these data cannot feed."""
    found = [made.get(group, {}).get(name, np.nan) for group, names in columns.items() for name in names]
    values = np.empty((n, len(found)), np.float32)
    for place, column in enumerate(found):
        values[:, place] = column
    return values


@dataclass(frozen=True)
class TrainingData:
    """Pairs (user, item) that are candidates or held out or both, sorted by list, and what they were made from.

    features: float32 (pairs, columns). lists: int64 (pairs,), which query of which fold each belongs to. users: int64
    (pairs,), the user's code, -1 for an unknown one. items: int64 (pairs,). candidate: bool (pairs,), False for a pair
    that is held out but not proposed. target: bool (pairs,), held out and to be found. log_plays: float32 (pairs,),
    log(1 + plays) of targets, NaN of others and where every interaction weighs the same.
    """

    train: TrainView
    columns: dict[str, list[str]]
    """The features: group -> names, in order."""
    features: np.ndarray
    lists: np.ndarray
    users: np.ndarray
    items: np.ndarray
    candidate: np.ndarray
    target: np.ndarray
    log_plays: np.ndarray

    @property
    def candidate_features(self) -> np.ndarray:
        """Features of candidates, float32 (n, columns)."""
        return self.features[self.candidate]

    @property
    def labels(self) -> np.ndarray:
        """Which candidates are targets, bool (n,)."""
        return self.target[self.candidate]

    @property
    def has_plays(self) -> np.ndarray:
        """Of which pairs the plays are known, bool (pairs,); of none where every interaction weighs the same."""
        return ~np.isnan(self.log_plays)


OF_PAIRS = ("features", "lists", "users", "items", "candidate", "target", "log_plays")
"""The fields of `TrainingData` that have a row per pair."""


@dataclass(frozen=True)
class Recipe:
    """What decides, beside the train view, what is cross-fitted; each number of `negatives` has draws of its own."""

    settings: CandidateSettings
    negatives: tuple[int, ...]
    seed: int
    device: str


@dataclass(frozen=True)
class CrossFitted:
    """The fitted sources and features, the training data, and the seconds that both took.

    drawn: number of negatives per positive -> which pairs of `data` were drawn for it, bool (pairs,).
    """

    feature_builder: FeatureBuilder
    data: TrainingData
    drawn: dict[int, np.ndarray]
    source_seconds: Seconds
    feature_seconds: Seconds
    trees: dict[Hashable, tuple[Any, Any, Seconds]] = field(default_factory=dict)
    """Trees that were learned from the data, and the seconds that took, by what they were learned with."""
    candidates: dict[bytes, Any] = field(default_factory=dict)
    """Candidates by query and features of pairs that several models are asked for; see `TwoStageRecommender._kept`."""

    def only(self, negatives: int) -> "CrossFitted":
        """The same with the training data of one number of negatives per positive, which was drawn."""
        kept = self.drawn[negatives]
        of_pairs = {} if kept.all() else {name: getattr(self.data, name)[kept] for name in OF_PAIRS}
        return replace(self, data=replace(self.data, **of_pairs), drawn={negatives: kept[kept]})


def cross_fit(train: TrainView, recipe: Recipe) -> CrossFitted:
    """Sources, features and training data of a train view."""
    clock = Clock()
    builder = fit_sources(train, recipe, clock)
    draws = {n: np.random.default_rng([recipe.seed, n]) for n in recipe.negatives}
    parts, first = [], 0
    for fold in tqdm(folds(train, recipe.seed), "folds", FOLDS, leave=False, disable=not sys.stderr.isatty()):
        of_fold = fit_sources(fold.train, recipe, clock, builder.columns)
        for rows in of_fold.generator.blocks(fold.query):
            part = labelled_pairs(of_fold, fold, rows, draws, clock)
            parts.append(part | {"lists": first + part["lists"]})
        first += len(fold.query)
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    drawn = {n: joined.pop(f"drawn/{n}") for n in draws}
    builder, data = without_unknown(builder, TrainingData(train, builder.columns, **joined))
    sources, groups = builder.generator.sources.keys(), builder.columns.keys()
    if missing := [*(set(recipe.settings.sources) - sources), *(GROUPS.keys() - groups - {CONTEXT})]:
        nothing = "left out, since %s of data set %r has nothing for them: %s"
        log.info(nothing, train.protocol, train.dataset, ", ".join(sorted(missing)))
    return CrossFitted(builder, data, drawn, clock.seconds["sources"], clock.seconds["features"])


def fit_sources(
    train: TrainView, recipe: Recipe, clock: "Clock", columns: dict[str, list[str]] | None = None
) -> FeatureBuilder:
    """Fit the sources and gather the tables; `columns` are those of the whole data, for a fold of it."""
    generator = CandidateGenerator(recipe.settings, recipe.seed, recipe.device).fit(train)
    clock.lap("sources")
    tables = feature_tables(train, recipe.settings.context)
    if columns is None:
        first = np.array([0])
        proposals = generator.propose(Query(first, train.histories.take(first)))
        made = make_features(Pairs(tables, proposals, first, first))
        columns = {group: list(names) for group, names in made.items()}
    clock.lap("features")
    return FeatureBuilder(generator, tables, columns)


def labelled_pairs(
    builder: FeatureBuilder, fold: Fold, rows: np.ndarray, draws: dict[int, np.random.Generator], clock: "Clock"
) -> dict[str, np.ndarray]:
    """The arrays of `TrainingData` and `drawn/<negatives>` of consecutive rows of a fold, their lists' numbers."""
    query, n_items = fold.query.take(rows), builder.generator.n_items
    proposals = builder.generator.propose(query)
    clock.lap("sources")
    mine = slice(*np.searchsorted(fold.rows, [rows[0], rows[-1] + 1]))
    held_out, labels = (fold.rows[mine] - rows[0]) * n_items + fold.items[mine], fold.labels[mine]
    proposed = proposals.rows * n_items + proposals.items
    positive, negative = np.isin(proposed, held_out[labels]), ~np.isin(proposed, held_out)
    drawn = {}
    for negatives, rng in draws.items():
        share = negatives * positive.sum() / max(1, negative.sum())
        drawn[negatives] = proposed[positive | (negative & (rng.random(len(proposed)) < share))]
    chosen = np.unique(np.concatenate(list(drawn.values())))
    with_plays = held_out[labels] if builder.tables.has_plays else held_out[:0]
    pairs = np.union1d(chosen, with_plays)
    owners, items = pairs // n_items, pairs % n_items
    features = builder.build(proposals, owners, items)
    clock.lap("features")
    log_plays = np.full(len(pairs), np.nan, np.float32)
    log_plays[np.searchsorted(pairs, with_plays)] = fold.log_weights[mine][labels][: len(with_plays)]
    of_all = np.isin(pairs, with_plays)
    return {
        **{f"drawn/{negatives}": of_all | np.isin(pairs, own) for negatives, own in drawn.items()},
        "features": features,
        "lists": rows[0] + owners,
        "users": query.users[owners],
        "items": items,
        "candidate": np.isin(pairs, chosen),
        "target": np.isin(pairs, held_out[labels]),
        "log_plays": log_plays,
    }


def without_unknown(builder: FeatureBuilder, data: TrainingData) -> tuple[FeatureBuilder, TrainingData]:
    """Both without the columns of which nothing was ever known in training: friends where all users are unknown."""
    if not data.candidate.any():
        return builder, data
    known = ~np.isnan(data.candidate_features).all(axis=0)
    if data.has_plays.any():
        known &= ~np.isnan(data.features[data.has_plays]).all(axis=0)
    names = {name for name, kept in zip(builder.names, known, strict=True) if kept}
    by_group = {group: [name for name in own if name in names] for group, own in builder.columns.items()}
    columns = {group: own for group, own in by_group.items() if own}
    return replace(builder, columns=columns), replace(data, columns=columns, features=data.features[:, known])


def rows_at_most(train: TrainView, negatives: int, top: int) -> float:
    """Training pairs to reckon with: what is to be found, for its plays, and candidates, positive and negative ones.

    What is to be found is, over all folds, each visible pair once, or one event of each user and fold. Half of it is
    reckoned to be among the candidates, and half of what the sources propose to be distinct.
    """
    scheme = scheme_of(train.protocol)
    lists = train.n_users * (1 if scheme == "users" else FOLDS)
    targets = float(lists if scheme == "last" else len(train.histories.items))
    return targets + FOUND * min(targets * (1 + negatives), float(lists * len(KINDS) * top))


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
