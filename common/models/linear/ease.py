"""EASE, the linear reference (Steck 2019): item weights B that rebuild each history from its other items.

    min over B with zero diagonal of |X - X B|^2 + l |B|^2     =>     B = I - P / diag(P),   P = (X'X + l I)^-1

A history h (row vector) is scored h B = h - h P / diag(P). P is items x items; where there are fewer users than items
it is never formed. With M = (X X' + l I)^-1, which is users x users,

    P = (I - X' M X) / l,     h P = (h - (h X') M X) / l,     P_jj = (1 - x_j' M x_j) / l

so that the smaller side alone is inverted, and the result is the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from scipy import linalg, sparse

from common.models.base import Validation, as_histories, best
from common.models.building_blocks import HistoryRecommender
from common.models.explanation import Explanation
from common.splits.histories import Histories, history_matrix
from common.splits.train_view import TrainView
from common.training.context import FitContext
from common.utils.arrays import blocks, entries_of_product, sums_of_rows, weigh
from common.utils.memory import block_bytes
from common.utils.settings import SearchRange

BLOCK = 512
"""Items of which M X is made together."""
GRAM_BYTES = 24
"""Memory that an entry of a sparse Gram matrix takes on its way into the dense one."""
PAIRS = 2**16
"""Pairs of listeners that are looked at together."""


@dataclass(frozen=True)
class EASESettings:
    """The defaults are the paper's for data of this size: binary X, no decay."""

    regularisation: Annotated[float, SearchRange(1.0, 10_000.0, log=True, least=1e-3, most=1e12)] = 500.0
    """l of the formula."""
    weighting: Literal["binary", "log"] = "binary"
    """What stands in X: 1 or log(1 + plays)."""
    decay: Annotated[float, SearchRange(0.0, 0.2, most=1000.0, search=False)] = 0.0
    """For histories in order: when scoring, an item n events before the last weighs exp(-decay n); 0 is off."""


