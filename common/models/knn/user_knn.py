"""Items of other users: of the most similar ones (user kNN, Herlocker et al. 1999), and of a user's friends."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import pandas as pd
from scipy import sparse

from common.models.base import Validation, as_histories, best
from common.models.baselines import Popularity
from common.models.building_blocks import HistoryRecommender, order_rest_by_popularity
from common.models.explanation import Explanation
from common.splits.histories import Histories
from common.splits.train_view import TrainView
from common.training.context import FitContext
from common.utils.arrays import (
    ENTRY_BYTES,
    blocks,
    entries_of_product,
    keep_largest,
    pack_csr,
    sums_of_rows,
    unpack_csr,
    weigh,
)
from common.utils.memory import block_bytes
from common.utils.settings import SearchRange

ITEMS_AT_ONCE = 2**16
"""Items of a history that are explained together."""


@dataclass(frozen=True)
class UserKNNSettings:
    """The defaults are the textbook's: plain cosine of yes-or-no histories, 100 neighbours."""

    neighbours: Annotated[int, SearchRange(5, 1000, log=True, least=1)] = 100
    """How many of the nearest users vote."""
    shrinkage: Annotated[float, SearchRange(0.0, 100.0, most=1e12)] = 0.0
    """Added to the cosine's denominator, so that few common items count for less."""
    power: Annotated[float, SearchRange(1.0, 5.0, least=0.1, most=1000.0)] = 1.0
    """The similarity is raised to this power, so that the very nearest count for more."""
    rarity: Annotated[float, SearchRange(0.0, 1.0, most=8.0)] = 0.0
    """Common items count for less in the similarity: each weighs 1 / listeners to this power."""
    weighting: Literal["binary", "log"] = "binary"
    """What an item weighs in a history: 1 or log(1 + plays)."""


class UserKNN(HistoryRecommender):
    """A user's score of item j: the sum of the similarity of those among the k nearest users who have j.

    Items that no neighbour has are ordered below by popularity.
    """

    name = "user_knn"
    Settings = UserKNNSettings

    def _fit(self, train: TrainView, validation: Validation | None, context: FitContext) -> None:
        self.keep(train)
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
        voters = self.vectors[near.indices][:, vectors.indices]
        parts = [slice(start, start + ITEMS_AT_ONCE) for start in range(0, max(1, vectors.nnz), ITEMS_AT_ONCE)]
        total = sum((voters[:, part].toarray() * vectors.data[part]).sum(axis=1, keepdims=True) for part in parts)
        added: list[list[np.ndarray]] = [[] for _ in items]
        for part in parts:
            shared = voters[:, part].toarray() * vectors.data[part]
            shared /= np.maximum(total, 1e-12)
            for of_item, having in zip(added, has.T, strict=True):
                of_item.append(near.data[having] @ shared[having])
        return self.explanations(vectors.indices, np.array([*map(np.concatenate, added)]).T, items)

    def _vote(self, vectors: sparse.csr_array, leave_out: np.ndarray | None) -> np.ndarray:
        near = self._near(vectors, leave_out)
        return order_rest_by_popularity(sums_of_rows(near, self.has).astype(np.float32), self.popularity)

    def _near(self, vectors: sparse.csr_array, leave_out: np.ndarray | None) -> sparse.csr_array:
        """Weight of each user's vote, (rows, users); worked out for as many rows at a time as fit into a block."""
        if vectors.shape[0] * self.of_items.shape[1] * ENTRY_BYTES <= block_bytes():
            return self._near_at_once(vectors, leave_out)
        costs = ENTRY_BYTES * entries_of_product(vectors, self.of_items)
        found = [
            self._near_at_once(vectors[rows], None if leave_out is None else leave_out[rows])
            for rows in blocks(costs, block_bytes(), len(costs))
        ]
        return sparse.csr_array(sparse.vstack(found, format="csr"))

    def _near_at_once(self, vectors: sparse.csr_array, leave_out: np.ndarray | None) -> sparse.csr_array:
        products = sparse.coo_array(vectors @ self.of_items)
        row, voter = products.coords
        own = np.asarray(vectors.multiply(vectors).sum(axis=1)).ravel()
        similarity = products.data / (np.sqrt(own[row] * self.squares[voter]) + self.settings.shrinkage)
        if leave_out is not None:
            similarity[leave_out[row] == voter] = 0
        votes = sparse.csr_array((similarity, (row, voter)), shape=products.shape)
        near = keep_largest(votes, self.settings.neighbours)
        near.data = near.data**self.settings.power
        return near

    def similar(self, item: int, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Items with the most listeners in common, by cosine."""
        listeners = self.has[:, [item]]
        common = np.asarray((self.has.T @ listeners).todense()).ravel()
        return best(common / np.sqrt(self.popularity[item] * self.popularity), k, leave_out=item)

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take back the histories and the popularity."""
        super().restore(arrays)
        self._prepare()


class Friends(Popularity):
    """Score of item i for user u: the number of u's friends who have i; where there are none, popularity below.

    A source of candidates rather than a model of the leaderboard: an unknown user has no known friends.
    """

    name = "friends"

    def _fit(self, train: TrainView, validation: Validation | None, context: FitContext) -> None:
        """Remember who is whose friend, and who listens to what."""
        super()._fit(train, validation, context)
        self.friendships = friend_matrix(train.social, train.n_users)
        self.has = weigh(train.histories.matrix(), "binary")

    def score(self, users: np.ndarray) -> np.ndarray:
        """Friends who have each item, float32 (len(users), n_items)."""
        listening = (self.friendships[users] @ self.has).toarray().astype(np.float32)
        return order_rest_by_popularity(listening, self.popularity)

    def fold_in(self, histories: Histories | Sequence[Sequence[int]]) -> np.ndarray:
        """Popularity: nothing is known of the friends."""
        empty = np.zeros((len(as_histories(histories, len(self.popularity))), len(self.popularity)), np.float32)
        return order_rest_by_popularity(empty, self.popularity)

    def arrays(self) -> dict[str, np.ndarray]:
        """The friendships, who has what, and the popularity."""
        matrices = pack_csr("friends", self.friendships) | pack_csr("has", self.has)
        return super().arrays() | matrices

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take back what `arrays` gave."""
        super().restore(arrays)
        self.has = unpack_csr("has", arrays, len(self.popularity))
        self.friendships = unpack_csr("friends", arrays, self.has.shape[0])


def friend_matrix(social: pd.DataFrame | None, n_users: int) -> sparse.csr_array:
    """Who is whose friend, 1 or 0, float64 (n_users, n_users); no friends where the data have none."""
    if social is None:
        return sparse.csr_array((n_users, n_users))
    pairs = social[["user", "friend"]].drop_duplicates()
    pairs = pairs[pairs["user"] != pairs["friend"]]
    return sparse.csr_array((np.ones(len(pairs)), (pairs["user"], pairs["friend"])), shape=(n_users, n_users))
