"""Implicit-feedback ALS (Hu, Koren & Volinsky 2008), trained by the library `implicit`.

    min over X, Y of  sum over u, i of  c_ui (p_ui - x_u . y_i)^2  +  l (sum of |x_u|^2 + sum of |y_i|^2)

p_ui is 1 for what a user has and 0 otherwise; the confidence c_ui is 1 + alpha f(plays) for what they have and 1
otherwise. `implicit` alternates between users and items, a few steps of conjugate gradients each. Then all users are
solved exactly from the final item factors, one last half step, so that a user known from training and a newcomer with
the same history are the same:

    x_u = (Y'Y + l I + Y_u' D Y_u)^-1 Y_u' c_u,      D = diag(c_u) - I,  Y_u: the n rows of Y in the history
        = G^-1 Y_u' (I + D Y_u G^-1 Y_u')^-1 c_u,    G = Y'Y + l I

Both are solved by `ridge`. The first gives what each item of the history adds to item i
(section 5 of the paper): the score y_i . x_u is the sum over the history of  c_uj  y_i' (G + Y_u' D Y_u)^-1 y_j.

Of `implicit` only the training is used. Its `recommend` returns items that are already liked, with a score of -inf,
when a user has nearly everything, and pads short answers with item 0; lists come from our own ranking.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from scipy import sparse
from threadpoolctl import threadpool_limits

from common.models.base import Recommender, Validation, as_histories
from common.models.building_blocks import similar_by_cosine
from common.models.explanation import Explanation
from common.models.linear.ridge import Ridge
from common.splits.histories import Histories
from common.splits.train_view import TrainView
from common.training.context import FitContext
from common.utils.arrays import slices, weights_of
from common.utils.environment import threads
from common.utils.settings import SearchRange

LOSS_USERS = 500
"""Users whose loss is noted after every iteration."""


@dataclass(frozen=True)
class ALSSettings:
    """The defaults are the textbook's; `binary`, because raw plays in the thousands drown everything at alpha 40."""

    factors: Annotated[int, SearchRange(16, 512, log=True, least=1, most=8192)] = 64
    """Length of the vectors of users and items."""
    iterations: Annotated[int, SearchRange(5, 30, least=1, most=10_000)] = 15
    """How often users and items are solved in turn."""
    regularisation: Annotated[float, SearchRange(0.001, 300.0, log=True, least=1e-6, most=1e9)] = 0.01
    """l of the formula."""
    alpha: Annotated[float, SearchRange(0.5, 100.0, log=True, least=0.0, most=1e9)] = 40.0
    """How much the plays add to the confidence of 1."""
    weighting: Literal["binary", "log", "raw"] = "binary"
    """f of the formula: 1, log(1 + plays), or the plays themselves."""


@contextmanager
def one_blas_thread() -> Iterator[Any]:
    """The library `implicit`, with every BLAS held to one thread while the block runs.

    `implicit` spreads the users over threads of its own; a BLAS that does the same beneath slows it down many times,
    and it warns. The environment variables that it asks for only work before numpy loads; this works at any time, but
    only for libraries that are loaded already, hence the order of the lines.
    """
    import implicit.cpu.als

    with threadpool_limits(1, "blas"):
        yield implicit


def devices() -> tuple[str, ...]:
    """The devices that ALS can be trained on here, the best first: cuda where `implicit` was built for it."""
    from implicit import gpu

    return ("cuda", "cpu") if gpu.HAS_CUDA and getattr(gpu, "HAS_RMM", False) else ("cpu",)


