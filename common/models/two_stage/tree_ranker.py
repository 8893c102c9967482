"""Two-stage recommenders: candidates from cheap sources, features of each, and trees that put them in order.

The order is learned pointwise: a candidate's score is the share of wanted ones among training candidates like it, as
in the second stage of Covington et al. 2016. What no source proposes keeps the order of the first stage, below.
"""

from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from threadpoolctl import threadpool_limits

from common.models.base import Recommender, Validation
from common.models.inference.trees import Trees, as_bytes, read_trees
from common.models.two_stage.base import Candidates, TwoStageRecommender
from common.models.two_stage.candidates import CandidateSettings
from common.models.two_stage.training_data import Lessons
from common.splits.train_view import TrainView
from common.training.context import FitContext
from common.utils.environment import Seconds
from common.utils.errors import UserError
from common.utils.io import atomic
from common.utils.settings import SearchRange

RANKER, PLAYS = "ranker.skops", "plays.skops"


@dataclass(frozen=True)
class TwoStageSettings(CandidateSettings):
    """What all two-stage models learn from."""

    negatives: Annotated[int, SearchRange(1, 100, log=True, least=1, search=False)] = 5
    """Candidates that are not wanted, per wanted one, in training."""
    weighting: Literal["none", "balanced"] = "none"
    """Whether wanted candidates weigh as much in all as the others."""


class TwoStage(TwoStageRecommender):
    """Candidates, features, trees. A subclass makes the two estimators."""

    Settings = TwoStageSettings
    files: ClassVar[tuple[str, ...]] = (*Recommender.files, RANKER, PLAYS)

    ranker: Trees | None
    """What orders candidates; None where nothing could be learned."""
    plays: Trees | None
    """What predicts log plays; None where there are none."""
    lessons: Lessons
    """What `fit` learned from; a loaded model has none."""

    @abstractmethod
    def new_ranker(self) -> Any:
        """An unfitted scikit-learn regressor or classifier of wanted (1) and other (0) candidates."""

    @abstractmethod
    def new_plays(self) -> Any:
        """An unfitted scikit-learn regressor of log plays."""

    def _fit(self, train: TrainView, validation: Validation | None, context: FitContext) -> None:
        """Cross-fit the sources, learn to order their candidates, and learn log plays where there are any."""
        prepared = self.cross_fit(train, self.settings.negatives)
        self.lessons = prepared.lessons
        start = Seconds.now()
        if learned := prepared.trees.get(self._recipe):
            self.ranker, self.plays, seconds = learned
            self.shared_seconds += seconds
            return
        self.ranker = self.learn(self.lessons.features, self.lessons.wanted)
        self.plays = self.learn_plays(self.lessons.pair_features, self.lessons.log_plays)
        prepared.trees[self._recipe] = self.ranker, self.plays, Seconds.now() - start

    @property
    def _recipe(self) -> str:
        """What decides which trees the same lessons lead to."""
        return f"{self.name} {self.seed} {self.settings}"

    def learn(self, features: np.ndarray, wanted: np.ndarray) -> Trees | None:
        """A ranker fitted to labelled candidates; None where no candidate is wanted, or every one is."""
        if wanted.all() or not wanted.any():
            return None
        balanced = self.settings.weighting == "balanced"
        weights = np.where(wanted, (~wanted).sum() / wanted.sum(), 1.0) if balanced else None
        return fit_trees(self.new_ranker(), features, wanted.astype(np.float64), weights)

    def learn_plays(self, features: np.ndarray, log_plays: np.ndarray) -> Trees | None:
        """A regressor of log plays; None where there is nothing to learn."""
        return fit_trees(self.new_plays(), features, log_plays.astype(np.float64), None) if len(log_plays) else None

    def order(self, pool: Candidates) -> np.ndarray:
        """Scores of the candidates in [0, 1], float32 (pairs,); the first stage's own where nothing was learned."""
        if self.ranker is None:
            return 1 + pool.rest[pool.rows, pool.items]
        return self.ranker.predict(pool.features)

    def plays_of(self, users: np.ndarray, items: np.ndarray, features: np.ndarray) -> np.ndarray | None:
        """Log plays by the trees that learned them, float32 (pairs,)."""
        return None if self.plays is None else self.plays.predict(features)

    def write(self, folder: Path) -> None:
        """Write the trees with skops, one file each, beside what every model writes."""
        for name, trees in ((RANKER, self.ranker), (PLAYS, self.plays)):
            with atomic(folder / name) as temporary:
                temporary.write_bytes(as_bytes(trees))
        super().write(folder)

    @classmethod
    def load(cls, folder: Path | str, train: TrainView | None = None, **how: Any) -> Self:
        """Read a saved model; of the trees' files only the arrays are read."""
        model = super().load(folder, train, **how)
        for name in (RANKER, PLAYS):
            try:
                trees = read_trees(folder / name)
            except Exception as error:  # whatever a broken archive leads to
                raise UserError(f"{folder / name} is missing or damaged; train {cls.name} again") from error
            setattr(model, name.removesuffix(".skops"), trees)
        return model

    def nbytes(self) -> int:
        """Bytes of the sources, the tables and the trees."""
        return super().nbytes() + sum(len(as_bytes(trees)) for trees in (self.ranker, self.plays))


def fit_trees(estimator: Any, features: np.ndarray, target: np.ndarray, weights: np.ndarray | None) -> Trees:
    """Fit trees so that the same rows give the same trees and predictions, bit for bit.

    Boosting with more than one OpenMP thread, and a forest that predicts with several, add up their sums in an order
    that changes from run to run.
    """
    with threadpool_limits(1, "openmp"):
        estimator.fit(features, target, sample_weight=weights)
    if hasattr(estimator, "n_jobs"):
        estimator.n_jobs = 1
    return Trees.of(estimator)
