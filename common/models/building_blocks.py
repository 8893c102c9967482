"""What models are built from: a base for those that know a user by history alone, and models made of other models."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from common.models.base import Recommender, best
from common.models.explanation import Explanation
from common.splits.histories import Histories, pack_histories, unpack_histories
from common.splits.train_view import TrainView
from common.utils.arrays import below
from common.utils.memory import block_bytes


def memory_of_parts(parts: Iterable[Recommender], train: TrainView, times: int = 1) -> float:
    """Bytes that several models take: what each keeps, so many times, and the block that they work in by turns."""
    block, needs = float(block_bytes()), [part.needed_memory(train)[0] for part in parts]
    kept = sum(max(0.0, need - block) for need in needs)
    return times * kept + max((min(need, block) for need in needs), default=0.0)


class HistoryRecommender(Recommender):
    """A model without parameters of its own for a user, who is scored as anybody with the same history.

    Items of which a history says nothing are ordered by popularity, below all others.
    """

    histories: Histories
    """Those of the users known from `fit`."""
    popularity: np.ndarray

    def keep(self, train: TrainView) -> None:
        """Keep the histories and the popularity of a train view."""
        self.histories, self.popularity = train.histories, train.popularity

    @property
    def popular_scores(self) -> np.ndarray:
        """What items score by popularity alone, from -1 to 0, (n_items,)."""
        return self.popularity / self.popularity.max() - 1

    def score(self, users: np.ndarray) -> np.ndarray:
        """Scores from the histories seen in `fit`."""
        return self.fold_in(self.histories.take(users))

    def explanations(self, history: np.ndarray, added: np.ndarray, items: Sequence[int]) -> list[Explanation]:
        """Of what the items of a history (n,) add to the scores of some items, (n, items); popularity where nothing."""
        popular, found = self.popular_scores, []
        for item, by in zip(items, added.T, strict=True):
            total = float(by.sum())
            parts = {self.name: total} if total > 0 else {"popularity": float(popular[item])}
            found.append(Explanation(parts, history, by))
        return found

    def arrays(self) -> dict[str, np.ndarray]:
        """The histories and the popularity."""
        return {"popularity": self.popularity, **pack_histories(self.histories)}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take back the histories and the popularity."""
        self.popularity = arrays["popularity"]
        self.histories = unpack_histories(arrays, len(self.popularity))


def order_rest_by_popularity(scores: np.ndarray, popularity: np.ndarray) -> np.ndarray:
    """Replace scores of 0 and less by negative ones that order like popularity.

    >>> order_rest_by_popularity(np.array([[2.0, 0.0, 0.0]], np.float32), np.array([1, 4, 2], np.float32))
    array([[ 2. ,  0. , -0.5]], dtype=float32)
    """
    return np.where(scores > 0, scores, popularity / popularity.max() - 1)


def pack_parts(parts: Mapping[str, Recommender]) -> dict[str, np.ndarray]:
    """The arrays of several models as those of one, `<part>/<array>`."""
    return {f"{name}/{key}": array for name, part in parts.items() for key, array in part.arrays().items()}


def restore_parts(
    parts: Mapping[str, Recommender], arrays: dict[str, np.ndarray], inference_only: bool = False
) -> None:
    """Give several models back what `pack_parts` took; inference_only: as in `Recommender.load`."""
    for name, part in parts.items():
        part.inference_only = inference_only
        part.restore(below(arrays, f"{name}/"))


def similar_by_parts(
    parts: Iterable[tuple[Recommender, float]], item: int, k: int, n_items: int
) -> tuple[np.ndarray, np.ndarray]:
    """The k items most like one by several models: each one's similarity in units of its largest, times its weight."""
    total = np.zeros(n_items)
    for part, weight in parts:
        items, similarity = part.similar(item, n_items)
        total[items] += weight * similarity / max(similarity.max(initial=0), 1e-12)
    return best(total, k, leave_out=item)


def similar_by_cosine(vectors: np.ndarray, item: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k items whose vectors, a row of (n_items, width) each, point most nearly the way of one's: cosines.

    >>> codes, cosines = similar_by_cosine(np.array([[2.0, 0.0], [1.0, 1.0], [3.0, 0.0]]), item=0, k=2)
    >>> codes, cosines.round(3)
    (array([2, 1]), array([1.   , 0.707]))
    """
    norms = np.linalg.norm(vectors, axis=1)
    return best(vectors @ vectors[item] / np.maximum(norms * norms[item], 1e-12), k, leave_out=item)
