"""Trees as the ranker of a two-stage recommender.

The order is learned pointwise: a candidate's score is the share of positives among training candidates like it, as in
the second stage of Covington et al. 2016.
"""

import warnings
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from threadpoolctl import threadpool_limits

from common.models.base import Recommender, Validation
from common.models.inference.trees import Trees, as_bytes, read_trees
from common.models.two_stage.base import Candidates, TwoStageRecommender
from common.models.two_stage.candidates import CandidateSettings
from common.models.two_stage.training_data import TrainingData
from common.splits.train_view import TrainView
from common.training.context import FitContext
from common.utils.environment import Seconds
from common.utils.errors import UserError
from common.utils.io import atomic
from common.utils.settings import SearchRange

RANKER, PLAYS = "ranker.skops", "plays.skops"


@dataclass(frozen=True)
class TreeSettings(CandidateSettings):
    """What all trees learn from."""

    negatives: Annotated[int, SearchRange(1, 100, log=True, least=1, most=10_000, search=False)] = 5
    """Negative candidates per positive one in training."""
    weighting: Literal["none", "balanced"] = "none"
    """Whether positive candidates weigh as much in all as the negative ones."""


class TreeRanker:
    """Trees that score candidates, and trees that predict log plays: `new_trees(plays)` makes unfitted estimators."""

    def __init__(self, new_trees: Callable[[bool], Any], balanced: bool) -> None:
        self.new_trees, self.balanced = new_trees, balanced
        self.trees: Trees | None = None
        """What orders candidates; None where nothing could be learned."""
        self.plays_trees: Trees | None = None
        """What predicts log plays; None where there are none."""

    def fit(self, data: TrainingData) -> None:
        """Learn to order candidates, and to predict log plays where there are any; trees need no validation."""
        self.trees = self.learn(data.candidate_features, data.labels)
        features, log_plays = data.features[data.has_plays], data.log_plays[data.has_plays].astype(np.float64)
        self.plays_trees = fit_trees(self.new_trees(True), features, log_plays, None) if len(features) else None

    def learn(self, features: np.ndarray, labels: np.ndarray) -> Trees | None:
        """Trees fitted to labelled candidates; None where no candidate is positive, or every one is."""
        if labels.all() or not labels.any():
            return None
        weights = np.where(labels, (~labels).sum() / labels.sum(), 1.0) if self.balanced else None
        return fit_trees(self.new_trees(False), features, labels.astype(np.float64), weights)

    def order(self, candidates: Candidates) -> np.ndarray:
        """Scores of the candidates in [0, 1], float32 (pairs,); the first stage's own where nothing was learned."""
        if self.trees is None:
            return 1 + candidates.rest[candidates.rows, candidates.items]
        return self.trees.predict(candidates.features)

    def predict_plays(self, users: np.ndarray, items: np.ndarray, features: np.ndarray) -> np.ndarray | None:
        """log(1 + plays) by the trees that learned them, float32 (pairs,)."""
        return None if self.plays_trees is None else self.plays_trees.predict(features)


class TreeRecommender(TwoStageRecommender):
    """A two-stage recommender whose ranker is trees. A subclass makes the estimators."""

    Settings = TreeSettings
    files: ClassVar[tuple[str, ...]] = (*Recommender.files, RANKER, PLAYS)
    ranker: TreeRanker
    training_data: TrainingData
    """What `fit` learned from; a loaded model has none."""

    def __init__(self, settings: Any = None, **how: Any) -> None:
        super().__init__(settings, **how)
        self.ranker = TreeRanker(self.new_trees, self.settings.weighting == "balanced")

    @abstractmethod
    def new_trees(self, plays: bool) -> Any:
        """An unfitted scikit-learn regressor of log plays, or one or a classifier of positive (1) and negative (0)
        candidates."""

    def _fit(self, train: TrainView, validation: Validation | None, context: FitContext) -> None:
        fitted, ranker, start = self.cross_fit(train, context), self.ranker, Seconds.now()
        self.training_data = fitted.data
        recipe = (self.name, self.seed, self.settings)  # the same data and recipe lead to the same trees
        if recipe in fitted.trees:
            ranker.trees, ranker.plays_trees, seconds = fitted.trees[recipe]
            self.shared_seconds += seconds
        else:
            ranker.fit(self.training_data)
            fitted.trees[recipe] = ranker.trees, ranker.plays_trees, Seconds.now() - start

    def write(self, folder: Path) -> None:
        """Write the trees with skops, one file each, beside what every model writes."""
        for name, trees in ((RANKER, self.ranker.trees), (PLAYS, self.ranker.plays_trees)):
            with atomic(folder / name) as temporary:
                temporary.write_bytes(as_bytes(trees))
        super().write(folder)

    def read_more(self, folder: Path) -> None:
        """Read the trees; of their files only the arrays are read."""
        self.ranker.trees, self.ranker.plays_trees = (self._read_trees(folder / name) for name in (RANKER, PLAYS))

    @classmethod
    def _read_trees(cls, path: Path) -> Trees | None:
        try:
            return read_trees(path)
        except Exception as error:  # whatever a broken archive leads to
            raise UserError(f"{path} is missing or damaged; train {cls.name} again") from error

    def nbytes(self) -> int:
        """Bytes of the sources, the tables and the trees."""
        return super().nbytes() + sum(len(as_bytes(trees)) for trees in (self.ranker.trees, self.ranker.plays_trees))


def fit_trees(estimator: Any, features: np.ndarray, target: np.ndarray, weights: np.ndarray | None) -> Trees:
    """Fit trees so that the same rows give the same trees and predictions, bit for bit.

    Boosting with more than one OpenMP thread, and a forest that predicts with several, add up their sums in an order
    that changes from run to run.
    """
    with threadpool_limits(1, "openmp"), warnings.catch_warnings():
        # On tiny data a small share of few rows is what the settings ask for.
        warnings.filterwarnings("ignore", message="Using the fractional value max_samples", category=UserWarning)
        estimator.fit(features, target, sample_weight=weights)
    if hasattr(estimator, "n_jobs"):
        estimator.n_jobs = 1
    return Trees.of(estimator)