class EASE(HistoryRecommender):
    """The closed form of the module's head, solved on the smaller side."""

    name = "ease"
    Settings = EASESettings

    def _fit(self, train: TrainView, validation: Validation | None, context: FitContext) -> None:
        """Invert the smaller Gram matrix."""
        self.keep(train)
        gram = self._gram(self._matrix())
        gram[np.diag_indices_from(gram)] += self.settings.regularisation
        self.inverse = linalg.inv(gram, overwrite_a=True, check_finite=False)
        self._finish()

    def needed_memory(self, train: TrainView) -> tuple[float, str]:
        """The Gram matrix while it is inverted, and M X; both are whole, so that only another model needs less."""
        smaller = min(train.n_users, train.n_items)
        rebuilt = 4.0 * train.n_users * train.n_items * (train.n_users < train.n_items)
        work = min(float(block_bytes()), GRAM_BYTES * float(smaller) ** 2)
        needed = 8.0 * smaller**2 + max(8.0 * smaller**2 + work, rebuilt)
        return needed, "leave ease out of --models; item_knn and als need less"

    def _gram(self, matrix: sparse.csr_array) -> np.ndarray:
        """X X' or X' X, whichever is smaller, float64: sparse products of some rows at a time."""
        left, right = (matrix, matrix.T.tocsr()) if self.dual else (sparse.csr_array(matrix.T.tocsr()), matrix)
        gram = np.empty((left.shape[0], left.shape[0]))
        for rows in blocks(GRAM_BYTES * entries_of_product(left, right), block_bytes(), len(gram)):
            gram[rows] = (left[rows] @ right).toarray()
        return gram

    @property
    def dual(self) -> bool:
        """Whether the users are the smaller side."""
        return len(self.histories) < self.histories.n_items

    def _matrix(self) -> sparse.csr_array:
        return weigh(self.histories.matrix(), self.settings.weighting)

    def _finish(self) -> None:
        """What scoring needs beside the inverse: the diagonal of P. M X waits until many are scored at once."""
        self.matrix = self._matrix()
        self.of_items = sparse.csr_array(self.matrix.T.tocsr())
        self._rebuilt: np.ndarray | None = None
        if self.dual:
            self.diagonal = (1 - self._explained()) / self.settings.regularisation
        else:
            self.diagonal = np.diag(self.inverse).copy()

    def _explained(self) -> np.ndarray:
        """x_j' M x_j of every item, float64 (items,); of M only what stands between listeners of an item is looked at.

        Items with as many listeners are done together. The sums are rounded as those of `rebuilt` are.
        """
        lengths, explained = np.diff(self.of_items.indptr), np.zeros(self.histories.n_items)
        for n in np.unique(lengths[lengths > 0]):
            of_length = np.flatnonzero(lengths == n)
            for start in range(0, len(of_length), step := max(1, PAIRS // int(n) ** 2)):
                items = of_length[start : start + step]
                places = self.of_items.indptr[items][:, None] + np.arange(n)
                users, own = self.of_items.indices[places].astype(np.intp), self.of_items.data[places]
                rebuilt = self._rebuilt_for(users, own)
                explained[items] = np.bincount(np.repeat(np.arange(len(items)), n), (own * rebuilt).ravel())
        return explained

    def _rebuilt_for(self, users: np.ndarray, own: np.ndarray) -> np.ndarray:
        """M X of some items (items, n) for their own listeners, float32 (items, n): few columns at a time of many."""
        items, n = users.shape
        columns = max(2, block_bytes() // (3 * 8 * items * n))
        parts = []
        for some in np.array_split(users, range(columns, n - 1, columns), axis=1):  # never one column alone
            between = self.inverse.take(users[:, :, None] * len(self.inverse) + some[:, None, :])
            parts.append((own[:, :, None] * between).sum(axis=1).astype(np.float32))
        return np.concatenate(parts, axis=1)

    @property
    def rebuilt(self) -> np.ndarray:
        """M X, float32 (users, n_items), made when first needed: it is by far the largest part."""
        if self._rebuilt is None:
            of_items = np.empty((self.histories.n_items, len(self.histories)), np.float32)
            for start in range(0, len(of_items), BLOCK):
                of_items[start : start + BLOCK] = self.of_items[start : start + BLOCK] @ self.inverse
            self._rebuilt = of_items.T
        return self._rebuilt

    def fold_in(self, histories: Histories | Sequence[Sequence[int]]) -> np.ndarray:
        """Scores of any histories, h B: the model has no parameters of its own for a user.

        An empty history, for which B says nothing, gets the popular list.
        """
        histories = as_histories(histories, self.histories.n_items)
        scores = self._through_b(history_matrix(histories, self.settings.weighting, self.settings.decay))
        scores[histories.lengths == 0] = self.popular_scores
        return scores

    def _through_b(self, rows: sparse.csr_array) -> np.ndarray:
        """Rows times B, float32: h - h P / diag(P)."""
        dense = rows.toarray().astype(np.float32)
        if self.dual and rows.shape[0] == 1:  # M X is so large that reading it takes longer than to do without
            of_users = sparse.csr_array(sums_of_rows(rows, self.of_items)) @ self.inverse
            through_p = ((dense - self.of_items @ of_users[0]) / self.settings.regularisation).astype(np.float32)
        elif self.dual:
            through_p = (rows @ self.matrix.T).toarray().astype(np.float32) @ self.rebuilt
            np.subtract(dense, through_p, out=through_p)
            through_p /= np.float32(self.settings.regularisation)
        else:
            through_p = (rows @ self.inverse).astype(np.float32)
        through_p /= self.diagonal.astype(np.float32)
        return np.subtract(dense, through_p, out=dense)

    def explain_list(self, history: Histories, items: Sequence[int], user: int = -1) -> list[Explanation]:
        """What each item j of one history adds to the score of an item, h_j B_ji; they sum to it."""
        history = as_histories(history, self.histories.n_items)
        row = history_matrix(history, self.settings.weighting, self.settings.decay)[[0]]
        if not row.nnz:
            scores = self.fold_in(history)[0]
            return [Explanation({"popularity": float(scores[item])}, row.indices, row.data) for item in items]
        own = row.indices[:, None] == np.asarray(items)
        if self.dual:
            of_users = self.of_items[row.indices] @ (self.of_items[list(items)] @ self.inverse).T
            through_p = (own - of_users) / self.settings.regularisation
        else:
            through_p = self.inverse[row.indices[:, None], list(items)]
        added = row.data[:, None] * (own - through_p / self.diagonal[list(items)])
        return [Explanation({"ease": float(part.sum())}, row.indices, part) for part in added.T]

    def similar(self, item: int, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Items whose scores this one adds most to: row `item` of B."""
        row = sparse.csr_array(([1.0], ([0], [item])), shape=(1, self.histories.n_items))
        return best(self._through_b(row)[0], k, leave_out=item)

    def arrays(self) -> dict[str, np.ndarray]:
        """The inverse of the smaller Gram matrix, the histories and the popularity."""
        return {"inverse": self.inverse} | super().arrays()

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take back the inverse, the histories and the popularity."""
        super().restore(arrays)
        self.inverse = arrays["inverse"]
        self._finish()
