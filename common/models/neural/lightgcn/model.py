"""LightGCN, graph convolution without weights and nonlinearities (He et al. 2020).

Users and items have an embedding each, which spreads K times along the normalised graph of interactions; what a user or
an item is, is the mean of its embeddings after 0, 1, ... K steps:

    e_u^(k+1) = sum over i of u of  e_i^k / sqrt(n_u n_i),     e_i^(k+1) = sum over u of i of  e_u^k / sqrt(n_u n_i)
    score(u, i) = e_u . e_i,     e = (e^0 + ... + e^K) / (K + 1)

Only e^0 is learned, by BPR (Rendle et al. 2009): each interaction is to beat an item that its user does not have.

A user whom training has not seen has no e^0 of their own: theirs is zero, and the rest of the sum comes from the items
of the history. An empty history, or one of items that nobody has in training, gets the popular list.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from common.models.base import as_histories
from common.models.building_blocks import similar_by_cosine
from common.models.graph.edges import check_edges, normalised
from common.models.inference.numpy_layers import Weights
from common.models.inference.numpy_networks import NumpyLightGCN, Spread
from common.models.neural.base import Neural, training_memory
from common.models.neural.lightgcn.batches import PairBatches
from common.splits.histories import Histories
from common.splits.train_view import TrainView
from common.training.settings import TrainingSettings
from common.utils.arrays import pack_csr, unpack_csr
from common.utils.memory import add_up
from common.utils.settings import SearchRange

if TYPE_CHECKING:
    from common.models.neural.lightgcn.network import LightGCNNetwork

EDGE_BYTES = 120.0
"""Memory of an edge: its places and value both ways, and its negatives, order and key while an epoch is drawn."""


@dataclass(frozen=True)
class LightGCNSettings(TrainingSettings):
    """The defaults are the paper's."""

    epochs: Annotated[int, SearchRange(10, 1000, least=1, most=10_000, search=False)] = 1000
    """Epochs at most; where validation is at hand, it stops earlier."""
    batch: Annotated[int, SearchRange(512, 8192, log=True, least=1, most=1_000_000, search=False)] = 2048
    """Interactions of a step, over all processes together."""
    width: Annotated[int, SearchRange(16, 256, log=True, least=1, most=8192, search=False)] = 64
    """Length of the vectors of users and items."""
    layers: Annotated[int, SearchRange(1, 4, least=1, most=16)] = 3
    """K: how often embeddings spread along the graph."""
    l2: Annotated[float, SearchRange(1e-6, 1e-1, log=True, least=0.0, most=1e3)] = 1e-4
    """Half of it times the squares of a batch's own embeddings is added to its loss."""
    clip: Annotated[float, SearchRange(0.5, 5.0, least=0.0, most=1e6, search=False)] = 0.0
    """Largest norm of the gradient; 0 leaves it as it is."""


class LightGCN(Neural):
    """The model of the module's head."""

    name = "lightgcn"
    Settings = LightGCNSettings

    def set_state(self, train: TrainView) -> None:
        """Keep the graph, and what an item weighs in a new user's history."""
        check_edges(self.name, len(train.histories.items))
        self.edges, self.popularity = normalised(train, 0.5, 0.5), train.popularity
        self.shares = (np.maximum(train.counts, 1) ** -0.5 * (train.counts > 0)).astype(np.float32)

    def needed_memory(self, train: TrainView) -> tuple[float, str]:
        """Parameters, the graph, and what a step keeps of every layer of all users and items."""
        s, nodes = self.settings, train.n_users + train.n_items
        layers = 3.0 * (s.layers + 1) * s.width * nodes
        activations = layers + 6.0 * s.width * s.batch
        parts = training_memory(self.device, train.n_items, s.width * nodes, activations, s.average)
        return add_up(
            {
                "lower --lightgcn.width": parts["state"] + parts["scores"],
                "lower --lightgcn.layers or --lightgcn.width": parts["batch"],
                "leave lightgcn out of --models": EDGE_BYTES * len(train.histories.items),
            }
        )

    def as_numpy(self, weights: Weights) -> NumpyLightGCN:
        """What scores as the network does, without torch."""
        return NumpyLightGCN(weights, self.edges, self.settings.layers)

    def build(self) -> "LightGCNNetwork":
        """A new network."""
        from common.models.neural.lightgcn.network import LightGCNNetwork

        return LightGCNNetwork(self.edges, self.settings.width, self.settings.layers, self.settings.l2)

    def batches(self, train: TrainView) -> PairBatches | None:
        """All interactions, each with an item to beat."""
        return PairBatches(train.histories, self.settings.batch, self.seed) if len(train.histories.items) else None

    def _spread(self) -> Spread:
        """Vectors of all users and items, float32, as the weights stand; the network forgets them when these change."""
        if "spread" not in self.network.made:
            with self.running(exact=True):
                found = self.network.spread()
                self.network.made["spread"] = type(found)(*map(self.array, found))
        return self.network.made["spread"]

    def score(self, users: np.ndarray) -> np.ndarray:
        """Products of users known from `fit` with all items."""
        found = self._spread()
        return found.users[users] @ found.items.T

    def fold_in(self, histories: Histories | Sequence[Sequence[int]]) -> np.ndarray:
        """Products of users without an embedding of their own with all items."""
        histories, found = as_histories(histories, len(self.popularity)), self._spread()
        rows = histories.matrix()
        rows.data = self.shares[rows.indices] / np.sqrt(np.repeat(np.diff(rows.indptr), np.diff(rows.indptr)))
        users = (rows @ found.shown).astype(np.float32)
        scores = users @ found.items.T
        scores[~users.any(axis=1)] = self.popularity / self.popularity.max() - 1
        return scores

    def similar(self, item: int, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Items whose vectors point the same way: cosine."""
        return similar_by_cosine(self._spread().items, item, k)

    def arrays(self) -> dict[str, np.ndarray]:
        """The network, the graph, and what items weigh."""
        state: dict[str, Any] = {"popularity": self.popularity, "shares": self.shares}
        return super().arrays() | state | pack_csr("edges", self.edges)

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take back what `arrays` gave."""
        self.popularity, self.shares = arrays["popularity"], arrays["shares"]
        self.edges = unpack_csr("edges", arrays, len(self.popularity))
        super().restore(arrays)
