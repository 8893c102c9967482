"""Friends' items: what a user's friends listen to."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import sparse

from common.models.base import Validation, as_histories
from common.models.baselines import Popularity
from common.models.knn.base import order_rest_by_popularity
from common.splits.histories import Histories
from common.splits.train_view import TrainView
from common.training.context import FitContext
from common.utils.arrays import pack_csr, unpack_csr, weigh


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
