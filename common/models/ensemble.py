"""The adaptive ensemble: ALS, content and popularity, weighed by how much is known of the user.

    score(u, i) = sum over parts m of  w_m(length of u's history) * s_m(u, i) / scale_m(u)

`scale_m(u)` is part m's best score among the items that u does not have yet. So every part's best candidate is worth
1 before it is weighed, and a weight means what it seems to mean: without the scale, the sums of neighbours (tens), the
predicted preferences of ALS (below 1) and the popularity would mix in arbitrary proportions, different for
every user. A scale and no offset, because then the score stays a sum of what the single items of the history add.

Content is the neighbours by tags and by audio, mixed in the same way, without their popularity factor. An
empty history is replaced by the whole catalogue, each item weighed by its listeners: content then prefers what is
similar to popular items. Popularity is the logarithm of the listeners.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated

import numpy as np
import tyro

from common.models.base import Recommender, Validation, as_histories, scoring_memory
from common.models.building_blocks import (
    HistoryRecommender,
    memory_of_parts,
    pack_parts,
    restore_parts,
    similar_by_parts,
)
from common.models.explanation import Explanation
from common.models.knn.content_knn import ContentKNN, ContentKNNSettings, ContentSimilarityKNN, TagKNN, TagKNNSettings
from common.models.linear.als import ALS, ALSSettings
from common.splits.histories import Histories
from common.splits.train_view import TrainView
from common.training.context import FitContext
from common.utils.errors import UserError
from common.utils.memory import add_up
from common.utils.settings import SearchRange

N_GIVEN = (0, 1, 5, 10, 20)
"""Least length of a history in each range: 0, 1-4, 5-9, 10-19, 20 and more."""
PARTS = ("als", "content", "popularity")
"""What is weighed in each range of lengths."""
Weight = Annotated[float, SearchRange(0.0, 1.0, most=1e6)]


@dataclass(frozen=True)
class EnsembleSettings:
    """Weights by length of the history; those of a range are divided by their sum.

    The defaults are a rule of thumb. The parts' own settings are those of the models of the same names.
    """

    content_0: Weight = 0.7
    """Weight of content for users without a history."""
    popularity_0: Weight = 0.3
    """Weight of popularity for users without a history."""
    als_1: Weight = 0.5
    """Weight of ALS for histories of 1 to 4."""
    content_1: Weight = 0.5
    """Weight of content for histories of 1 to 4."""
    popularity_1: Weight = 0.0
    """Weight of popularity for histories of 1 to 4."""
    als_5: Weight = 0.6
    """Weight of ALS for histories of 5 to 9."""
    content_5: Weight = 0.3
    """Weight of content for histories of 5 to 9."""
    popularity_5: Weight = 0.1
    """Weight of popularity for histories of 5 to 9."""
    als_10: Weight = 0.6
    """Weight of ALS for histories of 10 to 19."""
    content_10: Weight = 0.3
    """Weight of content for histories of 10 to 19."""
    popularity_10: Weight = 0.1
    """Weight of popularity for histories of 10 to 19."""
    als_20: Weight = 0.6
    """Weight of ALS for histories of 20 and more."""
    content_20: Weight = 0.3
    """Weight of content for histories of 20 and more."""
    popularity_20: Weight = 0.1
    """Weight of popularity for histories of 20 and more."""
    audio: Weight = 0.2
    """Share of the audio neighbours in content; the rest is the tags'."""
    als: tyro.conf.Suppress[ALSSettings] = field(default_factory=ALSSettings)
    tag_knn: tyro.conf.Suppress[TagKNNSettings] = field(default_factory=TagKNNSettings)
    content_knn: tyro.conf.Suppress[ContentKNNSettings] = field(default_factory=ContentKNNSettings)

    def __post_init__(self) -> None:
        """Refuse weights that mean nothing."""
        weights = self._raw_weights()
        if not (np.isfinite(weights) & (weights >= 0)).all() or not (weights.sum(axis=1) > 0).all():
            raise UserError("weights of the ensemble must be finite, not negative, and in no range all 0; mend them")
        if not 0 <= self.audio <= 1:
            raise UserError(f"audio = {self.audio} of the ensemble must be a share between 0 and 1; mend it")

    def _raw_weights(self) -> np.ndarray:
        return np.array([[getattr(self, f"{part}_{least}", 0.0) for part in PARTS] for least in N_GIVEN])

    def part_weights(self) -> np.ndarray:
        """Weights float64 (ranges, [als, content, popularity]); every range sums to 1."""
        raw = self._raw_weights()
        return raw / raw.sum(axis=1, keepdims=True)

    def weights(self) -> np.ndarray:
        """Weights of the parts, float64 (ranges, [als, tags, audio, popularity]); every range sums to 1."""
        als, content, popularity = self.part_weights().T
        return np.stack([als, (1 - self.audio) * content, self.audio * content, popularity], axis=1)


