"""What all second stages share: candidates of cheap sources and their features, which a subclass puts in order.

What no source proposes keeps the order of the first stage, below every candidate.
"""

import json
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from common.models.base import Recommender, as_histories, similar_by_parts
from common.models.two_stage.candidates import CandidateGenerator, CandidateSettings
from common.models.two_stage.feature_builder import FeatureBuilder
from common.models.two_stage.feature_inputs import FeatureTables
from common.models.two_stage.training_data import Prepared, prepare
from common.splits.histories import Histories, Query, pack_histories, unpack_histories
from common.splits.train_view import TrainView
from common.utils.environment import Seconds


@dataclass(frozen=True)
class Candidates:
    """Candidates of some people: codes of the people int64 (people,), -1 for somebody unknown; rows, items int64
    (pairs,), features float32 (pairs, columns), and the score of every item before the candidates' own are put in,
    float32 (people, n_items)."""

    people: np.ndarray
    rows: np.ndarray
    items: np.ndarray
    features: np.ndarray
    rest: np.ndarray

    @property
    def users(self) -> np.ndarray:
        """Whose candidate each is, int64 (pairs,)."""
        return self.people[self.rows]

    def scores(self, of_candidates: np.ndarray) -> np.ndarray:
        """Scores of all items, float32 (people, n_items): the candidates' own, at least 0, the rest below."""
        scores = self.rest.copy()
        scores[self.rows, self.items] = of_candidates
        return scores


class TwoStageRecommender(Recommender):
    """Candidates and features. A subclass learns to order the one by the other, on the lessons of `cross_fit`."""

    bench: FeatureBuilder
    histories: Histories

    @abstractmethod
    def order(self, pool: Candidates) -> np.ndarray:
        """Scores of the candidates, at least 0, float32 (pairs,)."""

    @abstractmethod
    def plays_of(self, users: np.ndarray, items: np.ndarray, features: np.ndarray) -> np.ndarray | None:
        """log(1 + plays) of pairs from their features, float32 (pairs,); None where plays say nothing."""

    def cross_fit(self, train: TrainView, negatives: int) -> Prepared:
        """Fit the sources, for use and per fold, unless a model before has left just that behind."""
        about = CandidateSettings(**{f.name: getattr(self.settings, f.name) for f in fields(CandidateSettings)})
        prepared, kept = prepare(train, about, negatives, self.seed, self.device)
        self.bench, self.histories = prepared.bench, train.histories
        self.source_seconds, self.feature_seconds = prepared.source_seconds, prepared.feature_seconds
        self.shared_seconds = prepared.source_seconds + prepared.feature_seconds if kept else Seconds()
        return prepared

    def pool(self, asked: Query) -> Candidates:
        """The candidates of some people and their features."""
        proposals = self.bench.stage.propose(asked)
        features = self.bench.describe(asked, proposals.rows, proposals.items, proposals)
        return Candidates(asked.users, proposals.rows, proposals.items, features, proposals.order_of_the_rest())

    def known(self, users: np.ndarray) -> Query:
        """Users known from `fit`, with the histories they had there."""
        return Query(np.asarray(users, np.int64), self.histories.take(users))

    def score(self, users: np.ndarray) -> np.ndarray:
        """Scores of users known from `fit`."""
        return self.score_query(self.known(users))

    def fold_in(self, histories: Histories | Sequence[Sequence[int]]) -> np.ndarray:
        """Scores from histories alone: of these people no friends, tags or age are known."""
        histories = as_histories(histories, self.bench.stage.n_items)
        return self.score_query(Query(np.full(len(histories), -1), histories))

    def score_query(self, asked: Query) -> np.ndarray:
        """Scores of anybody, float32 (len(asked), n_items)."""
        scores = np.empty((len(asked), self.bench.stage.n_items), np.float32)
        for rows in self.bench.stage.blocks(asked):
            pool = self.pool(asked.take(rows))
            scores[rows] = pool.scores(self.order(pool))
        return scores

    def predict_plays(self, users: np.ndarray, items: np.ndarray) -> np.ndarray | None:
        """log(1 + plays) of pairs of known users and items, float32 (pairs,); None where plays say nothing here."""
        if self.plays_of(users[:0], items[:0], np.zeros((0, len(self.bench.names)), np.float32)) is None:
            return None
        people, rows = np.unique(users, return_inverse=True)
        order, predicted = np.argsort(rows, kind="stable"), np.empty(len(users), np.float32)
        asked, sorted_rows = self.known(people), rows[order]
        for block in self.bench.stage.blocks(asked):
            mine = order[slice(*np.searchsorted(sorted_rows, [block[0], block[-1] + 1]))]
            part = asked.take(block)
            features = self.bench.describe(part, rows[mine] - block[0], items[mine], self.bench.stage.propose(part))
            predicted[mine] = self.plays_of(users[mine], items[mine], features)
        return predicted

    def similar(self, item: int, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Items that the collaborative sources and the tags find alike, all with the same say."""
        sources = self.bench.stage.sources
        voices = [(sources[name], 1.0) for name in ("als", "item_knn", "tag_knn") if name in sources]
        return similar_by_parts(voices, item, k, self.bench.stage.n_items)

    def arrays(self) -> dict[str, np.ndarray]:
        """The sources, the tables and the histories; what orders candidates is the subclass's to keep."""
        times = self.histories.timestamps
        return {
            **{f"stage/{name}": array for name, array in self.bench.stage.arrays().items()},
            **{f"tables/{name}": array for name, array in self.bench.tables.pack().items()},
            **pack_histories(self.histories),
            **({} if times is None else {"past_timestamps": times}),
            "columns": np.array(json.dumps(self.bench.columns)),
        }

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take back the sources, the tables and the histories."""
        of = {prefix: _below(arrays, prefix) for prefix in ("stage/", "tables/")}
        stage = CandidateGenerator(self.settings, self.seed, self.device)
        stage.restore(of["stage/"])
        self.bench = FeatureBuilder(stage, FeatureTables.unpack(of["tables/"]), json.loads(str(arrays["columns"])))
        self.histories = replace(unpack_histories(arrays, stage.n_items), timestamps=arrays.get("past_timestamps"))


def _below(arrays: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {name[len(prefix) :]: array for name, array in arrays.items() if name.startswith(prefix)}
