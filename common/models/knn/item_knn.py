"""Item kNN: an item is scored by its similarity to the items of the history.

Similarity is the shrunk cosine of two items' columns in the user x item matrix X (Deshpande & Karypis 2004, with the
shrinkage of Bell & Koren 2007 and an asymmetric norm as in Aiolli 2013):

    s(i, j) = x_i . x_j / (|x_i|^2a |x_j|^2(1-a) + shrinkage),    0 where j is not among the k nearest of i
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from scipy import sparse
from tqdm import tqdm

from common.models.base import Validation, as_histories, best
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
    sums_of,
    sums_of_rows,
    unpack_csr,
    weigh,
)
from common.utils.memory import block_bytes
from common.utils.settings import SearchRange, flag_name

MANY_PAIRS, SECONDS_PER_PAIR = 2 * 10**10, 8e-8
"""Pairs of items with a common user from which on a warning says how long they take, as measured on one processor."""
BLOCK = 2048
"""Columns whose products are made together at most."""
SKEW = 2.0
"""How many times as many pairs as the mean block the largest one is reckoned to have."""
KEPT_BYTES = 24
"""Memory that a neighbour takes until all blocks are put together."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ItemKNNSettings:
    """The defaults are the textbook's: plain cosine over yes-or-no listening, 100 neighbours."""

    neighbours: Annotated[int, SearchRange(5, 2000, log=True, least=1)] = 100
    """How many nearest items each item keeps."""
    shrinkage: Annotated[float, SearchRange(0.0, 100.0, most=1e12)] = 0.0
    """Added to the cosine's denominator, so that few common listeners count for less."""
    asymmetry: Annotated[float, SearchRange(0.0, 1.0, most=1.0)] = 0.5
    """Exponent a of the formula: 0.5 is the cosine, towards 0 popular candidates are held back, towards 1 favoured."""
    weighting: Literal["binary", "log", "idf"] = "binary"
    """What stands in X: 1, log(1 + plays), or the inverse frequency of the user (long histories count for less)."""
    history: Literal["binary", "log"] = "binary"
    """What an item of the history weighs in the sum: 1 or log(1 + plays)."""


class ItemSimilarityKNN(HistoryRecommender):
    """A user's score of item j is the sum over the history of w_i s(i, j), s a sparse similarity of items.

    Items similar to nothing in the history keep an order below all others: that of their popularity, so that an
    empty history gets the popular list. A subclass finds `similarity` in `fit` and has a setting `history`.
    """

    similarity: sparse.csr_array
    pair_bytes: ClassVar[float] = 0.0
    """Memory that an interaction takes while the neighbours are found."""

    def needed_memory(self, train: TrainView) -> tuple[float, str]:
        """The neighbours that are kept, at most, a block, and of all interactions the copies that are made of them;
        fewer neighbours take less."""
        kept = KEPT_BYTES * train.n_items * min(self.settings.neighbours, train.n_items)
        work = min(float(block_bytes()), float(ENTRY_BYTES) * self.pairs_at_most(train))
        copies = self.pair_bytes * len(train.histories.items)
        return kept + copies + work, f"lower {flag_name(self.name, 'neighbours')}"

    def pairs_at_most(self, train: TrainView, common: float = np.inf) -> float:
        """Pairs of items that are looked at together, at most; common: those that have something in common at all."""
        share = min(1.0, BLOCK / train.n_items)
        return share * min(SKEW * common, float(train.n_items) ** 2)

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
        return self.explanations(row.indices, similarity * row.data[:, None], items)

    def similar(self, item: int, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Nearest items by this model's similarity; beyond the kept neighbours the score is 0."""
        return best(self.similarity[[item]].toarray()[0], k, leave_out=item)

    def arrays(self) -> dict[str, np.ndarray]:
        """The neighbours, the histories and the popularity."""
        return super().arrays() | pack_csr("near", self.similarity)

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take back the neighbours, the histories and the popularity."""
        super().restore(arrays)
        self.similarity = unpack_csr("near", arrays, len(self.popularity))


class ItemKNN(ItemSimilarityKNN):
    """Neighbours by common listeners; see the module's formula."""

    name = "item_knn"
    Settings = ItemKNNSettings
    pair_bytes = 24.0  # the weights and their transpose: a float64 and an int32 each

    def pairs_at_most(self, train: TrainView, common: float = np.inf) -> float:
        """Those that a user has in common."""
        return super().pairs_at_most(train, float((train.histories.lengths.astype(np.float64) ** 2).sum()))

    def _fit(self, train: TrainView, validation: Validation | None, context: FitContext) -> None:
        """Find every item's nearest items by common listeners."""
        self.keep(train)
        settings, matrix = self.settings, weigh(self.histories.matrix(), self.settings.weighting)
        self.similarity = shrunk_cosines(matrix, settings.neighbours, settings.shrinkage, settings.asymmetry)


def shrunk_cosines(
    matrix: sparse.csr_array, keep: int, shrinkage: float = 0.0, asymmetry: float = 0.5, block: int = BLOCK
) -> sparse.csr_array:
    """Similarity of a matrix's columns: the `keep` largest of each, row i holding those nearest to i, zero diagonal.

        s(i, j) = x_i . x_j / (|x_i|^2a |x_j|^2(1-a) + shrinkage),    a = asymmetry

    Works through blocks of at most `block` columns, fewer where their products do not fit, as those of all items of a
    long history. The size of a block changes no bit of the result.
    """
    squares = sums_of(matrix.indices, lambda part: matrix.data[part] ** 2, matrix.shape[1])
    own, other = squares**asymmetry, squares ** (1 - asymmetry)
    of_columns = sparse.csr_array(matrix.T.tocsr())
    entries = entries_of_product(of_columns, matrix)
    if (pairs := float((np.diff(matrix.indptr).astype(np.float64) ** 2).sum())) > MANY_PAIRS:
        said = "neighbours: %.0f billion pairs, %.1f hours; leave out users of most items, or use als"
        log.warning(said, pairs / 1e9, pairs * SECONDS_PER_PAIR / 3600)
    kept = []
    bar = tqdm(total=len(entries), desc="neighbours", delay=2, leave=False, disable=None)
    for rows in blocks(ENTRY_BYTES * entries, block_bytes(), block):
        bar.update(len(rows))
        products = sparse.coo_array(of_columns[rows] @ matrix)
        row, item = products.coords
        cosine = products.data / (own[rows[row]] * other[item] + shrinkage)
        cosine[rows[row] == item] = 0
        near = sparse.csr_array((cosine, (row, item)), shape=(len(rows), matrix.shape[1]))
        kept.append(keep_largest(near, keep))
    bar.close()
    return sparse.csr_array(sparse.vstack(kept, format="csr"))
