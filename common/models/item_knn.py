"""Item kNN: an item is scored by its likeness to the items of the history.

Likeness is the shrunk cosine of two items' columns in the user x item matrix X (Deshpande & Karypis 2004, with the
shrinkage of Bell & Koren 2007):

    s(i, j) = x_i . x_j / (|x_i|^2a |x_j|^2(1-a) + shrinkage),    0 where j is not among the k nearest of i

and a user's score of item j is the sum over the history of w_i s(i, j). Items that nothing in the history speaks for
keep an order below all others: that of their popularity, so that an empty history gets the popular list.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Self

import numpy as np
from scipy import sparse

from common.data.histories import Histories
from common.data.visible import Visible
from common.models.contract import Recommender, as_histories, best
from common.models.popularity import popularity_scores
from common.models.ranges import Range


@dataclass(frozen=True)
class ItemKNNSettings:
    """The defaults are the textbook's: plain cosine over yes-or-no listening, 100 neighbours."""

    neighbours: Annotated[int, Range(5, 2000, log=True)] = 100
    """How many nearest items each item keeps."""
    shrinkage: Annotated[float, Range(0.0, 100.0)] = 0.0
    """Added to the cosine's denominator, so that few common listeners count for less."""
    asymmetry: Annotated[float, Range(0.0, 1.0)] = 0.5
    """Exponent a of the formula: 0.5 is the cosine, towards 0 popular candidates are held back, towards 1 favoured."""
    weighting: Literal["binary", "log", "idf"] = "binary"
    """What stands in X: 1, log(1 + plays), or the inverse frequency of the user (long histories count for less)."""
    history: Literal["binary", "log"] = "binary"
    """What an item of the history weighs in the sum: 1 or log(1 + plays)."""


class ItemKNN(Recommender):
    """Shrunk-cosine item neighbours; see the module's formula."""

    name = "item_knn"
    Settings = ItemKNNSettings

    def fit(self, visible: Visible) -> Self:
        """Find every item's nearest items."""
        self.histories = visible.histories
        self.popularity = popularity_scores(visible.counts)
        self.similarity = neighbours(weigh(self.histories.matrix(), self.settings.weighting), self.settings)
        self.catalogue_sha256 = visible.catalogue_sha256
        return self

    def score(self, users: np.ndarray) -> np.ndarray:
        """Scores from the histories seen in `fit`."""
        return self.fold_in(self.histories.take(users))

    def fold_in(self, histories: Histories | Sequence[Sequence[int]]) -> np.ndarray:
        """Scores from any histories: the model has no parameters of its own for a user."""
        matrix = as_histories(histories, self.similarity.shape[0]).matrix()
        scores = (weigh(matrix, self.settings.history) @ self.similarity).toarray().astype(np.float32)
        return np.where(scores > 0, scores, self.popularity / self.popularity.max() - 1)

    def similar(self, item: int, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Nearest items by the shrunk cosine; beyond the kept neighbours the score is 0."""
        return best(self.similarity[[item]].toarray()[0], k, leave_out=item)

    def arrays(self) -> dict[str, np.ndarray]:
        """The neighbours, the histories and the popularity."""
        near, past = self.similarity, self.histories
        return {
            "near_data": near.data,
            "near_indices": near.indices,
            "near_indptr": near.indptr,
            "past_indptr": past.indptr,
            "past_items": past.items,
            "past_weights": past.weights,
            "popularity": self.popularity,
        }

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take back the neighbours, the histories and the popularity."""
        n_items = len(arrays["near_indptr"]) - 1
        near = (arrays["near_data"], arrays["near_indices"], arrays["near_indptr"])
        self.similarity = sparse.csr_array(near, shape=(n_items, n_items))
        self.histories = Histories(arrays["past_indptr"], arrays["past_items"], arrays["past_weights"], n_items)
        self.popularity = arrays["popularity"]


def weigh(matrix: sparse.csr_array, weighting: str) -> sparse.csr_array:
    """Replace plays by what counts: 1, log(1 + plays), or log(items / length of the history).

    >>> weigh(sparse.csr_array([[3.0, 0.0], [1.0, 7.0]]), "log").toarray().round(2)
    array([[1.39, 0.  ],
           [0.69, 2.08]])
    """
    weighed = matrix.astype(np.float64)
    if weighting == "log":
        weighed.data = np.log1p(weighed.data)
        return weighed
    weighed.data = np.ones_like(weighed.data)
    if weighting == "idf":
        lengths = np.diff(weighed.indptr)
        weighed.data = np.repeat(np.log(matrix.shape[1] / np.maximum(lengths, 1)), lengths)
    return weighed


def neighbours(matrix: sparse.csr_array, settings: ItemKNNSettings, block: int = 2048) -> sparse.csr_array:
    """Shrunk cosines of the k nearest items of each item, (n_items, n_items): row i holds the neighbours of i.

    Works through blocks of items, so that memory holds one block's products and the neighbours kept.
    """
    squares = np.asarray(matrix.multiply(matrix).sum(axis=0)).ravel()
    own, other = squares**settings.asymmetry, squares ** (1 - settings.asymmetry)
    columns = matrix.tocsc()
    kept = []
    for start in range(0, matrix.shape[1], block):
        rows = np.arange(start, min(start + block, matrix.shape[1]))
        products = sparse.coo_array(columns[:, rows].T @ matrix)
        row, item = products.coords
        cosine = products.data / (own[rows[row]] * other[item] + settings.shrinkage)
        cosine[rows[row] == item] = 0
        near = sparse.csr_array((cosine, (row, item)), shape=(len(rows), matrix.shape[1]))
        kept.append(keep_largest(near, settings.neighbours))
    return sparse.csr_array(sparse.vstack(kept, format="csr"))


def keep_largest(matrix: sparse.csr_array, k: int) -> sparse.csr_array:
    """Keep the k largest positive entries of every row, ties by column.

    >>> keep_largest(sparse.csr_array([[1.0, 3.0, 3.0, 2.0]]), 2).toarray()
    array([[0., 3., 3., 0.]])
    """
    matrix.eliminate_zeros()
    matrix.sort_indices()
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    order = np.lexsort((matrix.indices, -matrix.data, rows))
    place = np.arange(len(order)) - matrix.indptr[rows[order]]
    keep = np.sort(order[place < k])
    return sparse.csr_array((matrix.data[keep], (rows[keep], matrix.indices[keep])), shape=matrix.shape)
