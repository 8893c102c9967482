"""Kernel ridge regression over users: an autoencoder with one infinitely wide hidden layer (Sachdeva et al. 2022).

What such a network learns by gradient descent on squared errors is known in closed form, with its neural tangent kernel
K. With a row of X for each user, what the network reads, and a row of Y, what it is to give back, a history x scores

    s = k(x, X) (K(X, X) + l t I)^-1 Y,       t = mean of the diagonal of K(X, X)

and with c = cos(x, z), arc-cosine kernels (Cho & Saul 2009) give the tangent kernel of a layer of rectified units:

    k(x, z) = |x| |z| (2 c k0(c) + sqrt(1 - c^2) / pi),      k0(c) = 1 - arccos(c) / pi

Here X holds log(1 + plays) or 1, less of popular items: times (n_i + a)^-b. Y holds r of `ials`, a weight by the place
of an item's plays among the user's own; the score of an item is divided by n_i^d.

The kernel grows with x as x does, k(a x, z) = a k(x, z), so that by Euler's theorem what each item of a history
adds to a score, x_i times the derivative of the score by x_i, sums to it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from scipy import linalg, sparse

from common.models.base import Validation, as_histories, best, scoring_memory
from common.models.building_blocks import HistoryRecommender
from common.models.explanation import Explanation
from common.models.linear.ials import rank_shares
from common.splits.histories import Histories
from common.splits.train_view import TrainView
from common.training.context import FitContext
from common.utils.arrays import weigh
from common.utils.settings import SearchRange

BLOCK = 512
"""Users whose kernel is made together."""
SMALLEST = 1e-12
"""What a length, and 1 - c^2, is taken for where it is less."""


@dataclass(frozen=True)
class KernelRidgeSettings:
    """The defaults are the paper's: nothing is weighed."""

    regularisation: Annotated[float, SearchRange(0.01, 30.0, log=True, least=1e-9, most=1e9)] = 1.0
    """l of the formula, in units of the kernel's mean diagonal."""
    weighting: Literal["binary", "log"] = "binary"
    """What stands in X: 1 or log(1 + plays)."""
    shift: Annotated[float, SearchRange(1.0, 100.0, log=True, least=0.0, most=1e9)] = 1.0
    """a: listeners that every item has besides its own."""
    item_power: Annotated[float, SearchRange(0.0, 1.0, least=0.0, most=4.0)] = 0.0
    """b: how much less an item of many listeners counts in a history."""
    lowest: Annotated[float, SearchRange(0.05, 1.0, least=0.0, most=1.0)] = 1.0
    """Weight in Y of the least played item of a history, relative to the most played one."""
    power: Annotated[float, SearchRange(0.5, 4.0, least=0.0, most=64.0)] = 2.0
    """How fast that weight falls with the rank of plays."""
    discount: Annotated[float, SearchRange(0.0, 0.3, least=-4.0, most=4.0)] = 0.0
    """d: how much scores are divided by popularity."""


