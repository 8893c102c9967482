"""The networks of the neural models as they are once trained, in numpy: what answers where torch is not loaded.

Each class stands in for the torch module named in its docstring: the same methods with the same arguments, arrays for
tensors, nothing of training. The contract tests hold each against the other, for every setting that changes scores.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from common.models.inference.numpy_layers import Weights, normalise, pooled, relu, softmax
from common.models.neural.listnet.inputs import FAR, Side


class NumpySASRec:
    """`sasrec.network.SASRecNetwork`."""

    def __init__(self, weights: Weights, side: np.ndarray, settings: Any) -> None:
        self.weights, self.side, self.settings = weights, side, settings
        self.encoder = weights.below("encoder")
        self.blocks = [self.encoder.below(f"blocks.{place}") for place in range(settings.layers)]
        self.before = settings.norm == "pre"

    def table(self, output: bool = False) -> np.ndarray:
        """Vectors of all items (n_items, width): those of the input, or those they are scored by."""
        return self._vectors("others" if output and not self.settings.tied else "items", slice(None))

    def look_up(self, codes: np.ndarray) -> np.ndarray:
        """Vectors of some items, (len(codes), width)."""
        return self._vectors("items", codes)

    def _vectors(self, own: str, codes: np.ndarray | slice) -> np.ndarray:
        vectors = self.weights[own][codes]
        return vectors + self.weights.linear("from_side", self.side[codes]) if "from_side" in self.weights else vectors

    def encode(self, vectors: np.ndarray, positions: np.ndarray, cells: np.ndarray, **shape: Any) -> np.ndarray:
        """A vector per event, (tokens, width); with `last`, places of each window's last event, of these alone."""
        firsts = np.flatnonzero(cells % shape["width"] == 0)
        windows = np.split(np.arange(len(cells)), firsts[1:])
        events = np.concatenate([self._window(vectors[own], positions[own])[0] for own in windows])
        return events[shape["last"]] if "last" in shape else events

    def attention(self, codes: np.ndarray, positions: np.ndarray) -> list[np.ndarray]:
        """Attention weights of each block for one window, (heads, tokens, tokens) each."""
        return self._window(self.look_up(codes), positions)[1]

    def _window(self, vectors: np.ndarray, positions: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
        """The events of one window once through all blocks, and what each block looked at."""
        events = vectors * np.float32(math.sqrt(vectors.shape[1])) + self.encoder["positions"][positions]
        looked_at = []
        for block in self.blocks:
            train, weights = self._attend(block, block.layer_norm("attention_norm", events) if self.before else events)
            events = events + train
            events = events if self.before else block.layer_norm("attention_norm", events)
            inner = block.layer_norm("inner_norm", events) if self.before else events
            events = events + block.linear("narrow", relu(block.linear("widen", inner)))
            events = events if self.before else block.layer_norm("inner_norm", events)
            looked_at.append(weights)
        return (self.encoder.layer_norm("norm", events) if self.before else events), looked_at

    def _attend(self, block: Weights, events: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What the events of one window take from those before them and themselves, and how much of each."""
        n, width = events.shape
        of_head = (3, n, self.settings.heads, width // self.settings.heads)
        projected = block.linear("project", events).reshape(n, 3, *of_head[2:])
        queries, keys, values = projected.transpose(1, 2, 0, 3)
        scores = queries @ keys.transpose(0, 2, 1) / np.float32(math.sqrt(of_head[-1]))
        weights = softmax(np.where(np.tri(n, dtype=bool), scores, np.float32(-np.inf)))
        return block.linear("join", (weights @ values).transpose(1, 0, 2).reshape(n, width)), weights


class NumpyItemTower:
    """`two_tower.network.ItemTower`."""

    def __init__(self, weights: Weights, features: np.ndarray, heard: np.ndarray) -> None:
        self.weights, self.features, self.heard = weights, features, heard[:, None].astype(np.float32)

    def __call__(self, codes: np.ndarray) -> np.ndarray:
        """Vectors of items, (len(codes), width)."""
        return self.weights["ids"][codes] * self.heard[codes] + self.of_content(self.features[codes])

    def of_content(self, features: np.ndarray) -> np.ndarray:
        """What content (n, features) adds to vectors of items, which is all of an item that nobody has heard."""
        return self.weights.mlp("content", features)


class NumpyTowers:
    """`two_tower.network.Towers`."""

    def __init__(self, weights: Weights, features: np.ndarray, heard: np.ndarray, settings: Any) -> None:
        self.items = NumpyItemTower(weights.below("items"), features, heard)
        self.weights, self.users, self.settings = weights, weights.below("users"), settings
        self.made: dict[str, Any] = {}

    def of_histories(
        self, vectors: np.ndarray, items: np.ndarray, rows: np.ndarray, ages: np.ndarray, attributes: np.ndarray
    ) -> np.ndarray:
        """Vectors of users from their histories' vectors, codes, rows and ages, ready for the dot product."""
        half_life = self.settings.half_life
        weights = (np.exp2(-ages / half_life) if half_life else np.ones(len(ages))).astype(np.float32)[:, None]
        size = np.sqrt(np.maximum(pooled(weights**2, rows, len(attributes)), np.float32(1e-9)))
        gathered = pooled(vectors * weights, rows, len(attributes)) / size
        profile, measures = self._about(self.items.features[items], rows, len(attributes))
        centre, spread = self.users["scale"]
        known = np.concatenate([gathered, profile, (measures - centre) / spread, attributes], axis=1)
        return self.scaled(self.users.linear("straight", gathered) + self.users.mlp("mixed", known))

    def _about(self, features: np.ndarray, rows: np.ndarray, n_rows: int) -> tuple[np.ndarray, np.ndarray]:
        """Profiles of histories (n_rows, n_features), and their log activity and diversity (n_rows, 2)."""
        n = np.bincount(rows, minlength=n_rows).astype(np.float32)[:, None]
        profile = pooled(features, rows, n_rows) / np.maximum(n, 1)
        unit = pooled(normalise(features), rows, n_rows) / np.maximum(n, 1)
        shared = np.square(unit).sum(axis=1, keepdims=True)
        diversity = np.where(shared > 1e-6, -np.log(np.maximum(shared, np.float32(1e-6))), np.float32(0))
        return profile, np.concatenate([np.log1p(n), diversity], axis=1)

    def scaled(self, vectors: np.ndarray) -> np.ndarray:
        """Vectors of length 1 where the settings want cosines."""
        return normalise(vectors) if self.settings.normalise else vectors


class NumpyHybrid:
    """`listnet.network.HybridNetwork`."""

    def __init__(self, weights: Weights, scale: np.ndarray, items: Side, users: Side, residual: bool) -> None:
        self.weights, self.scale, self.residual = weights, scale, residual
        self.gaps, self.sides = np.flatnonzero(scale[2]), {"items": items, "users": users}
        self.n_layers = sum(name.startswith("layers.") and name.endswith(".made.0.weight") for name in weights.arrays)

    def predict(
        self, features: np.ndarray, users: np.ndarray, items: np.ndarray, expected: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Ranking scores and log plays of pairs, (n,) each. users: codes, -1 for an unknown one; expected: log plays
        by the means alone."""
        w = self.weights
        centred = (features - self.scale[0]) / self.scale[1]
        parts = [block(w.below("numeric"), np.nan_to_num(np.clip(centred, -FAR, FAR)))]
        if len(self.gaps):
            parts.append(block(w.below("binary"), np.isnan(features[:, self.gaps]).astype(np.float32)))
        rows = w.linear("of_pair", np.concatenate(parts, axis=1))
        of_items, item_ids = self._of_side("items", items)
        of_users, user_ids = self._of_side("users", users + 1)
        rows = rows + of_items + of_users
        if "of_both" in w:
            rows = rows + w.linear("of_both", item_ids * user_ids)
        for place in range(self.n_layers):
            rows = self._layer(w.below(f"layers.{place}"), rows)
        rows = relu(rows)
        return w.linear("ranks", rows)[:, 0], w.linear("plays", rows)[:, 0] + expected

    def _layer(self, w: Weights, rows: np.ndarray) -> np.ndarray:
        made = w.linear("made.3", relu(w.layer_norm("made.0", rows)))
        if not self.residual:
            return made
        return made + (w.linear("shortcut", rows) if "shortcut" in w else rows)

    def _of_side(self, name: str, places: np.ndarray) -> tuple[Any, Any]:
        """What a side adds to pairs (0 where nothing is known), and its id embeddings, if there are any."""
        project = {"items": "of_item", "users": "of_user"}[name]
        if project not in self.weights:
            return 0, None
        distinct, back = np.unique(places, return_inverse=True)
        vectors, ids = self._known(self.sides[name], self.weights.below(name), distinct)
        return self.weights.linear(project, vectors)[back], None if ids is None else ids[back]

    def _known(self, side: Side, w: Weights, places: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """`listnet.network.SideNetwork`: vectors (n, outputs) of rows of a side, and the embeddings of their ids."""
        codes = {"id": side.ids, **side.categories}
        parts = {name: w[f"tables.{name}.weight"][codes[name][places]] for name in codes if f"tables.{name}" in w}
        made = [block(w.below(f"blocks.{name}"), rows[places]) for name, rows in side.blocks.items()]
        return np.concatenate([*parts.values(), *made], axis=1), parts.get("id")


def block(w: Weights, rows: np.ndarray) -> np.ndarray:
    """`listnet.network.block`: linear, batch norm, ReLU."""
    return relu(w.batch_norm("1", w.linear("0", rows)))


class Spread(NamedTuple):
    """What embeddings become: users (n_users, width), items (n_items, width); shown: what the items are to a new user,
    the sum of their embeddings in all layers but the last, (n_items, width)."""

    users: Any
    items: Any
    shown: Any


class NumpyLightGCN:
    """`lightgcn.network.LightGCNNetwork`."""

    def __init__(self, weights: Weights, edges: sparse.csr_array, layers: int) -> None:
        self.weights, self.edges, self.layers = weights, edges, layers
        self.made: dict[str, Any] = {}

    def spread(self) -> Spread:
        """All embeddings after the last layer."""
        users, items = self.weights["users"], self.weights["items"]
        of_users, of_items, shown = users, items, np.zeros_like(items)
        for _ in range(self.layers):
            shown = shown + items
            users, items = self.edges @ items, self.edges.T @ users
            of_users, of_items = of_users + users, of_items + items
        n = np.float32(self.layers + 1)
        return Spread(of_users / n, of_items / n, shown / n)