class ALS(Recommender):
    """Scores are the predicted preferences x_u . y_i; an empty history gets the popular list."""

    name = "als"
    Settings = ALSSettings

    histories: Histories
    _user_factors: np.ndarray | None

    @classmethod
    def best_device(cls) -> str:
        """cuda where `implicit` was built for it."""
        return devices()[0]

    def _fit(self, train: TrainView, validation: Validation | None, context: FitContext) -> None:
        """Train the item factors."""
        self.popularity = train.popularity
        self.item_factors = self._train(self.confidences(train.histories), context)
        self._prepare()
        self.histories, self._user_factors = train.histories, None

    @property
    def user_factors(self) -> np.ndarray:
        """Factors of the users known from `fit`, float32 (users, factors): the last half step, when first needed."""
        if self._user_factors is None:
            self._user_factors = self.solve(self.histories)
        return self._user_factors

    def _train(self, confidences: sparse.csr_matrix, context: FitContext) -> np.ndarray:
        """Item factors float32 (n_items, factors); the loss of every iteration goes to `curves` and is reported.

        It is the loss of the first LOSS_USERS users, in one thread: all users' would take a fifth of the time again,
        and several threads add up in another order each time.
        """
        losses: list[float] = []
        self.curves = {"train/loss": losses}
        sample = confidences[:LOSS_USERS]
        with one_blas_thread() as implicit:
            model = self.new_model(implicit)

            def note(iteration: int, seconds: float, loss: float | None) -> None:
                if loss is None:
                    factors = (model.user_factors[: sample.shape[0]], model.item_factors, model.regularization)
                    loss = implicit.cpu.als.calculate_loss(sample, *factors, num_threads=1)
                losses.append(float(loss))
                if context.report is not None:
                    context.report({"train/loss": losses[-1]}, len(losses))

            model.fit(confidences, show_progress=sys.stderr.isatty(), callback=note)
        factors = model.item_factors
        return np.ascontiguousarray(factors.to_numpy() if hasattr(factors, "to_numpy") else factors, np.float32)

    def new_model(self, implicit: Any) -> Any:
        """The library's model for this device."""
        shared: dict[str, Any] = {
            "factors": self.settings.factors,
            "iterations": self.settings.iterations,
            "regularization": self.settings.regularisation,
            "random_state": self.seed,
        }
        if self.device == "cuda":
            return implicit.gpu.als.AlternatingLeastSquares(**shared, calculate_training_loss=True)
        return implicit.cpu.als.AlternatingLeastSquares(**shared, num_threads=threads())

    def confidences(self, histories: Histories) -> sparse.csr_matrix:
        """Confidence of what each user has, c_ui of the formula, float32 (users, n_items)."""
        matrix, kind = histories.matrix(), self.settings.weighting
        for part in slices(matrix.nnz):  # a long array's float64 twins would be the largest part of the fit
            amount = matrix.data[part] if kind == "raw" else weights_of(matrix.data[part], kind)
            matrix.data[part] = 1 + self.settings.alpha * amount
        return sparse.csr_matrix((matrix.data, matrix.indices, matrix.indptr), shape=matrix.shape)

    def _prepare(self) -> None:
        self.ridge = Ridge(self.item_factors.astype(np.float64))

    def solve(self, histories: Histories) -> np.ndarray:
        """User factors of any histories, exact, float32 (len(histories), factors); zeros for an empty history."""
        weights = self._weights(histories)
        regularisation = np.full(weights.shape[0], float(self.settings.regularisation))
        return self.ridge.solve(weights, regularisation).astype(np.float32)

    def _weights(self, histories: Histories) -> sparse.csr_array:
        """What the confidences are above 1, float64 (users, n_items)."""
        confidences = self.confidences(histories)
        weights = confidences.data.astype(np.float64) - 1
        return sparse.csr_array((weights, confidences.indices, confidences.indptr), confidences.shape)

    def score(self, users: np.ndarray) -> np.ndarray:
        """Predicted preferences of users known from `fit`."""
        return self._predict(self.user_factors[users])

    def fold_in(self, histories: Histories | Sequence[Sequence[int]]) -> np.ndarray:
        """Predicted preferences for any histories: what training would solve for them, given the item factors."""
        return self._predict(self.solve(as_histories(histories, len(self.item_factors))))

    def _predict(self, factors: np.ndarray) -> np.ndarray:
        scores = factors @ self.item_factors.T
        scores[~factors.any(axis=1)] = self.popularity / self.popularity.max() - 1
        return scores

    def explain_list(self, history: Histories, items: Sequence[int], user: int = -1) -> list[Explanation]:
        """What each item of one user's history adds to the score of an item: section 5 of the paper.

        The contributions of the history's distinct items add up to the predicted preference of `item`.
        """
        history = as_histories(history, len(self.item_factors))
        row = self._weights(history)[[0]]
        towards = self.item_factors[list(items)].astype(np.float64)
        added = self.ridge.influence(row.indices, row.data, self.settings.regularisation, towards)
        if self.item_factors[row.indices].any():
            return [Explanation({"als": float(part.sum())}, row.indices, part) for part in added.T]
        scores = self._predict(self.solve(history))[0]  # no factors for this history: the popular list
        return [
            Explanation({"popularity": float(scores[item])}, row.indices, part)
            for item, part in zip(items, added.T, strict=True)
        ]

    def needed_memory(self, train: TrainView) -> tuple[float, str]:
        """The factors, and what is shared by all users in double precision."""
        f = self.settings.factors
        return 4.0 * f * (train.n_users + 5 * train.n_items) + 16.0 * f**2, "lower --als.factors"

    def similar(self, item: int, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Items whose factors point the same way: cosine."""
        return similar_by_cosine(self.item_factors, item, k)

    def arrays(self) -> dict[str, np.ndarray]:
        """The factors and the popularity: with f factors 4 f (users + items) bytes and little more."""
        return {"user_factors": self.user_factors, "item_factors": self.item_factors, "popularity": self.popularity}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take back the factors."""
        self._user_factors, self.item_factors = arrays["user_factors"], arrays["item_factors"]
        self.popularity = arrays["popularity"]
        self._prepare()
