"""Hybrid kNN: popularity, content neighbours and collaborative neighbours in one weighted sum.

    score = sum over parts m of  weight_m * score_m / scale_m

`scale_m` is the mean over users of part m's best score, one number per part. It makes the weights comparable, and it
is not taken per user on purpose: a part's scores are sums over a history, so that with a short history the neighbours
weigh little and popularity leads, as it should.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
import tyro

from common.models.base import Recommender, Validation, as_histories
from common.models.building_blocks import order_rest_by_popularity, pack_parts, restore_parts, similar_by_parts
from common.models.explanation import Explanation
from common.models.knn.content_knn import ContentKNN, ContentKNNSettings, TagKNN, TagKNNSettings
from common.models.knn.item_knn import ItemKNN, ItemKNNSettings
from common.models.knn.user_knn import UserKNN, UserKNNSettings
from common.splits.histories import Histories
from common.splits.train_view import TrainView
from common.training.context import FitContext
from common.utils.settings import SearchRange

SAMPLE = 1000
"""Users whose best scores make the scale."""
PARTS: dict[str, type[Recommender]] = {part.name: part for part in (ItemKNN, UserKNN, TagKNN, ContentKNN)}
Weight = Annotated[float, SearchRange(0.0, 1.0, most=1e6)]


@dataclass(frozen=True)
class HybridKNNSettings:
    """What each part weighs. The parts' own settings are those of the models of the same names."""

    collaborative_items: Weight = 0.4
    """Weight of item kNN."""
    collaborative_users: Weight = 0.2
    """Weight of user kNN."""
    tags: Weight = 0.2
    """Weight of tag kNN."""
    audio: Weight = 0.1
    """Weight of content kNN."""
    popularity: Weight = 0.1
    """Weight of log popularity."""
    item_knn: tyro.conf.Suppress[ItemKNNSettings] = field(default_factory=ItemKNNSettings)
    user_knn: tyro.conf.Suppress[UserKNNSettings] = field(default_factory=UserKNNSettings)
    tag_knn: tyro.conf.Suppress[TagKNNSettings] = field(default_factory=TagKNNSettings)
    content_knn: tyro.conf.Suppress[ContentKNNSettings] = field(default_factory=ContentKNNSettings)

    def weights(self) -> dict[str, float]:
        """Weight of each part by its model's name."""
        values = (self.collaborative_items, self.collaborative_users, self.tags, self.audio)
        return dict(zip(PARTS, values, strict=True))


class HybridKNN(Recommender):
    """The weighted sum of the module's formula; items without a score of any part are ordered by popularity."""

    name = "hybrid_knn"
    Settings = HybridKNNSettings

    def _fit(self, train: TrainView, validation: Validation | None, context: FitContext) -> None:
        """Fit the parts that weigh anything, and find their scales."""
        self.popularity = train.popularity
        sample = np.unique(np.linspace(0, train.n_users - 1, min(SAMPLE, train.n_users)).astype(int))
        self.parts = {name: part.fit(train) for name, part in self._new_parts().items()}
        self.scales = {name: _mean_best(part, sample) for name, part in self.parts.items()}

    def needed_memory(self, train: TrainView) -> tuple[float, str]:
        """That of the part that needs most."""
        parts = [part.needed_memory(train) for part in self._new_parts().values()]
        return max(parts, default=(0.0, ""))

    def _new_parts(self) -> dict[str, Recommender]:
        weights = self.settings.weights()
        return {n: kind(getattr(self.settings, n), seed=self.seed) for n, kind in PARTS.items() if weights[n] > 0}

    def _blend(self, scores: dict[str, np.ndarray], rows: int) -> np.ndarray:
        weights, popularity = self.settings.weights(), np.log(self.popularity)
        total = np.tile(self.settings.popularity * popularity / max(popularity.max(), 1), (rows, 1)).astype(np.float32)
        for name, part in scores.items():
            total += np.float32(weights[name] / self.scales[name]) * np.maximum(part, 0)
        return order_rest_by_popularity(total, self.popularity)

    def score(self, users: np.ndarray) -> np.ndarray:
        """Blend of the parts' scores of known users."""
        return self._blend({name: part.score(users) for name, part in self.parts.items()}, len(users))

    def fold_in(self, histories: Histories | Sequence[Sequence[int]]) -> np.ndarray:
        """Blend of the parts' scores from histories."""
        histories = as_histories(histories, len(self.popularity))
        return self._blend({name: part.fold_in(histories) for name, part in self.parts.items()}, len(histories))

    def explain_list(self, history: Histories, items: Sequence[int], user: int = -1) -> list[Explanation]:
        """What each part adds to the score of an item, and each item of one history through the parts.

        `user` is the code of a known user, who has no vote among the neighbours.
        """
        history, weights = as_histories(history, len(self.popularity)), self.settings.weights()
        own, popularity = np.unique(history.take(np.array([0])).items), np.log(self.popularity)
        parts: list[dict[str, float]] = [{} for _ in items]
        added = np.zeros((len(items), len(own)))
        for name, part in self.parts.items():
            factor = weights[name] / self.scales[name]
            for place, why in enumerate(part.explain_list(history, items, user) or []):
                added[place] += factor * why.contributions
                parts[place][name] = factor * float(why.contributions.sum())
        for shares, item in zip(parts, items, strict=True):
            shares["popularity"] = self.settings.popularity * float(popularity[item]) / max(float(popularity.max()), 1)
        return [Explanation(shares, own, by) for shares, by in zip(parts, added, strict=True)]

    def similar(self, item: int, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Items by the parts' similarities, each in units of its largest and weighed like the parts."""
        weights = self.settings.weights()
        weighed = [(part, weights[name]) for name, part in self.parts.items()]
        return similar_by_parts(weighed, item, k, len(self.popularity))

    def arrays(self) -> dict[str, np.ndarray]:
        """The parts' arrays under the parts' names, and the scales."""
        return pack_parts(self.parts) | {"popularity": self.popularity, "scales": np.array(list(self.scales.values()))}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take back the parts and the scales."""
        self.popularity = arrays["popularity"]
        self.parts = self._new_parts()
        self.scales = dict(zip(self.parts, arrays["scales"].tolist(), strict=True))
        restore_parts(self.parts, arrays, self.inference_only)


def _mean_best(part: Recommender, users: np.ndarray) -> float:
    """Mean over users of the best score; 1 for a part without a score for any user."""
    largest = np.concatenate([part.score(rows).max(axis=1) for rows in np.array_split(users, 4)])
    return float(np.maximum(largest, 0).mean()) or 1.0