class KernelRidge(HistoryRecommender):
    """The closed form of the module's head; an empty history gets the popular list."""

    name = "kernel_ridge"
    Settings = KernelRidgeSettings

    def _fit(self, train: TrainView, validation: Validation | None, context: FitContext) -> None:
        """Invert the kernel of all users."""
        self.keep(train)
        self._prepare()
        kernel = np.empty((len(self.norms), len(self.norms)))
        for start in range(0, len(kernel), BLOCK):
            kernel[start : start + BLOCK] = self._kernel(self.rows[start : start + BLOCK])
        kernel[np.diag_indices_from(kernel)] += self.settings.regularisation
        self.inverse = linalg.inv(kernel, overwrite_a=True, check_finite=False)

    def _prepare(self) -> None:
        """What follows from the histories and the popularity: X, Y turned, and the weights of items."""
        settings, popularity = self.settings, self.popularity.astype(np.float64)
        self.item_weights = (popularity + settings.shift) ** -settings.item_power
        self.factor = (popularity**-settings.discount).astype(np.float32)
        self.rows = self._inputs(self.histories)
        self.norms = _lengths(self.rows)
        self.unit = 2 * float((self.norms**2).mean()) or 1.0  # k(x, x) = 2 |x|^2
        targets = self.histories.matrix().astype(np.float64)
        targets.data = settings.lowest + (1 - settings.lowest) * rank_shares(targets) ** settings.power
        self.targets = sparse.csr_array(targets.T.tocsr())

    def _inputs(self, histories: Histories) -> sparse.csr_array:
        """What the network reads of histories, float64 (len(histories), n_items)."""
        rows = weigh(histories.matrix(), self.settings.weighting)
        rows.data *= self.item_weights[rows.indices]
        return rows

    def _cosines(self, rows: sparse.csr_array) -> tuple[np.ndarray, np.ndarray]:
        """Cosines of rows with the users known from `fit`, and the products of their lengths, (rows, users) each."""
        lengths = _lengths(rows)[:, None] * self.norms
        return np.clip((rows @ self.rows.T).toarray() / np.maximum(lengths, SMALLEST), -1, 1), lengths

    def _kernel(self, rows: sparse.csr_array) -> np.ndarray:
        """The kernel of rows and the users known from `fit`, in units of its mean diagonal, float64 (rows, users)."""
        cosines, lengths = self._cosines(rows)
        return lengths * tangent(cosines) / self.unit

    def fold_in(self, histories: Histories | Sequence[Sequence[int]]) -> np.ndarray:
        """Scores of any histories: the model has no parameters of its own for a user."""
        histories = as_histories(histories, len(self.popularity))
        weights = self._kernel(self._inputs(histories)) @ self.inverse
        scores = np.ascontiguousarray((self.targets @ weights.T).T, np.float32) * self.factor
        scores[histories.lengths == 0] = self.popular_scores
        return scores

    def explain_list(self, history: Histories, items: Sequence[int], user: int = -1) -> list[Explanation]:
        """What each item of one history adds to the score of an item, by Euler's theorem; they sum to it."""
        row = self._inputs(as_histories(history, len(self.popularity)))[[0]]
        if not row.nnz:
            scores = self.popular_scores
            return [Explanation({"popularity": float(scores[item])}, row.indices, row.data) for item in items]
        cosines, lengths = (values[0] for values in self._cosines(row))
        # Of user z: x_i dk/dx_i = k'(c) x_i z_i + (k(c) - c k'(c)) |z| / |x| x_i^2
        slopes = slope(cosines)
        of_square = (tangent(cosines) - cosines * slopes) * lengths / row.data.dot(row.data)
        weights = self.inverse @ self.targets[list(items)].toarray().T  # users x items
        shared = self.rows[:, row.indices].T @ (slopes[:, None] * weights)
        added = row.data[:, None] * shared + row.data[:, None] ** 2 * (of_square @ weights)
        added *= self.factor[list(items)] / self.unit
        return [Explanation({self.name: float(part.sum())}, row.indices, part) for part in added.T]

    def similar(self, item: int, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Items that score best for a history of this one alone."""
        return best(self.fold_in([[item]])[0], k, leave_out=item)

    def needed_memory(self, train: TrainView) -> tuple[float, str]:
        """The kernel while it is inverted, which is whole, and the listens as X and as Y."""
        needed = 16.0 * train.n_users**2 + 48.0 * len(train.histories.items) + scoring_memory(train.n_items)
        return needed, "leave kernel_ridge out of --models; als needs less"

    def arrays(self) -> dict[str, np.ndarray]:
        """The inverse of the kernel, the histories and the popularity."""
        return {"inverse": self.inverse} | super().arrays()

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take them back."""
        super().restore(arrays)
        self.inverse = arrays["inverse"]
        self._prepare()


def _lengths(rows: sparse.csr_array) -> np.ndarray:
    """Euclidean length of each row, float64 (rows,)."""
    return np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1), np.float64))


def tangent(cosines: np.ndarray) -> np.ndarray:
    """The kernel of the module's head for rows of length 1, by their cosine.

    >>> tangent(np.array([1.0, 0.0])).round(4)
    array([2.    , 0.3183])
    """
    return 2 * cosines * (1 - np.arccos(cosines) / np.pi) + np.sqrt(1 - cosines**2) / np.pi


def slope(cosines: np.ndarray) -> np.ndarray:
    """The derivative of `tangent`; it has none at 1, where that of a cosine a little smaller stands for it.

    >>> slope(np.array([0.0])).round(4)
    array([1.])
    """
    return 2 * (1 - np.arccos(cosines) / np.pi) + cosines / np.pi / np.sqrt(np.maximum(1 - cosines**2, SMALLEST))
