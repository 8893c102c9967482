"""What all item-neighbour models share: a sparse item x item similarity, and scores summed over the history."""

from collections.abc import Sequence

import numpy as np
from scipy import sparse
from tqdm import tqdm

from common.models.base import Recommender, as_histories, best
from common.models.explanation import Explanation
from common.splits.histories import Histories, pack_histories, unpack_histories
from common.splits.train_view import TrainView
from common.utils.arrays import keep_largest, pack_csr, sums_of_rows, unpack_csr, weigh


class ItemSimilarityKNN(Recommender):
    """A user's score of item j is the sum over the history of w_i s(i, j), s a sparse similarity of items.

    Items similar to nothing in the history keep an order below all others: that of their popularity, so that an
    empty history gets the popular list. A subclass finds `similarity` in `fit` and has a setting `history`.
    """

    similarity: sparse.csr_array

    def set_state(self, train: TrainView) -> None:
        """Keep what scoring needs beside the similarity."""
        self.histories, self.popularity = train.histories, train.popularity

    def score(self, users: np.ndarray) -> np.ndarray:
        """Scores from the histories seen in `fit`."""
        return self.fold_in(self.histories.take(users))

    def fold_in(self, histories: Histories | Sequence[Sequence[int]]) -> np.ndarray:
        """Scores from any histories: the model has no parameters of its own for a user."""
        matrix = as_histories(histories, self.similarity.shape[0]).matrix()
        scores = sums_of_rows(weigh(matrix, self.settings.history), self.similarity)
        return order_rest_by_popularity(scores.astype(np.float32), self.popularity)

    def explain_list(self, history: Histories, items: Sequence[int], user: int = -1) -> list[Explanation]:
        """What each item of one history adds to the score of an item, w_i s(i, j); they sum to it where it is above 0.

        An item similar to nothing in the history has the part `popularity`, by which it is ordered.
        """
        row = weigh(as_histories(history, self.similarity.shape[0]).matrix(), self.settings.history)[[0]]
        similarity = self.similarity[row.indices][:, list(items)].toarray()
        added = similarity * row.data[:, None]
        columns = zip(added.T, items, strict=True)
        return [explanation(self.name, row.indices, column, self.popularity, item) for column, item in columns]

    def similar(self, item: int, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Nearest items by this model's similarity; beyond the kept neighbours the score is 0."""
        return best(self.similarity[[item]].toarray()[0], k, leave_out=item)

    def arrays(self) -> dict[str, np.ndarray]:
        """The neighbours, the histories and the popularity."""
        return {"popularity": self.popularity, **pack_csr("near", self.similarity), **pack_histories(self.histories)}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take back the neighbours, the histories and the popularity."""
        self.popularity = arrays["popularity"]
        self.similarity = unpack_csr("near", arrays, len(self.popularity))
        self.histories = unpack_histories(arrays, len(self.popularity))


def order_rest_by_popularity(scores: np.ndarray, popularity: np.ndarray) -> np.ndarray:
    """Replace scores of 0 and less by negative ones that order like popularity.

    >>> order_rest_by_popularity(np.array([[2.0, 0.0, 0.0]], np.float32), np.array([1, 4, 2], np.float32))
    array([[ 2. ,  0. , -0.5]], dtype=float32)
    """
    return np.where(scores > 0, scores, popularity / popularity.max() - 1)


def explanation(name: str, items: np.ndarray, added: np.ndarray, popularity: np.ndarray, item: int) -> Explanation:
    """What each item of a history adds to the score of an item; where that is nothing, its popularity."""
    total = float(added.sum())
    parts = {name: total} if total > 0 else {"popularity": float(popularity[item] / popularity.max() - 1)}
    return Explanation(parts, items, added)


def shrunk_cosines(
    matrix: sparse.csr_array, keep: int, shrinkage: float = 0.0, asymmetry: float = 0.5, block: int = 2048
) -> sparse.csr_array:
    """Similarity of a matrix's columns: the `keep` largest of each, row i holding those nearest to i, zero diagonal.

        s(i, j) = x_i . x_j / (|x_i|^2a |x_j|^2(1-a) + shrinkage),    a = asymmetry

    Works through blocks of columns, so that memory holds one block's products and the neighbours kept.
    """
    squares = np.asarray(matrix.multiply(matrix).sum(axis=0)).ravel()
    own, other = squares**asymmetry, squares ** (1 - asymmetry)
    columns = matrix.tocsc()
    kept = []
    for start in tqdm(range(0, matrix.shape[1], block), "neighbours", delay=2, leave=False, disable=None):
        rows = np.arange(start, min(start + block, matrix.shape[1]))
        products = sparse.coo_array(columns[:, rows].T @ matrix)
        row, item = products.coords
        cosine = products.data / (own[rows[row]] * other[item] + shrinkage)
        cosine[rows[row] == item] = 0
        near = sparse.csr_array((cosine, (row, item)), shape=(len(rows), matrix.shape[1]))
        kept.append(keep_largest(near, keep))
    return sparse.csr_array(sparse.vstack(kept, format="csr"))
