"""Rank fusion: one list from the ranks of several models, a sum of log ranks.

    score(u, i) = - sum over parts m of  w_m log(1 + r_m(u, i)),      the w_m sum to 1

r_m(u, i) is how many items of the whole catalogue part m places above i for u; of items that it scores alike, half. A
rank needs no scale that parts have in common, and its logarithm says most about the first places, as the reciprocal
does in reciprocal rank fusion (Cormack et al. 2009).

The parts are models of other stages, each fitted on its own; one of weight 0 is left out. By default these are the two
towers, iALS, and neighbours by tags, which have no say where items have no tags: unlike the models over candidates,
they order all items, also those that nobody has in training. Where the order of events counts, a model that goes by it
(SASRec) and one that does not (the hybrid) make up for each other.

With `seeds` above 1 each network is fitted that many times, from other seeds, and they share its weight: the sum evens
out what chance has put into the order of each, at that many times the cost.
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
from common.models.neural.base import NetworkOwner
from common.models.neural.listnet.model import HybridListNet, HybridListNetSettings
from common.models.neural.sasrec.model import SASRec, SASRecSettings
from common.models.neural.two_tower.model import TwoTower, TwoTowerSettings
from common.splits.histories import Histories, Query
from common.splits.train_view import TrainView
from common.training.context import FitContext
from common.utils.errors import UserError
from common.utils.settings import ADDED, SearchRange

STEP = 1e-5
"""Scores of a row that differ by less, in units of its largest, are alike, as rounding may make equal ones differ."""
PARTS: dict[str, tuple[type[Recommender], str]] = {
    "two_tower": (TwoTower, "towers_weight"),
    "sasrec": (SASRec, "sasrec_weight"),
    "hybrid_listnet": (HybridListNet, "hybrid_weight"),
    "ials": (IALS, "ials_weight"),
    "tag_knn": (TagKNN, "tags_weight"),
}
"""Each part's class and the setting that weighs it; networks come first."""
SEED_STEP = 1000
"""From one of several seeds to the next: far from the small numbers that commands are given."""
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
    sasrec_weight: Weight = 0.0
    """Weight of SASRec."""
    hybrid_weight: Weight = 0.0
    """Weight of the hybrid of stage 6."""
    seeds: Annotated[int, SearchRange(1, 8, least=1, most=64, search=False), ADDED] = 1
    """How often each network is fitted, each time from another seed; they share its weight."""
    two_tower: tyro.conf.Suppress[TwoTowerSettings] = field(default_factory=TwoTowerSettings)
    ials: tyro.conf.Suppress[IALSSettings] = field(default_factory=IALSSettings)
    tag_knn: tyro.conf.Suppress[TagKNNSettings] = field(default_factory=TagKNNSettings)
    sasrec: tyro.conf.Suppress[SASRecSettings] = field(default_factory=SASRecSettings)
    hybrid_listnet: tyro.conf.Suppress[HybridListNetSettings] = field(default_factory=HybridListNetSettings)

    def check(self) -> None:
        """Raise a UserError for weights that leave nothing to rank by."""
        if not sum(getattr(self, weight) for name, (_, weight) in PARTS.items() if name != "tag_knn"):
            raise UserError("all weights of --rank-fusion but that of tags are 0; give one of them above 0")


