"""User kNN: what the most similar users listen to (Herlocker et al. 1999, on implicit feedback)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from scipy import sparse

from common.models.base import Recommender, Validation, as_histories, best
from common.models.explanation import Explanation
from common.models.knn.base import explanation, order_rest_by_popularity
from common.splits.histories import Histories, pack_histories, unpack_histories
from common.splits.train_view import TrainView
from common.training.context import FitContext
from common.utils.arrays import keep_largest, sums_of_rows, weigh
from common.utils.settings import SearchRange


@dataclass(frozen=True)
class UserKNNSettings:
    """The defaults are the textbook's: plain cosine of yes-or-no histories, 100 neighbours."""

    neighbours: Annotated[int, SearchRange(5, 1000, log=True, least=1)] = 100
    """How many of the nearest users vote."""
    shrinkage: Annotated[float, SearchRange(0.0, 100.0)] = 0.0
    """Added to the cosine's denominator, so that few common items count for less."""
    power: Annotated[float, SearchRange(1.0, 5.0, least=0.1)] = 1.0
    """The similarity is raised to this power, so that the very nearest count for more."""
    rarity: Annotated[float, SearchRange(0.0, 1.0)] = 0.0
    """Common items count for less in the similarity: each weighs 1 / listeners to this power."""
    weighting: Literal["binary", "log"] = "binary"
    """What an item weighs in a history: 1 or log(1 + plays)."""


class UserKNN(Recommender):
    """A user's score of item j: the sum of the similarity of those among the k nearest users who have j.

    Items that no neighbour has are ordered below by popularity.
    """

    name = "user_knn"
    Settings = UserKNNSettings

    def _fit(self, train: TrainView, validation: Validation | None, context: FitContext) -> None:
        self.histories = train.histories
        self.popularity = train.popularity
        self._prepare()

    def _prepare(self) -> None:
        self.has = weigh(self.histories.matrix(), "binary")
        self.vectors = self._vectors(self.histories)
        self.of_items = sparse.csr_array(self.vectors.T.tocsr())
        self.squares = np.asarray(self.vectors.multiply(self.vectors).sum(axis=1)).ravel()

    def _vectors(self, histories: Histories) -> sparse.csr_array:
        vectors = weigh(histories.matrix(), self.settings.weighting)
        vectors.data = vectors.data / self.popularity[vectors.indices] ** (self.settings.rarity / 2)
        return vectors

    def score(self, users: np.ndarray) -> np.ndarray:
        """Scores from the histories seen in `fit`; no user votes for themselves."""
        return self._vote(self.vectors[users], leave_out=users)

    def fold_in(self, histories: Histories | Sequence[Sequence[int]]) -> np.ndarray:
        """Scores of users who are not among the voters."""
        return self._vote(self._vectors(as_histories(histories, self.has.shape[1])), leave_out=None)

    def explain_list(self, history: Histories, items: Sequence[int], user: int = -1) -> list[Explanation]:
        """What each item of one history adds to the score of an item, through the users who share it; they sum to it.

        The vote of a user who has the item is divided among the items in common by what each adds to the similarity.
        `user` is the code of a known user, who has no vote.
        """
        vectors = self._vectors(as_histories(history, self.has.shape[1]))[[0]]
        near = self._near(vectors, np.array([user]) if user >= 0 else None)
        has = self.has[near.indices][:, list(items)].toarray() > 0
        shared = self.vectors[near.indices][:, vectors.indices].toarray() * vectors.data
        shared /= np.maximum(shared.sum(axis=1, keepdims=True), 1e-12)
        columns = zip((near.data[voters] @ shared[voters] for voters in has.T), items, strict=True)
        return [explanation(self.name, vectors.indices, added, self.popularity, item) for added, item in columns]

    def _vote(self, vectors: sparse.csr_array, leave_out: np.ndarray | None) -> np.ndarray:
        near = self._near(vectors, leave_out)
        return order_rest_by_popularity(sums_of_rows(near, self.has).astype(np.float32), self.popularity)

    def _near(self, vectors: sparse.csr_array, leave_out: np.ndarray | None) -> sparse.csr_array:
        """Weight of each user's vote, (rows, users)."""
        products = sparse.coo_array(vectors @ self.of_items)
        row, voter = products.coords
        own = np.asarray(vectors.multiply(vectors).sum(axis=1)).ravel()
        similarity = products.data / (np.sqrt(own[row] * self.squares[voter]) + self.settings.shrinkage)
        if leave_out is not None:
            similarity[leave_out[row] == voter] = 0
        near = keep_largest(
            sparse.csr_array((similarity, (row, voter)), shape=products.shape), self.settings.neighbours
        )
        near.data = near.data**self.settings.power
        return near

    def similar(self, item: int, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Items with the most listeners in common, by cosine."""
        listeners = self.has[:, [item]]
        common = np.asarray((self.has.T @ listeners).todense()).ravel()
        return best(common / np.sqrt(self.popularity[item] * self.popularity), k, leave_out=item)

    def arrays(self) -> dict[str, np.ndarray]:
        """The histories and the popularity."""
        return {"popularity": self.popularity, **pack_histories(self.histories)}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take back the histories and the popularity."""
        self.popularity = arrays["popularity"]
        self.histories = unpack_histories(arrays, len(self.popularity))
        self._prepare()
