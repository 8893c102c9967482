"""Random forests (Breiman 2001) and gradient boosting over histograms as rankers of candidates."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from common.models.explanation import Explanation
from common.models.inference.trees import Trees
from common.models.two_stage.base import Candidates
from common.models.two_stage.training_data import rows_at_most
from common.models.two_stage.tree_ranker import TreeRecommender, TreeSettings
from common.splits.histories import Histories, Query
from common.splits.train_view import TrainView
from common.utils.environment import threads
from common.utils.settings import SearchRange

LEAF_OF_PLAYS = 5
"""Least training rows in a leaf of the trees that predict plays."""
NODE_BYTES = 112
"""Memory of a tree's node, in scikit-learn and in our arrays."""


@dataclass(frozen=True)
class ForestSettings(TreeSettings):
    """The defaults are the textbook's: 100 trees, each on a bootstrap sample, leaves of 5, sqrt(features) a split."""

    trees: Annotated[int, SearchRange(50, 500, log=True, least=1, most=10_000, search=False)] = 100
    """Trees of each forest."""
    leaf: Annotated[int, SearchRange(3, 100, log=True, least=1, most=1_000_000)] = 5
    """Least training rows in a leaf of the ranker."""
    features: Annotated[float, SearchRange(0.05, 0.6, least=0.001, most=1.0)] = 0.13
    """Share of the features that a split of the ranker chooses from; 0.13 is sqrt(60) / 60."""
    samples: Annotated[float, SearchRange(0.1, 1.0, least=0.001, most=1.0, search=False)] = 1.0
    """Size of a tree's bootstrap sample, as a share of the training rows."""


class Forest(TreeRecommender):
    """A forest on labels 0 and 1: the mean over trees of the share of positive candidates in the leaf."""

    name = "forest"
    Settings = ForestSettings

    def new_trees(self, plays: bool) -> Any:
        """A regression forest, whose squared error on 0 and 1 is half the Gini impurity of a classifying one.

        For plays the textbook's: a third of the features at every split.
        """
        from sklearn.ensemble import RandomForestRegressor

        leaf, features = (LEAF_OF_PLAYS, 1 / 3) if plays else (self.settings.leaf, self.settings.features)
        return RandomForestRegressor(
            self.settings.trees,
            min_samples_leaf=leaf,
            max_features=features,
            max_samples=self.settings.samples if self.settings.samples < 1 else None,
            n_jobs=threads(),
            random_state=self.seed,
        )

    def memory_parts(self, train: TrainView) -> dict[str, float]:
        """Those of two stages and the trees: of each as many nodes as leaves of the least size allow, twice."""
        s = self.settings
        rows = rows_at_most(train, s.negatives, s.top)
        leaves = s.samples * rows / s.leaf + len(train.histories.items) / LEAF_OF_PLAYS
        trees = {"lower --forest.trees or raise --forest.leaf": 2.0 * NODE_BYTES * s.trees * leaves}
        return super().memory_parts(train) | trees

    def explain_list(self, history: Histories, items: Sequence[int], user: int = -1) -> list[Explanation]:
        """Which features moved a candidate's score, and by how much: Saabas 2014, the steps of the paths added up.

        `parts` start with `average`, the share of positive training candidates, and sum to the score. An item that no
        source proposes has the part `first_stage` alone. `user` is the code of a known user.
        """
        candidates = self.candidates(Query(np.array([user]), history.take(np.array([0]))))
        return [self._explain(candidates, item) for item in items]

    def _explain(self, candidates: Candidates, item: int) -> Explanation:
        nothing = np.array([], np.int32), np.array([])
        place = np.flatnonzero(candidates.items == item)
        if not len(place) or self.ranker.trees is None:
            scores = candidates.scores(self.ranker.order(candidates))
            return Explanation({"first_stage": float(scores[0, item])}, *nothing)
        average, steps = contributions(self.ranker.trees, candidates.features[place])
        by_size = np.argsort(-np.abs(steps[0]), kind="stable")
        names = self.feature_builder.names
        return Explanation({"average": average} | {names[f]: float(steps[0, f]) for f in by_size}, *nothing)


def contributions(forest: Trees, features: np.ndarray) -> tuple[float, np.ndarray]:
    """What each feature adds to a forest's predictions: their mean start, and float64 (rows, features).

    On the way from the root to a leaf every split changes the mean of the training rows that are left; the change is
    credited to the feature of the split. Start and changes add up to the prediction.
    """
    nodes, rows = forest.nodes, np.ascontiguousarray(features, forest.rule.precision)
    added = np.zeros((len(nodes.roots), *features.shape))
    tree, row = np.indices(added.shape[:2])
    for parents, children in nodes.levels(rows):
        added[tree, row, nodes.feature[parents]] += nodes.value[children] - nodes.value[parents]
    return float(forest.rule.combine(nodes.value[nodes.roots])), forest.rule.combine(added)


@dataclass(frozen=True)
class HistGradientSettings(TreeSettings):
    """The defaults are scikit-learn's."""

    iterations: Annotated[int, SearchRange(50, 400, log=True, least=1, most=10_000)] = 100
    """Trees, one after the other."""
    learning_rate: Annotated[float, SearchRange(0.02, 0.2, log=True, least=1e-4, most=10.0)] = 0.1
    """How much each tree adds."""
    leaves: Annotated[int, SearchRange(7, 63, log=True, least=2, most=65_536)] = 31
    """Most leaves of a tree."""
    leaf: Annotated[int, SearchRange(20, 400, log=True, least=1, most=1_000_000)] = 20
    """Least training rows in a leaf."""
    l2: Annotated[float, SearchRange(0.1, 100.0, log=True, least=0.0, most=1e9)] = 0.0
    """Regularisation of the leaves' values."""


class HistGradient(TreeRecommender):
    """scikit-learn's gradient boosting over histograms, with the logistic loss."""

    name = "hist_gradient"
    Settings = HistGradientSettings

    def new_trees(self, plays: bool) -> Any:
        """A boosted classifier of positive candidates, or a boosted regressor of log plays."""
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

        settings, kind = self.settings, HistGradientBoostingRegressor if plays else HistGradientBoostingClassifier
        return kind(
            max_iter=settings.iterations,
            learning_rate=settings.learning_rate,
            max_leaf_nodes=settings.leaves,
            min_samples_leaf=settings.leaf,
            l2_regularization=settings.l2,
            early_stopping=False,
            random_state=self.seed,
        )
