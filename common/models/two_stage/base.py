"""Two stages: cheap sources propose candidates, a ranker puts these in order by their features (Covington et al. 2016).

What no source proposes keeps the order of the first stage, below every candidate.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Protocol

import numpy as np

from common.models.base import Recommender, as_histories, scoring_memory
from common.models.building_blocks import similar_by_parts
from common.models.two_stage.candidates import CandidateGenerator, CandidateSettings
from common.models.two_stage.feature_inputs import TABLE_BYTES, FeatureTables
from common.models.two_stage.kept_cross_fits import shared_cross_fit
from common.models.two_stage.training_data import (
    ALSO_DRAWN,
    COLUMNS,
    COPIES,
    CrossFitted,
    FeatureBuilder,
    Recipe,
    rows_at_most,
)
from common.splits.histories import Histories, Query, pack_histories, unpack_histories
from common.splits.request_time import check_hours
from common.splits.train_view import TrainView
from common.training.context import FitContext
from common.utils.arrays import below
from common.utils.environment import Seconds
from common.utils.memory import add_up
from common.utils.settings import flag_name

KEPT_BYTES = 2**29
"""Memory that kept candidates of one train view may take, so that they are made once for several models and epochs."""


@dataclass(frozen=True)
class Candidates:
    """Candidates of a query.

    users: codes int64 (users,), -1 for an unknown one. rows: int64 (pairs,), whose candidate each is; items: int64
    (pairs,); features: float32 (pairs, columns). rest: the scores of all items before the candidates' own are put in,
    float32 (users, n_items).
    """

    users: np.ndarray
    rows: np.ndarray
    items: np.ndarray
    features: np.ndarray
    rest: np.ndarray

    @property
    def pair_users(self) -> np.ndarray:
        """Code of the user of each pair, int64 (pairs,)."""
        return self.users[self.rows]

    def scores(self, of_candidates: np.ndarray) -> np.ndarray:
        """Scores of all items, float32 (users, n_items): the candidates' own, at least 0, the rest below."""
        scores = self.rest.copy()
        scores[self.rows, self.items] = of_candidates
        return scores


def size_of(kept: Candidates | np.ndarray) -> int:
    """Bytes of what is kept."""
    return kept.nbytes if isinstance(kept, np.ndarray) else sum(array.nbytes for array in vars(kept).values())


class Ranker(Protocol):
    """What puts candidates in order: trees, or a network."""

    def order(self, candidates: Candidates) -> np.ndarray:
        """Scores of the candidates, at least 0, float32 (pairs,)."""

    def predict_plays(self, users: np.ndarray, items: np.ndarray, features: np.ndarray) -> np.ndarray | None:
        """log(1 + plays) of pairs from their features, float32 (pairs,); None where plays were not learned."""


