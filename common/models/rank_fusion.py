"""Rank fusion: one list from the ranks of several models, a sum of log ranks.

    score(u, i) = - sum over parts m of  w_m log(1 + r_m(u, i)),      the w_m sum to 1

r_m(u, i) is how many items of the whole catalogue part m places above i for u; of items that it scores alike, half. A
rank needs no scale that parts have in common, and its logarithm says most about the first places, as the reciprocal
does in reciprocal rank fusion (Cormack et al. 2009). Unlike the models over candidates, it orders all items: those that
nobody has in training by what their tags and content say.

The parts are the two towers, iALS, and neighbours by tags, which has no say where items have no tags.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

import numpy as np
import tyro

from common.models.base import Recommender, Validation, as_histories, scoring_memory
from common.models.building_blocks import memory_of_parts, pack_parts, restore_parts, similar_by_parts
from common.models.knn.content_knn import TagKNN, TagKNNSettings
from common.models.linear.ials import IALS, IALSSettings
from common.models.neural.two_tower.model import TwoTower, TwoTowerSettings
from common.splits.histories import Histories
from common.splits.train_view import TrainView
from common.training.context import FitContext
from common.utils.errors import UserError
from common.utils.settings import SearchRange

STEP = 1e-5
"""Scores of a row that differ by less, in units of its largest, are alike, as rounding may make equal ones differ."""
Weight = Annotated[float, SearchRange(0.0, 1.0, most=1e6)]


@dataclass(frozen=True)
class RankFusionSettings:
    """Weights of the parts, divided by their sum. The parts' own settings are those of the models of the same names."""

    towers_weight: Weight = 0.6
    """Weight of the two towers."""
    ials_weight: Weight = 0.2
    """Weight of iALS."""
    tags_weight: Weight = 0.2
    """Weight of neighbours by tags."""
    two_tower: tyro.conf.Suppress[TwoTowerSettings] = field(default_factory=TwoTowerSettings)
    ials: tyro.conf.Suppress[IALSSettings] = field(default_factory=IALSSettings)
    tag_knn: tyro.conf.Suppress[TagKNNSettings] = field(default_factory=TagKNNSettings)

    def check(self) -> None:
        """Raise a UserError for weights that leave nothing to rank by."""
        if not self.towers_weight + self.ials_weight > 0:
            raise UserError("--rank-fusion.towers-weight and --rank-fusion.ials-weight are both 0; give one above 0")


class RankFusion(Recommender):
    """The sum of the module's formula."""

    name = "rank_fusion"
    Settings = RankFusionSettings

    def __init__(self, settings: Any = None, **how: Any) -> None:
        super().__init__(settings, **how)
        self._new_parts()

    @classmethod
    def best_device(cls) -> str:
        """That of the two towers."""
        return TwoTower.best_device()

    @classmethod
    def check_device(cls, device: str) -> None:
        """Raise a UserError for CUDA where torch has none."""
        TwoTower.check_device(device)

    def _new_parts(self) -> None:
        s = self.settings
        self.two_tower = TwoTower(s.two_tower, seed=self.seed, device=self.device)
        ials, tags = IALS(s.ials, seed=self.seed), TagKNN(s.tag_knn, seed=self.seed)
        self.parts: dict[str, Recommender] = {"two_tower": self.two_tower, "ials": ials, "tag_knn": tags}

    def needed_memory(self, train: TrainView) -> tuple[float, str]:
        """The parts, then two rows of numbers for each score of a block of users."""
        self.settings.check()
        s = self.settings
        parts = [TwoTower(s.two_tower, device=self.device), IALS(s.ials), TagKNN(s.tag_knn)]
        of_parts = memory_of_parts(parts, train)
        return of_parts + scoring_memory(train.n_items), "leave rank_fusion out of --models"

    def _fit(self, train: TrainView, validation: Validation | None, context: FitContext) -> None:
        self._new_parts()
        self._learn(train, lambda: self.two_tower.fit(train, validation, context), context)

    def _refit(self, train: TrainView, context: FitContext) -> None:
        self._learn(train, lambda: self.two_tower.refit(train, context), context)

    def _learn(self, train: TrainView, train_towers: Callable[[], object], context: FitContext) -> None:
        s = self.settings
        train_towers()
        for part in (self.parts["ials"], self.parts["tag_knn"]):
            part.fit(train, context=replace(context, report=None))  # the epochs that are told of are the towers'
        tagged = train.item_tags is not None and len(train.item_tags) > 0
        weights = np.array([s.towers_weight, s.ials_weight, s.tags_weight * tagged])
        self.weights = weights / weights.sum()
        of_fit = ("fit_seconds", "fit_cpu_seconds")
        self.curves = self.two_tower.curves
        self.costs = {name: cost for name, cost in self.two_tower.costs.items() if name not in of_fit}

    def score(self, users: np.ndarray) -> np.ndarray:
        """Sums over users known from `fit`."""
        return self._fused(lambda part: part.score(users))

    def fold_in(self, histories: Histories | Sequence[Sequence[int]]) -> np.ndarray:
        """Sums over users whom `fit` has not seen."""
        histories = as_histories(histories, len(self.two_tower.items))
        return self._fused(lambda part: part.fold_in(histories))

    def _fused(self, scores_of: Callable[[Recommender], np.ndarray]) -> np.ndarray:
        weighed = [(part, w) for part, w in zip(self.parts.values(), self.weights, strict=True) if w]
        return -sum(np.float32(weight) * np.log1p(ranks(scores_of(part))) for part, weight in weighed)

    def similar(self, item: int, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Items like this one, each part's similarity in units of its largest, weighed as in the lists."""
        weighed = [(part, float(w)) for part, w in zip(self.parts.values(), self.weights, strict=True) if w]
        return similar_by_parts(weighed, item, k, len(self.two_tower.items))

    def arrays(self) -> dict[str, np.ndarray]:
        """The parts' arrays under the parts' names, and their weights."""
        return pack_parts(self.parts) | {"weights": self.weights}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take back the parts and their weights."""
        self._new_parts()
        restore_parts(self.parts, arrays, self.inference_only)
        self.weights = arrays["weights"]


def ranks(scores: np.ndarray) -> np.ndarray:
    """How many scores of its row are larger than each, those alike counting half: float32 (rows, n), from 0.

    >>> ranks(np.array([[3.0, 1.0, 3.0]], np.float32))
    array([[0.5, 2. , 0.5]], dtype=float32)
    """
    found = np.empty(scores.shape, np.float32)
    for row, values in enumerate(scores):
        steps = np.rint(values.astype(np.float64) / (STEP * max(float(np.abs(values).max(initial=0)), 1e-30)))
        order = np.argsort(-steps, kind="stable")
        ordered = steps[order]
        starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
        alike = np.diff(np.append(starts, len(ordered)))
        found[row, order] = np.repeat(starts + (alike - 1) / 2, alike)
    return found
