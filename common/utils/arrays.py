"""Small operations on sparse matrices and arrays that several rooms need."""

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

import numpy as np
from scipy import sparse

Named = TypeVar("Named")

AT_ONCE = 2**24
"""Elements of a long array that are looked at together."""
ENTRY_BYTES = 80
"""Memory that an entry of a sparse product takes until the largest ones are chosen."""


def below(named: Mapping[str, Named], prefix: str) -> dict[str, Named]:
    """Those of some named arrays or tensors whose names start with a prefix, without it.

    >>> below({"als/users": 1, "als/items": 2, "seed": 3}, "als/")
    {'users': 1, 'items': 2}
    """
    return {name[len(prefix) :]: value for name, value in named.items() if name.startswith(prefix)}


def weigh(matrix: sparse.csr_array, weighting: str) -> sparse.csr_array:
    """Replace plays by what counts: 1, log(1 + plays), or log(items / length of the history).

    >>> weigh(sparse.csr_array([[3.0, 0.0], [1.0, 7.0]]), "log").toarray().round(2)
    array([[1.39, 0.  ],
           [0.69, 2.08]])
    """
    weighed = matrix.astype(np.float64)
    weighed.data = weights_of(weighed.data, "log" if weighting == "log" else "binary")
    if weighting == "idf":
        lengths = np.diff(weighed.indptr)
        weighed.data = np.repeat(np.log(matrix.shape[1] / np.maximum(lengths, 1)), lengths)
    return weighed


def weights_of(plays: np.ndarray, weighting: str) -> np.ndarray:
    """What plays count, float64: `log` or `binary`, see `weigh`."""
    return np.log1p(plays.astype(np.float64)) if weighting == "log" else np.ones(len(plays))


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


def products_of_rows(left: sparse.csr_array, right: sparse.csr_array) -> np.ndarray:
    """left @ right.T, dense (rows of left, rows of right), for few rows of `right`.

    Their transpose is laid out dense, which takes a third of the time of a sparse product of so few rows; in the same
    order, so that it is the same bit for bit.

    >>> products_of_rows(sparse.csr_array([[2.0, 0.0, 1.0]]), sparse.csr_array([[1.0, 0.0, 3.0], [0.0, 4.0, 0.0]]))
    array([[5., 0.]])
    """
    transposed = np.zeros((right.shape[1], right.shape[0]), right.dtype)
    transposed[right.indices, np.repeat(np.arange(right.shape[0]), np.diff(right.indptr))] = right.data
    return left @ transposed


def slices(length: int, step: int = AT_ONCE) -> Iterator[slice]:
    """Consecutive parts of a long array.

    >>> list(slices(5, 2))
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    return (slice(start, min(start + step, length)) for start in range(0, length, step))


def counts_of(codes: np.ndarray, n: int) -> np.ndarray:
    """How often each of the codes 0..n - 1 comes, int64 (n,); of a long array some codes at a time.

    >>> counts_of(np.array([2, 0, 2]), 4)
    array([1, 0, 2, 0])
    """
    counts = np.zeros(n, np.int64)
    for part in slices(len(codes)):
        counts += np.bincount(codes[part], minlength=n)
    return counts


def sums_of(codes: np.ndarray, values: Callable[[slice], np.ndarray], n: int) -> np.ndarray:
    """Sum of the values of each of the codes 0..n - 1, float64 (n,), added up one by one in their order.

    `values` gives those of a part of the codes, so that never all of them are there.

    >>> sums_of(np.array([2, 0, 2]), lambda part: np.array([1.0, 5.0, 2.0])[part], 4)
    array([5., 0., 3., 0.])
    """
    sums = np.zeros(n)
    for part in slices(len(codes)):
        np.add.at(sums, codes[part], values(part))
    return sums


def blocks(costs: np.ndarray, budget: float, most: int) -> Iterator[np.ndarray]:
    """Consecutive rows, at most `most` of them, whose costs sum to at most a budget; one that costs more stands alone.

    >>> [rows.tolist() for rows in blocks(np.array([4, 4, 9, 1, 1, 1]), budget=8, most=2)]
    [[0, 1], [2], [3, 4], [5]]
    """
    sums, start = np.cumsum(costs, dtype=np.float64), 0
    while start < len(costs):
        before = sums[start - 1] if start else 0.0
        end = min(int(np.searchsorted(sums, before + budget, side="right")), start + most)
        yield np.arange(start, max(end, start + 1))
        start = max(end, start + 1)


def entries_of_product(left: sparse.csr_array, right: sparse.csr_array) -> np.ndarray:
    """How many entries each row of left @ right has at most, float64 (rows,)."""
    multiplied = np.diff(right.indptr)[left.indices]
    summed = np.concatenate([[0.0], np.cumsum(multiplied, dtype=np.float64)])
    return np.minimum(summed[left.indptr[1:]] - summed[left.indptr[:-1]], right.shape[1])


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


def random_places(groups: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Place 0, 1, ... of each element in a random order of its group's elements, int64 (n,).

    >>> sorted(random_places(np.array([7, 3, 7]), np.random.default_rng(0))[[0, 2]].tolist())
    [0, 1]
    """
    order = np.lexsort((rng.random(len(groups)), groups))
    places = np.empty(len(groups), np.int64)
    places[order] = np.arange(len(groups)) - np.searchsorted(groups[order], groups[order])
    return places


def pack_csr(name: str, matrix: sparse.csr_array) -> dict[str, np.ndarray]:
    """A sparse matrix as three named arrays."""
    return {f"{name}_data": matrix.data, f"{name}_indices": matrix.indices, f"{name}_indptr": matrix.indptr}


def unpack_csr(name: str, arrays: dict[str, np.ndarray], columns: int) -> sparse.csr_array:
    """The sparse matrix that `pack_csr` took apart."""
    parts = (arrays[f"{name}_data"], arrays[f"{name}_indices"], arrays[f"{name}_indptr"])
    return sparse.csr_array(parts, shape=(len(parts[2]) - 1, columns))


def gini_of(values: np.ndarray) -> float:
    """Gini coefficient of non-negative values, 0 where all of them are 0.

    >>> gini_of(np.array([1, 1, 1, 1])), gini_of(np.array([0, 0, 0, 4]))
    (0.0, 0.75)
    """
    x = np.sort(values)
    n, total = len(x), x.sum()
    return float((2 * np.arange(1, n + 1) - n - 1) @ x / (n * total)) if total else 0.0
