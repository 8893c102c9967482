"""GF-CF: filters on the graph of items (Shen et al. 2021).

With the interactions R, the sums D_U and D_I of its rows and columns, and R~ = D_U^-1/2 R D_I^-1/2, a history r (a row)
is a signal on the items, and its scores are what two low-pass filters leave of it:

    s = r (R~' R~  +  a D_I^-1/2 V V' D_I^1/2)

The first is linear: two steps of a walk from items to users and back. The second is ideal: V are the first k right
singular vectors of R~, the smoothest signals there are, and everything else is cut off. Nothing is trained. Where the
powers of the degrees are not 1/2, R~ = D_U^-p R D_I^-q, and D_I^-q, D_I^q stand around V (Turbo-CF, Park et al. 2024,
also lets the powers differ from 1/2, which says how much popular items count).

R~' R~ is items x items and never formed: r R~' comes first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import svds

from common.models.base import Validation, as_histories, best, scoring_memory
from common.models.building_blocks import HistoryRecommender, order_rest_by_popularity
from common.models.explanation import Explanation
from common.models.graph.edges import check_edges, normalised
from common.splits.histories import Histories
from common.splits.train_view import TrainView
from common.training.context import FitContext
from common.utils.arrays import pack_csr, unpack_csr, weigh
from common.utils.settings import SearchRange

EXACT = 4096
"""Size of the smaller side up to which its Gram matrix is decomposed as a whole; beyond, by Lanczos iterations."""
EDGE_BYTES = 40.0
"""Memory of an edge: R~, its transpose while it is decomposed, and the interactions that it is made from."""


@dataclass(frozen=True)
class GraphFilterSettings:
    """The defaults are the paper's."""

    factors: Annotated[int, SearchRange(16, 512, log=True, least=1, most=8192)] = 256
    """k: how many of the smoothest signals the ideal filter lets pass."""
    ideal: Annotated[float, SearchRange(0.0, 2.0, least=0.0, most=1e6)] = 0.3
    """a: weight of the ideal filter beside the linear one."""
    user_power: Annotated[float, SearchRange(0.0, 1.0, least=0.0, most=4.0)] = 0.5
    """p: how much less an edge of a user of many items counts."""
    item_power: Annotated[float, SearchRange(0.0, 1.0, least=0.0, most=4.0)] = 0.5
    """q: how much less an edge of an item of many users counts."""
    weighting: Literal["binary", "log"] = "binary"
    """What stands in R and r: 1 or log(1 + plays)."""


class GraphFilter(HistoryRecommender):
    """The formula of the module's head; what a history does not reach is ordered by popularity, below the rest."""

    name = "graph_filter"
    Settings = GraphFilterSettings

    def _fit(self, train: TrainView, validation: Validation | None, context: FitContext) -> None:
        """Normalise the graph and find its smoothest signals."""
        settings = self.settings
        check_edges(self.name, len(train.histories.items))
        self.keep(train)
        self.edges = normalised(train, settings.user_power, settings.item_power, settings.weighting)
        self.smooth = smoothest(self.edges, settings.factors, self.seed)
        degrees = np.asarray(weigh(train.histories.matrix(), settings.weighting).sum(axis=0), np.float64)
        self.degrees = (np.maximum(degrees, 1e-12) ** settings.item_power * (degrees > 0)).astype(np.float32)

    def needed_memory(self, train: TrainView) -> tuple[float, str]:
        """The edges, the signals that pass with what finds them, and a block of scores."""
        edges, sides = len(train.histories.items), (train.n_users, train.n_items)
        factors = min(self.settings.factors, *sides)
        search = 16.0 * min(sides) ** 2 if min(sides) <= EXACT else 8.0 * (2 * factors + 1) * min(sides)
        needed = EDGE_BYTES * edges + 8.0 * factors * sum(sides) + search + scoring_memory(train.n_items)
        return needed, "lower --graph-filter.factors, or use als"

    def fold_in(self, histories: Histories | Sequence[Sequence[int]]) -> np.ndarray:
        """Scores of any histories: the model has no parameters of its own for a user."""
        histories = as_histories(histories, len(self.popularity))
        scores = self._filtered(weigh(histories.matrix(), self.settings.weighting))
        return order_rest_by_popularity(scores, self.popularity).astype(np.float32)

    def _filtered(self, rows: sparse.csr_array) -> np.ndarray:
        """What the filters leave of signals (n, items), float32 (n, items)."""
        linear = ((rows @ self.edges.T) @ self.edges).toarray()
        ideal = ((rows @ self._before) @ self.smooth.T) * self.degrees
        return (linear + self.settings.ideal * ideal).astype(np.float32)

    @property
    def _before(self) -> np.ndarray:
        """D_I^-q V, float32 (items, k)."""
        return self.smooth / np.where(self.degrees > 0, self.degrees, 1)[:, None]

    def explain_list(self, history: Histories, items: Sequence[int], user: int = -1) -> list[Explanation]:
        """What each item j of one history adds to the score of an item: r_j times row j of the filter."""
        row = weigh(as_histories(history, len(self.popularity)).matrix(), self.settings.weighting)[[0]]
        chosen = list(items)
        linear = (self.edges.T.tocsr()[row.indices] @ self.edges.tocsc()[:, chosen]).toarray()
        ideal = (self._before[row.indices] @ self.smooth[chosen].T) * self.degrees[chosen]
        return self.explanations(row.indices, row.data[:, None] * (linear + self.settings.ideal * ideal), items)

    def similar(self, item: int, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Items whose scores this one adds most to: row `item` of the filter."""
        row = sparse.csr_array((np.ones(1, np.float32), ([0], [item])), shape=(1, len(self.popularity)))
        return best(self._filtered(row)[0], k, leave_out=item)

    def arrays(self) -> dict[str, np.ndarray]:
        """The edges, the smoothest signals, the degrees, the histories and the popularity."""
        return super().arrays() | {"smooth": self.smooth, "degrees": self.degrees} | pack_csr("edges", self.edges)

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take them back."""
        super().restore(arrays)
        self.smooth, self.degrees = arrays["smooth"], arrays["degrees"]
        self.edges = unpack_csr("edges", arrays, len(self.popularity))


def smoothest(edges: sparse.csr_array, factors: int, seed: int = 0) -> np.ndarray:
    """The first right singular vectors of a graph (users, items), float32 (items, at most `factors`).

    Those of a singular value of 0 are left out.
    """
    users, items = edges.shape
    smaller, matrix = min(users, items), edges.astype(np.float64)
    factors = min(factors, smaller)
    if smaller > EXACT and factors < smaller:
        start = np.random.default_rng(seed).normal(size=smaller)
        _, values, vectors = svds(matrix, k=factors, v0=start)
        return np.ascontiguousarray(vectors[values > 1e-6 * values.max()].T).astype(np.float32)
    gram = (matrix @ matrix.T if users <= items else matrix.T @ matrix).toarray()
    squares, vectors = np.linalg.eigh(gram)
    kept = np.flatnonzero(squares > 1e-12 * max(squares[-1], 1e-300))[-factors:]
    vectors = vectors[:, kept]
    if users <= items:
        vectors = (matrix.T @ vectors) / np.sqrt(squares[kept])
    return np.ascontiguousarray(vectors).astype(np.float32)
