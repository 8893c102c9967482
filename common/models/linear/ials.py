"""iALS with frequency-scaled regularisation, confidence by the rank of plays, and tags as users.

Rendle et al. 2022 showed what iALS (Hu, Koren & Volinsky 2008) reaches once its regularisation grows with frequency. To
that come two things. First, how much a listen says depends on the place of its plays among the user's own, not on their
number:

    r_ui = a + (1 - a) rho_ui^p,   rho_ui = mean rank of i among u's items by rising plays, ties shared, / n_u
    w_ui = alpha r_ui / mean of r                                              (without plays r = 1)

Second, every tag of at least three items is one more user, who holds its items with weight 2 log2(1 + count):
what is known of the content of items shapes the same factors. The loss is

    sum over held (1 + w_ui) (1 - x_u . y_i)^2  +  sum over the rest (x_u . y_i)^2
                                                +  sum l_u |x_u|^2  +  sum l_i |y_i|^2
    l_i = l ((n_i + c) / (n' + c))^nu,   n' = sum n_i^2 / sum n_i
    l_u = mu l (max(n_u, 1) / mean n_u)^nu

with n' and the mean of n_u over people's listens alone. Both half steps are exact (`ridge`). The score of an item is
x_u . y_i max(n_i, floor)^-d.

An item with no more listeners than the train view's `count_floor` may have them from chance alone, or must have
held-out ones: its listens are left out of the fit, so that its factors come from tags, and are zero without any.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from scipy import sparse

from common.models.base import Recommender, Validation, as_histories
from common.models.building_blocks import similar_by_cosine
from common.models.explanation import Explanation
from common.models.linear.ridge import Ridge
from common.splits.histories import Histories
from common.splits.train_view import TrainView
from common.training.context import FitContext
from common.utils.settings import SearchRange

LEAST_ITEMS = 3
"""Items of a tag from which on it is a user."""
LISTEN_BYTES = 80.0
"""Memory that a listen takes while the weights are made: its plays, rank, place and row, twice its weight and code."""


@dataclass(frozen=True)
class IALSSettings:
    """The defaults are a first guess for data of a few thousand users."""

    factors: Annotated[int, SearchRange(16, 512, log=True, least=1, most=8192)] = 128
    """Length of the vectors of users and items."""
    rounds: Annotated[int, SearchRange(4, 16, least=1, most=10_000)] = 8
    """How often users and items are solved in turn."""
    regularisation: Annotated[float, SearchRange(5.0, 300.0, log=True, least=1e-6, most=1e9)] = 60.0
    """l of the formula."""
    frequency: Annotated[float, SearchRange(0.0, 1.2, least=-4.0, most=4.0)] = 0.85
    """nu: how much the regularisation grows with frequency."""
    shift: Annotated[float, SearchRange(0.0, 100.0, most=1e9)] = 30.0
    """c: listeners that every item counts as having besides."""
    user_share: Annotated[float, SearchRange(0.1, 3.0, log=True, least=1e-6, most=1e6)] = 0.65
    """mu: regularisation of users relative to items."""
    alpha: Annotated[float, SearchRange(1.0, 40.0, log=True, least=0.0, most=1e9)] = 8.0
    """Mean weight of a listen."""
    lowest: Annotated[float, SearchRange(0.05, 1.0, least=0.0, most=1.0)] = 0.35
    """a: weight of the least played item of a history, relative to the most played one."""
    power: Annotated[float, SearchRange(0.5, 4.0, least=0.0, most=64.0)] = 2.0
    """p: how fast the weight falls with the rank of plays."""
    tag_weight: Annotated[float, SearchRange(0.2, 10.0, log=True, least=0.0, most=1e9)] = 2.0
    """Weight of an item of a tag that was given once; 0 leaves tags out."""
    discount: Annotated[float, SearchRange(0.0, 0.2, least=-4.0, most=4.0)] = 0.05
    """d: how much scores are divided by popularity."""


class IALS(Recommender):
    """Scores are predicted preferences, a little discounted by popularity; an empty history gets the popular list."""

    name = "ials"
    Settings = IALSSettings

    _user_factors: np.ndarray | None

    def _fit(self, train: TrainView, validation: Validation | None, context: FitContext) -> None:
        """Alternate between users (people and tags) and items; the loss of every round goes to `curves`."""
        self.popularity, self.fitted = train.popularity, train.counts > train.count_floor
        self.histories, self._user_factors = train.histories, None
        ranks = self._ranks(self.histories)
        sizes = np.diff(ranks.indptr)
        self.constants = np.array([ranks.data.mean(), sizes.mean()]) if ranks.nnz else np.ones(2)
        listeners = np.bincount(ranks.indices, minlength=train.n_items)
        tags = tag_users(train, self.settings.tag_weight)
        weights = sparse.csr_array(sparse.vstack([self._weighted(ranks), tags]))
        of_users, of_items = (
            self._user_regularisation(np.diff(weights.indptr)),
            self._item_regularisation(np.bincount(weights.indices, minlength=train.n_items), listeners),
        )
        self.item_factors = self._alternate(weights, of_users, of_items, context)
        self._prepare()

    def _alternate(
        self, weights: sparse.csr_array, of_users: np.ndarray, of_items: np.ndarray, context: FitContext
    ) -> np.ndarray:
        """Item factors float32 (n_items, factors) of weights (users, n_items) and regularisation of both sides."""
        turned = sparse.csr_array(weights.T.tocsr())
        shape = (turned.shape[0], self.settings.factors)
        items = np.random.default_rng(self.seed).normal(0, 0.1 / np.sqrt(shape[1]), shape).astype(np.float32)
        items[np.diff(turned.indptr) == 0] = 0
        losses: list[float] = []
        self.curves = {"train/loss": losses}
        for _ in range(self.settings.rounds):
            users = Ridge(items).solve(weights, of_users)
            items = Ridge(users).solve(turned, of_items)
            losses.append(loss(weights, users, items, of_users))
            if context.report is not None:
                context.report({"train/loss": losses[-1]}, len(losses))
        return items

    def _prepare(self) -> None:
        self.ridge = Ridge(self.item_factors.astype(np.float64))
        self.factor = (self.popularity**-self.settings.discount).astype(np.float32)

    def _ranks(self, histories: Histories) -> sparse.csr_array:
        """r of the formula for what each user has, float64 (users, n_items), items at the floor left out."""
        matrix = histories.matrix()
        matrix = _keep_columns(matrix, self.fitted)
        shares = rank_shares(matrix)
        lowest = self.settings.lowest
        matrix = matrix.astype(np.float64)
        matrix.data = lowest + (1 - lowest) * shares**self.settings.power
        return matrix

    def weights(self, histories: Histories) -> sparse.csr_array:
        """w of the formula for any histories, float64 (users, n_items)."""
        return self._weighted(self._ranks(histories))

    def _weighted(self, ranks: sparse.csr_array) -> sparse.csr_array:
        ranks.data = ranks.data * (self.settings.alpha / self.constants[0])
        return ranks

    def _user_regularisation(self, sizes: np.ndarray) -> np.ndarray:
        scale = (np.maximum(sizes, 1) / self.constants[1]) ** self.settings.frequency
        return self.settings.user_share * self.settings.regularisation * scale

    def _item_regularisation(self, sizes: np.ndarray, listeners: np.ndarray) -> np.ndarray:
        """l_i from the size of each item, its tags included, relative to what listens alone make of it."""
        shift = self.settings.shift
        typical = (listeners.astype(float) ** 2).sum() / max(1, listeners.sum())
        return self.settings.regularisation * ((sizes + shift) / max(typical + shift, 1e-9)) ** self.settings.frequency

    @property
    def user_factors(self) -> np.ndarray:
        """Factors of the users known from `fit`, float32 (users, factors): a last half step, when first needed."""
        if self._user_factors is None:
            self._user_factors = self.solve(self.histories)
        return self._user_factors

    def solve(self, histories: Histories) -> np.ndarray:
        """User factors of any histories, exact, float32 (len(histories), factors); zeros for an empty history."""
        weights = self.weights(histories)
        return self.ridge.solve(weights, self._user_regularisation(np.diff(weights.indptr))).astype(np.float32)

    def score(self, users: np.ndarray) -> np.ndarray:
        """Scores of users known from `fit`."""
        return self._predict(self.user_factors[users])

    def fold_in(self, histories: Histories | Sequence[Sequence[int]]) -> np.ndarray:
        """Scores for any histories: what training would solve for them, given the item factors."""
        return self._predict(self.solve(as_histories(histories, len(self.item_factors))))

    def _predict(self, factors: np.ndarray) -> np.ndarray:
        scores = (factors @ self.item_factors.T) * self.factor
        scores[~factors.any(axis=1)] = self.popularity / self.popularity.max() - 1
        return scores

    def explain_list(self, history: Histories, items: Sequence[int], user: int = -1) -> list[Explanation]:
        """What each item of one user's history adds to the score of an item; the contributions add up to it."""
        history = as_histories(history, len(self.item_factors))
        row = self.weights(history)[[0]]
        regularisation = float(self._user_regularisation(np.array([row.nnz]))[0])
        towards = self.item_factors[list(items)].astype(np.float64)
        added = self.ridge.influence(row.indices, row.data, regularisation, towards) * self.factor[list(items)]
        if self.item_factors[row.indices].any():
            return [Explanation({"ials": float(part.sum())}, row.indices, part) for part in added.T]
        scores = self._predict(self.solve(history))[0]  # no factors for this history: the popular list
        return [
            Explanation({"popularity": float(scores[item])}, row.indices, part)
            for item, part in zip(items, added.T, strict=True)
        ]

    def similar(self, item: int, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Items whose factors point the same way: cosine."""
        return similar_by_cosine(self.item_factors, item, k)

    def needed_memory(self, train: TrainView) -> tuple[float, str]:
        """The factors of both sides, of items those of the exact solver in double precision, and all listens with what
        ranks and turns them."""
        f, listens = self.settings.factors, len(train.histories.items)
        return 4.0 * f * (2 * train.n_users + 7 * train.n_items) + 32.0 * f**2 + LISTEN_BYTES * listens, (
            "lower --ials.factors, or use als"
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """The factors, the popularity, which items took part in the fit, and the means that fold-in needs."""
        return {
            **{"user_factors": self.user_factors, "item_factors": self.item_factors, "popularity": self.popularity},
            **{"fitted": self.fitted, "constants": self.constants},
        }

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take back the arrays."""
        self._user_factors, self.item_factors = arrays["user_factors"], arrays["item_factors"]
        self.popularity, self.fitted, self.constants = arrays["popularity"], arrays["fitted"], arrays["constants"]
        self._prepare()


def _keep_columns(matrix: sparse.csr_array, kept: np.ndarray) -> sparse.csr_array:
    """The matrix without the entries of some columns; its shape stays."""
    entries = kept[matrix.indices]
    indptr = np.concatenate([[0], np.cumsum(entries)])[matrix.indptr]
    return sparse.csr_array((matrix.data[entries], matrix.indices[entries], indptr), shape=matrix.shape)


def rank_shares(matrix: sparse.csr_array) -> np.ndarray:
    """The mean rank of each entry among those of its row, the least first, ties shared, over their number: (entries,).

    >>> rank_shares(sparse.csr_array(np.array([[5.0, 9.0, 5.0, 0.0], [0.0, 2.0, 0.0, 0.0]]))).round(3).tolist()
    [0.5, 1.0, 0.5, 1.0]
    """
    lengths = np.diff(matrix.indptr)
    rows = np.repeat(np.arange(len(lengths)), lengths)
    order = np.lexsort((matrix.data, rows))
    place = np.arange(len(order)) - np.repeat(matrix.indptr[:-1], lengths) + 1.0
    values, of_row = matrix.data[order], rows[order]
    new = np.ones(len(order), bool)
    new[1:] = (values[1:] != values[:-1]) | (of_row[1:] != of_row[:-1])
    group = np.cumsum(new) - 1
    mean = np.bincount(group, place) / np.maximum(np.bincount(group), 1)
    shares = np.empty(len(order))
    shares[order] = mean[group]
    return shares / lengths[rows]


def tag_users(train: TrainView, weight: float) -> sparse.csr_array:
    """Tags of at least three items as users: weights float64 (tags, n_items)."""
    if train.item_tags is None or not weight:
        return sparse.csr_array((0, train.n_items))
    tags, places = np.unique(train.item_tags["tag"].to_numpy(str), return_inverse=True)
    counts = train.item_tags["weight"].to_numpy(float)
    shape = (len(tags), train.n_items)
    matrix: Any = sparse.csr_array((counts, (places, train.item_tags["item"].to_numpy())), shape=shape)
    matrix.data = weight * np.log2(1 + matrix.data)
    return matrix[np.flatnonzero(np.diff(matrix.indptr) >= LEAST_ITEMS)]


def loss(weights: sparse.csr_array, users: np.ndarray, items: np.ndarray, of_users: np.ndarray) -> float:
    """The loss of the module's head right after items were solved: of weights w (users, items) and regularisation l_u.

    At the least loss M_i y_i = b_i, the sum of (1 + w_ui) x_u over an item's users, so that the squares and the norm of
    each item come to y_i . b_i, and the whole to  sum over held (1 + w_ui) (1 - x_u . y_i)  +  sum l_u |x_u|^2.
    """
    confidences = sparse.csr_array((1 + weights.data, weights.indices, weights.indptr), weights.shape)
    fitted = np.einsum("uf,uf->", users, confidences.astype(items.dtype) @ items, dtype=np.float64)
    norms = np.einsum("uf,uf->u", users, users, dtype=np.float64)
    return float(confidences.data.sum() - fitted + of_users @ norms)