class RankFusion(Recommender):
    """The sum of the module's formula."""

    name = "rank_fusion"
    Settings = RankFusionSettings

    def __init__(self, settings: Any = None, **how: Any) -> None:
        super().__init__(settings, **how)
        self._new_parts()

    @classmethod
    def best_device(cls) -> str:
        """That of the networks."""
        return TwoTower.best_device()

    @classmethod
    def check_device(cls, device: str) -> None:
        """Raise a UserError for CUDA where torch has none."""
        TwoTower.check_device(device)

    def _new_parts(self) -> None:
        """The parts that have a say, unfitted."""
        used = {name: kind for name, (kind, weight) in PARTS.items() if getattr(self.settings, weight) > 0}
        self.parts: dict[str, Recommender] = {}
        for name, kind in used.items():
            device = self.device if is_network(kind) else "cpu"
            for place in range(self._copies(kind)):
                seed = self.seed + SEED_STEP * place
                self.parts[part_name(name, place)] = kind(getattr(self.settings, name), seed=seed, device=device)
        self.knows_hours = any(part.knows_hours for part in self.parts.values())

    def needed_memory(self, train: TrainView) -> tuple[float, str]:
        """The parts, then the ranks of a block of users."""
        self.settings.check()
        needed = memory_of_parts(self.parts.values(), train) + scoring_memory(train.n_items)
        return needed, "leave rank_fusion out of --models"

    def _fit(self, train: TrainView, validation: Validation | None, context: FitContext) -> None:
        self._new_parts()
        self._learn(train, context, lambda part, own: part.fit(train, validation, own))

    def _refit(self, train: TrainView, context: FitContext) -> None:
        self._learn(train, context, lambda part, own: part.refit(train, own))

    def _learn(self, train: TrainView, context: FitContext, learn: Callable[[Recommender, FitContext], Any]) -> None:
        """Fit the parts. Each has checkpoints of its own; the epochs that are told of are the first network's."""
        for place, (name, part) in enumerate(self.parts.items()):
            folder = None if context.checkpoints is None else context.checkpoints / name
            learn(part, replace(context, checkpoints=folder, report=None if place else context.report))
        tagged = train.item_tags is not None and len(train.item_tags) > 0
        of_all = np.array([self._weight(name) * (tagged or name != "tag_knn") for name in self.parts])
        self.n_items, self.weights = train.n_items, of_all / of_all.sum()
        first = next(iter(self.parts.values()))
        self.curves = first.curves
        self.costs = {name: cost for name, cost in first.costs.items() if not name.startswith("fit_")}

    def _weight(self, part: str) -> float:
        """The weight of a part, of a network its share of it."""
        kind, weight = PARTS[part.split("-")[0]]
        return getattr(self.settings, weight) / self._copies(kind)

    def _copies(self, kind: type[Recommender]) -> int:
        """How often a part is fitted."""
        return self.settings.seeds if is_network(kind) else 1

    def _weighed(self) -> list[tuple[Recommender, float]]:
        pairs = zip(self.parts.values(), self.weights.tolist(), strict=True)
        return [(part, weight) for part, weight in pairs if weight > 0]

    def score(self, users: np.ndarray) -> np.ndarray:
        """Sums over users known from `fit`."""
        return self._fused(lambda part: part.score(users))

    def fold_in(self, histories: Histories | Sequence[Sequence[int]]) -> np.ndarray:
        """Sums over users whom `fit` has not seen."""
        histories = as_histories(histories, self.n_items)
        return self._fused(lambda part: part.fold_in(histories))

    def scores_of(self, query: Query) -> np.ndarray:
        """Sums for a query, at its hours by the parts that go by them."""
        return self._fused(lambda part: part.scores_of(query))

    def _fused(self, scores_of: Callable[[Recommender], np.ndarray]) -> np.ndarray:
        return -sum(np.float32(weight) * np.log1p(ranks(scores_of(part))) for part, weight in self._weighed())

    def similar(self, item: int, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Items like this one, each part's similarity in units of its largest, weighed as in the lists."""
        return similar_by_parts(self._weighed(), item, k, self.n_items)

    def arrays(self) -> dict[str, np.ndarray]:
        """The parts' arrays under the parts' names, and their weights."""
        return pack_parts(self.parts) | {"weights": self.weights, "n_items": np.array(self.n_items)}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take back the parts and their weights."""
        self._new_parts()
        restore_parts(self.parts, arrays, self.inference_only)
        self.n_items, self.weights = int(arrays["n_items"]), arrays["weights"]


def is_network(kind: type[Recommender]) -> bool:
    """Whether a part trains a network."""
    return issubclass(kind, NetworkOwner | HybridListNet)


def part_name(name: str, place: int) -> str:
    """What a part is called: the first by its model's name, those from further seeds with a number, from 2.

    >>> part_name("sasrec", 0), part_name("sasrec", 1)
    ('sasrec', 'sasrec-2')
    """
    return f"{name}-{place + 1}" if place else name


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
