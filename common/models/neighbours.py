"""What all item-neighbour models share: a sparse item x item likeness, and scores summed over the history."""

from collections.abc import Sequence

import numpy as np
from scipy import sparse
from tqdm import tqdm

from common.data.histories import Histories
from common.data.visible import Visible
from common.models.contract import Recommender, as_histories, best
from common.models.explanation import Explanation


class ItemNeighbours(Recommender):
    """A user's score of item j is the sum over the history of w_i s(i, j), s a sparse likeness of items.

    Items that nothing in the history speaks for keep an order below all others: that of their popularity, so that an
    empty history gets the popular list. A subclass finds `similarity` in `fit` and has a setting `history`.
    """

    similarity: sparse.csr_array

    def remember(self, visible: Visible) -> None:
        """Keep what scoring needs beside the likeness."""
        self.histories = visible.histories
        self.popularity = visible.popularity
        self.catalogue_sha256 = visible.catalogue_sha256

    def score(self, users: np.ndarray) -> np.ndarray:
        """Scores from the histories seen in `fit`."""
        return self.fold_in(self.histories.take(users))

    def fold_in(self, histories: Histories | Sequence[Sequence[int]]) -> np.ndarray:
        """Scores from any histories: the model has no parameters of its own for a user."""
        matrix = as_histories(histories, self.similarity.shape[0]).matrix()
        scores = sums_of_rows(weigh(matrix, self.settings.history), self.similarity)
        return order_rest_by_popularity(scores.astype(np.float32), self.popularity)

    def explain(self, history: Histories, item: int) -> Explanation:
        """What each item of one history adds to the score of an item, w_i s(i, j); they sum to it where it is above 0.

        An item that nothing speaks for has the part `popularity`, by which it is ordered.
        """
        return self.explain_all(history, [item])[0]

    def explain_all(self, history: Histories, items: Sequence[int]) -> list[Explanation]:
        """`explain` for several items of one list."""
        row = weigh(as_histories(history, self.similarity.shape[0]).matrix(), self.settings.history)[[0]]
        likeness = self.similarity[row.indices][:, list(items)].toarray()
        said = likeness * row.data[:, None]
        return [spoken(self.name, row.indices, said[:, n], self.popularity, item) for n, item in enumerate(items)]

    def similar(self, item: int, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Nearest items by this model's likeness; beyond the kept neighbours the score is 0."""
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


def spoken(name: str, items: np.ndarray, said: np.ndarray, popularity: np.ndarray, item: int) -> Explanation:
    """What the items of a history say for an item, and its place by popularity where they say nothing."""
    total = float(said.sum())
    parts = {name: total} if total > 0 else {"popularity": float(popularity[item] / popularity.max() - 1)}
    return Explanation(parts, items, said)


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


def history_matrix(histories: Histories, weighting: str, decay: float = 0.0) -> sparse.csr_array:
    """Users x items matrix of what an item of a history weighs; n events before the last it fades by exp(-decay n).

    >>> history_matrix(Histories.from_lists([[0, 2]], 3), "binary", decay=0.5).toarray().round(3)
    array([[0.607, 0.   , 1.   ]])
    """
    matrix = weigh(histories.matrix(), weighting)
    if decay == 0:
        return matrix
    age = np.repeat(histories.indptr[1:], histories.lengths) - 1 - np.arange(len(histories.items))
    faded = sparse.csr_array((np.exp(-decay * age), histories.items, histories.indptr), shape=matrix.shape)
    return sparse.csr_array(matrix.multiply(faded))


def sums_of_rows(weights: sparse.csr_array, matrix: sparse.csr_array) -> np.ndarray:
    """weights @ matrix, dense, float64 (rows, columns): weighted sums of the matrix's rows.

    One row alone is added up without making sparse matrices on the way, which would take longer than the sum; in the
    same order, so that it is the same bit for bit.

    >>> sums_of_rows(sparse.csr_array([[2.0, 0.0, 1.0]]), sparse.csr_array([[1.0, 0.0], [5.0, 5.0], [0.0, 3.0]]))
    array([[2., 3.]])
    """
    if weights.shape[0] != 1:
        return (weights @ matrix).toarray()
    return sum_of_rows(weights.indices, weights.data, matrix)[None]


def sum_of_rows(rows: np.ndarray, weights: np.ndarray, matrix: sparse.csr_array) -> np.ndarray:
    """The sum of some rows of a matrix, each times its weight, float64 (columns,)."""
    start = matrix.indptr[rows]
    length = matrix.indptr[rows + 1] - start
    places = np.arange(length.sum()) + np.repeat(start - np.cumsum(length) + length, length)
    products = np.repeat(weights, length) * matrix.data[places]
    return np.bincount(matrix.indices[places], products, matrix.shape[1]).astype(np.float64, copy=False)


def shrunk_cosines(
    matrix: sparse.csr_array, keep: int, shrinkage: float = 0.0, asymmetry: float = 0.5, block: int = 2048
) -> sparse.csr_array:
    """Likeness of the columns of a matrix: the `keep` largest of each, row i holding those nearest to i, zero diagonal.

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


def keep_largest(matrix: sparse.csr_array, k: int) -> sparse.csr_array:
    """Keep the k largest positive entries of every row, ties by column.

    >>> keep_largest(sparse.csr_array([[1.0, 3.0, 3.0, -2.0]]), 2).toarray()
    array([[0., 3., 3., 0.]])
    """
    matrix.data[matrix.data < 0] = 0
    matrix.eliminate_zeros()
    matrix.sort_indices()
    keep = np.ones(matrix.nnz, bool)
    for row in np.flatnonzero(np.diff(matrix.indptr) > k):
        values = matrix.data[matrix.indptr[row] : matrix.indptr[row + 1]]
        threshold = np.partition(values, len(values) - k)[len(values) - k]
        larger, equal = values > threshold, values == threshold
        equal &= np.cumsum(equal) <= k - larger.sum()
        keep[matrix.indptr[row] : matrix.indptr[row + 1]] = larger | equal
    indptr = np.concatenate([[0], np.cumsum(keep)])[matrix.indptr]
    return sparse.csr_array((matrix.data[keep], matrix.indices[keep], indptr), shape=matrix.shape)


def pack_csr(name: str, matrix: sparse.csr_array) -> dict[str, np.ndarray]:
    """A sparse matrix as three named arrays."""
    return {f"{name}_data": matrix.data, f"{name}_indices": matrix.indices, f"{name}_indptr": matrix.indptr}


def unpack_csr(name: str, arrays: dict[str, np.ndarray], columns: int) -> sparse.csr_array:
    """The sparse matrix that `pack_csr` took apart."""
    parts = (arrays[f"{name}_data"], arrays[f"{name}_indices"], arrays[f"{name}_indptr"])
    return sparse.csr_array(parts, shape=(len(parts[2]) - 1, columns))


def pack_histories(histories: Histories) -> dict[str, np.ndarray]:
    """Histories as named arrays."""
    return {"past_indptr": histories.indptr, "past_items": histories.items, "past_weights": histories.weights}


def unpack_histories(arrays: dict[str, np.ndarray], n_items: int) -> Histories:
    """The histories that `pack_histories` took apart."""
    return Histories(arrays["past_indptr"], arrays["past_items"], arrays["past_weights"], n_items)