class TwoStageRecommender(Recommender):
    """Candidates, features and a ranker. A subclass makes the ranker, fits it and keeps it on disk."""

    ranker: Ranker
    feature_builder: FeatureBuilder
    histories: Histories

    def __init__(self, settings: Any = None, **how: Any) -> None:
        super().__init__(settings, **how)
        self.knows_hours = self.settings.context
        self.kept: dict[bytes, Candidates | np.ndarray] | None = None
        """Candidates by query and features of pairs, which the models of one experiment share; None: none are kept."""

    def memory_parts(self, train: TrainView) -> dict[str, float]:
        """What makes each part of the memory smaller -> its bytes: sources and scores, training pairs."""
        rows = rows_at_most(train, max(self.settings.negatives, *ALSO_DRAWN), self.settings.top)
        sources = CandidateGenerator(self.candidate_settings, self.seed, self.device).needed_memory(train)
        fewer = flag_name(self.name, "negatives")
        kept = min(float(KEPT_BYTES), 4.0 * train.n_users * (train.n_items + COLUMNS * 2 * self.settings.top))
        return {
            "leave it out: its sources and tables need that much, als and item_knn alone need less": sources
            + kept
            + scoring_memory(train.n_items)
            + float(TABLE_BYTES * len(train.histories.items)),
            f"lower {fewer} or {flag_name(self.name, 'top')}": 4.0 * COPIES * COLUMNS * rows,
        }

    def needed_memory(self, train: TrainView) -> tuple[float, str]:
        """The sources, the training pairs, and what the ranker adds to `memory_parts`."""
        return add_up(self.memory_parts(train))

    @property
    def candidate_settings(self) -> CandidateSettings:
        """Those of the settings that decide the candidates."""
        return CandidateSettings(**{f.name: getattr(self.settings, f.name) for f in fields(CandidateSettings)})

    def cross_fit(self, train: TrainView, context: FitContext) -> CrossFitted:
        """Fit the sources, for use and per fold, unless an earlier fit has left just that; see `shared_cross_fit`.

        Candidates of what is asked later are kept as well where `context.shared` lets other models use them.
        """
        self.candidate_settings.check_sources(flag_name(self.name, "sources"))
        if self.settings.context:
            check_hours(train, flag_name(self.name, "context"))
        negatives = self.settings.negatives
        drawn = tuple(sorted({negatives, *ALSO_DRAWN}))
        recipe = Recipe(self.candidate_settings, drawn, self.seed, self.device)
        fitted, known = shared_cross_fit(train, recipe, negatives, context)
        self.kept = None if context.shared is None else fitted.candidates
        self.feature_builder, self.histories = fitted.feature_builder, train.histories
        self.source_seconds, self.feature_seconds = fitted.source_seconds, fitted.feature_seconds
        self.shared_seconds = fitted.source_seconds + fitted.feature_seconds if known else Seconds()
        return fitted

    def candidates(self, query: Query) -> Candidates:
        """The candidates of a query and their features, out of those that are kept where they are there."""
        parts = (query.users, query.given.indptr, query.given.items, query.given.weights, query.hours)
        return self._kept("candidates", parts, lambda: self.make_candidates(query))

    def _kept(self, what: str, asked: Sequence[np.ndarray | None], make: Callable[[], Any]) -> Any:
        """What is made of some arrays, out of what is kept where it is there."""
        if self.kept is None:
            return make()
        key = b"".join([what.encode(), *(part.tobytes() for part in asked if part is not None)])
        if key not in self.kept:
            made = make()
            if sum(map(size_of, (*self.kept.values(), made))) > KEPT_BYTES:
                return made
            self.kept[key] = made
        return self.kept[key]

    def make_candidates(self, query: Query) -> Candidates:
        """The candidates of a query and their features."""
        proposals = self.feature_builder.generator.propose(query)
        features = self.feature_builder.build(proposals, proposals.rows, proposals.items)
        return Candidates(query.users, proposals.rows, proposals.items, features, proposals.order_of_the_rest())

    def query(self, users: np.ndarray) -> Query:
        """Users known from `fit`, with the histories they had there."""
        return Query(np.asarray(users, np.int64), self.histories.take(users))

    def score(self, users: np.ndarray) -> np.ndarray:
        """Scores of users known from `fit`."""
        return self.score_query(self.query(users))

    def fold_in(self, histories: Histories | Sequence[Sequence[int]]) -> np.ndarray:
        """Scores from histories alone: no friends, tags or age of these users are known."""
        histories = as_histories(histories, self.feature_builder.generator.n_items)
        return self.score_query(Query(np.full(len(histories), -1), histories))

    def scores_of(self, query: Query) -> np.ndarray:
        """Scores of known users and of the others by their history, and by the hour where that counts."""
        if self.knows_hours and query.hours is not None:
            return self.score_query(query)
        return super().scores_of(query)

    def score_query(self, query: Query) -> np.ndarray:
        """Scores of known users and new ones, float32 (len(query), n_items)."""
        generator = self.feature_builder.generator
        scores = np.empty((len(query), generator.n_items), np.float32)
        for rows in generator.blocks(query):
            candidates = self.candidates(query.take(rows))
            scores[rows] = candidates.scores(self.ranker.order(candidates))
        return scores

    def predict_plays(self, users: np.ndarray, items: np.ndarray) -> np.ndarray | None:
        """log(1 + plays) of pairs of known users and items, float32 (pairs,); None where plays say nothing here."""
        builder = self.feature_builder
        if self.ranker.predict_plays(users[:0], items[:0], np.zeros((0, len(builder.names)), np.float32)) is None:
            return None
        features = self._kept("pairs", (users, items), lambda: self._pair_features(users, items))
        return self.ranker.predict_plays(users, items, features)

    def _pair_features(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Features of pairs of known users and items, float32 (pairs, columns)."""
        builder = self.feature_builder
        distinct, rows = np.unique(users, return_inverse=True)
        order, features = np.argsort(rows, kind="stable"), np.empty((len(users), len(builder.names)), np.float32)
        query, sorted_rows = self.query(distinct), rows[order]
        for block in builder.generator.blocks(query):
            mine = order[slice(*np.searchsorted(sorted_rows, [block[0], block[-1] + 1]))]
            proposals = builder.generator.propose(query.take(block))
            features[mine] = builder.build(proposals, rows[mine] - block[0], items[mine])
        return features

    def similar(self, item: int, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Items that the collaborative sources and the tags find similar, all of the same weight."""
        sources = self.feature_builder.generator.sources
        parts = [(sources[name], 1.0) for name in ("als", "item_knn", "tag_knn") if name in sources]
        return similar_by_parts(parts, item, k, self.feature_builder.generator.n_items)

    def arrays(self) -> dict[str, np.ndarray]:
        """The sources, the tables and the histories; the ranker is the subclass's to keep."""
        times, builder = self.histories.timestamps, self.feature_builder
        return {
            **{f"stage/{name}": array for name, array in builder.generator.arrays().items()},
            **{f"tables/{name}": array for name, array in builder.tables.pack().items()},
            **pack_histories(self.histories),
            **({} if times is None else {"past_timestamps": times}),
            "columns": np.array(json.dumps(builder.columns)),
        }

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take back the sources, the tables and the histories."""
        generator = CandidateGenerator(self.settings, self.seed, self.device)
        generator.restore(below(arrays, "stage/"), self.inference_only)
        columns = json.loads(str(arrays["columns"]))
        self.feature_builder = FeatureBuilder(generator, FeatureTables.unpack(below(arrays, "tables/")), columns)
        self.histories = replace(unpack_histories(arrays, generator.n_items), timestamps=arrays.get("past_timestamps"))