class Ensemble(HistoryRecommender):
    """The weighted sum of the module's formula."""

    name = "ensemble"
    Settings = EnsembleSettings

    @classmethod
    def best_device(cls) -> str:
        """That of ALS."""
        return ALS.best_device()

    def _fit(self, train: TrainView, validation: Validation | None, context: FitContext) -> None:
        """Fit the three models."""
        self.keep(train)
        self._new_parts()
        for part in self.parts.values():
            part.fit(train, context=context)
        self.curves = self.als.curves
        self._prepare()

    def needed_memory(self, train: TrainView) -> tuple[float, str]:
        """The parts, and then their scores of a block of users."""
        parts = [ALS(self.settings.als), TagKNN(self.settings.tag_knn), ContentKNN(self.settings.content_knn)]
        needs = {
            "lower --als.factors": parts[0].needed_memory(train)[0],
            "leave ensemble out of --models": max(memory_of_parts(parts[1:], train), scoring_memory(train.n_items)),
        }
        return add_up(needs)

    def _new_parts(self) -> None:
        """The models, unfitted. Popularity has a weight of its own here, so the content models do not lean to it."""
        self.als = ALS(self.settings.als, seed=self.seed, device=self.device)
        self.content: dict[str, ContentSimilarityKNN] = {
            "tag_knn": TagKNN(replace(self.settings.tag_knn, popularity=0.0), seed=self.seed),
            "content_knn": ContentKNN(replace(self.settings.content_knn, popularity=0.0), seed=self.seed),
        }
        self.parts: dict[str, Recommender] = {"als": self.als, **self.content}

    def _prepare(self) -> None:
        """What is the same for all users: log popularity."""
        self.log_popularity = np.log(self.popularity) / max(float(np.log(self.popularity.max())), 1e-12)
        self._no_history: dict[str, np.ndarray] = {}

    def fold_in(self, histories: Histories | Sequence[Sequence[int]]) -> np.ndarray:
        """Scores of any histories, with the weights of their lengths."""
        histories = as_histories(histories, len(self.popularity))
        total = np.zeros((len(histories), histories.n_items), np.float32)
        for _, part in self.scaled_parts(histories):
            total += part
        return total

    def scaled_parts(self, histories: Histories, weights: np.ndarray | None = None) -> list[tuple[str, np.ndarray]]:
        """What each part adds to the scores: name and float32 (len(histories), n_items); they sum to the score.

        `weights`, float (len(histories), 4) in the order of the result, take the place of the settings' own.
        """
        if weights is None:
            n_given = np.searchsorted(N_GIVEN, histories.lengths, side="right") - 1
            weights = self.settings.weights()[n_given]
        parts = list(self._parts_in_own_units(histories).items())
        owned = histories.rows, histories.items
        for (_, scores), weight in zip(parts, weights.T, strict=True):
            scores *= (weight / best_among_the_rest(scores, owned)).astype(np.float32)[:, None]
        return parts

    def _parts_in_own_units(self, histories: Histories) -> dict[str, np.ndarray]:
        """Scores of each part, 0 where it has none."""
        empty = histories.lengths == 0
        scores = {name: np.maximum(part.fold_in(histories), 0) for name, part in self.content.items()}
        for name, of_content in scores.items():
            if empty.any():
                of_content[empty] = self._of_no_history(name)
        als = self.als.fold_in(histories)
        als[empty] = 0
        popularity = np.tile(self.log_popularity.astype(np.float32), (len(histories), 1))
        return {"als": als, **scores, "popularity": popularity}

    def _of_no_history(self, name: str) -> np.ndarray:
        """A content model's scores of all items for an empty history, worked out once."""
        if name not in self._no_history:
            self._no_history[name] = self.popularity @ self.content[name].similarity
        return self._no_history[name]

    def explain_list(self, history: Histories, items: Sequence[int], user: int = -1) -> list[Explanation]:
        """Why one history, of a known user or not, gets its score of an item: by part and by item of the history.

        What the items of the history add sums to the share of ALS and content; the rest is popularity.
        """
        history = as_histories(history, len(self.popularity)).take(np.array([0]))
        scaled = self.scaled_parts(history)
        parts = [{name: float(scores[0, item]) for name, scores in scaled} for item in items]
        if not history.lengths[0]:
            return [Explanation(of_item, np.array([], np.int32), np.array([])) for of_item in parts]
        explained = {name: part.explain_list(history, items) or [] for name, part in self.parts.items()}
        each = [{name: whys[place] for name, whys in explained.items()} for place in range(len(items))]
        return [self._mixed(of_item, whys) for of_item, whys in zip(parts, each, strict=True)]

    @staticmethod
    def _mixed(parts: dict[str, float], explained: dict[str, Explanation]) -> Explanation:
        """What the items of the history add through the parts, each scaled to its share in the score."""
        added = {name: why.contributions for name, why in explained.items()}
        shares = {name: parts[name] / by.sum() if by.sum() else 0.0 for name, by in added.items()}
        total = np.sum([shares[name] * by for name, by in added.items()], axis=0)
        return Explanation(parts, explained["als"].items, total)

    def similar(self, item: int, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Items like this one, each part's similarity in units of its largest, weighed as for long histories."""
        of_models = self.settings.weights()[-1, : len(self.parts)]  # popularity, the last weight, knows no similarity
        weighed = zip(self.parts.values(), of_models, strict=True)
        return similar_by_parts(weighed, item, k, len(self.popularity))

    def arrays(self) -> dict[str, np.ndarray]:
        """The parts' arrays under the parts' names, the histories and the popularity."""
        return pack_parts(self.parts) | super().arrays()

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take back the parts, the histories and the popularity."""
        super().restore(arrays)
        self._new_parts()
        restore_parts(self.parts, arrays, self.inference_only)
        self._prepare()


def best_among_the_rest(scores: np.ndarray, owned: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Best score of each row but for the entries (rows, columns) that are owned; 1 where nothing is above 0.

    >>> best_among_the_rest(np.array([[9.0, 2.0], [0.0, -1.0]]), (np.array([0]), np.array([0])))
    array([2., 1.])
    """
    kept = scores[owned]
    scores[owned] = -np.inf
    largest = scores.max(axis=1, initial=0)
    scores[owned] = kept
    return np.where(largest > 0, largest, 1)
