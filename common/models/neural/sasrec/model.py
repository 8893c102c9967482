"""SASRec, self-attentive sequential recommendation (Kang & McAuley 2018).

A history of items becomes, event by event, a vector h that predicts the next item: item vectors plus positions, then
blocks of self-attention in which an event sees only those before it. The score of item i is h . v_i, with the item
vectors of the input (tied) or others. In training every event predicts the one after it.

Beside the paper: a loss over the whole catalogue instead of one negative an event, which is most of what separates
published SASRecs (Klenitskiy & Vasilev 2023; Petrov & Macdonald 2023), and side features, v_i = e_i + W f_i with f_i
what is known of an item's tags and sound.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np

from common.features.content_vectors import item_vectors
from common.models.base import as_histories, best
from common.models.building_blocks import HistoryRecommender
from common.models.inference.numpy_layers import Weights, normalise
from common.models.inference.numpy_networks import NumpySASRec
from common.models.neural.base import Neural, training_memory
from common.models.neural.sasrec.batches import SequenceBatches, last_windows, pack, reorder
from common.splits.histories import Histories
from common.splits.shards import shard
from common.splits.train_view import TrainView
from common.training.settings import TrainingSettings
from common.utils import distributed as parallel
from common.utils.errors import UserError
from common.utils.memory import add_up
from common.utils.settings import NOT_SEARCHED, SearchRange

if TYPE_CHECKING:
    from common.models.neural.sasrec.network import SASRecNetwork

SCORED_AT_ONCE = 512
"""Histories that go through the network together when scoring."""


@dataclass(frozen=True)
class SASRecSettings(TrainingSettings):
    """The defaults are the textbook's, with cross-entropy over the whole catalogue."""

    length: Annotated[int, SearchRange(20, 200, log=True, least=1, most=10_000, search=False)] = 50
    """Events of a history that the network sees: the last ones."""
    width: Annotated[int, SearchRange(32, 256, log=True, least=2, most=8192, search=False)] = 128
    """Length of the vectors of items and events; a multiple of the heads."""
    layers: Annotated[int, SearchRange(1, 4, least=1, most=64)] = 2
    """Blocks of self-attention."""
    heads: Annotated[int, SearchRange(1, 8, least=1, most=64, search=False)] = 4
    """Attention heads of a block."""
    inner: Annotated[int, SearchRange(1, 4, least=1, most=64, search=False)] = 1
    """Width of the two-layer network of a block, in units of the width; 1 in the paper, 4 in language models."""
    dropout: Annotated[float, SearchRange(0.1, 0.7, least=0.0, most=0.95)] = 0.2
    """Share of the values dropped after the embedding and in every block."""
    norm: Annotated[Literal["pre", "post"], NOT_SEARCHED] = "pre"
    """Layer norm before a block's parts, as in the paper, or after them."""
    tied: Annotated[bool, NOT_SEARCHED] = True
    """Whether items have the same vectors as predictions and in a history."""
    loss: Annotated[Literal["full", "sampled", "gbce"], NOT_SEARCHED] = "full"
    """full: softmax over the catalogue; sampled: softmax over negatives, log-q corrected; gbce: generalised BCE."""
    negatives: Annotated[int, SearchRange(64, 4096, log=True, least=1, most=1_000_000, search=False)] = 256
    """Negatives of a batch, for the sampled losses."""
    power: Annotated[float, SearchRange(0.0, 1.0, most=10.0, search=False)] = 0.5
    """Negatives of `sampled` are drawn by popularity to this power; 0 is uniform, which gbce always is."""
    calibration: Annotated[float, SearchRange(0.0, 1.0, most=1.0, search=False)] = 0.75
    """t of gbce."""
    order: Annotated[Literal["kept", "ties", "shuffled", "plays"], NOT_SEARCHED] = "kept"
    """Order of a history in training: kept as it is; ties: events of one time shuffled each epoch; shuffled: all of
    them; plays: most played last (in scoring, too)."""
    crop: Annotated[Literal["last", "windows"], NOT_SEARCHED] = "last"
    """What of a long history is trained on: its last events, or windows over all of it, cut elsewhere each epoch."""
    tags: Annotated[int, SearchRange(0, 256, most=4096, search=False)] = 0
    """Dimensions to which the tags of items are reduced as side features; 0 leaves them out."""
    audio: Annotated[bool, NOT_SEARCHED] = False
    """Whether the sound of items is a side feature."""

    def check(self) -> None:
        """Raise a UserError for settings that do not go together."""
        if self.width % self.heads:
            raise UserError(f"--sasrec.width {self.width}: give a multiple of --sasrec.heads {self.heads}")


class SASRec(Neural, HistoryRecommender):
    """The model of the module's head. It has nothing of its own for a user, so newcomers fold in as they are."""

    name = "sasrec"
    Settings = SASRecSettings
    reads_shards = True

    def set_state(self, train: TrainView) -> None:
        """Keep the histories, the popularity, and the side features of the items."""
        self.settings.check()
        self.keep(train)
        s = self.settings
        self.side = parallel.of_main(lambda: {"side": side_features(train, s.tags, s.audio)})["side"]

    def needed_memory(self, train: TrainView) -> tuple[float, str]:
        """Parameters, and what a step keeps of each event of a batch and of each cell of its padded windows."""
        s, lengths = self.settings, np.minimum(train.histories.lengths, self.settings.length)
        events, cells = s.batch * float(lengths.mean()), s.batch * float(lengths.max(initial=0))
        tables = (2 - s.tied) * train.n_items + s.length
        parameters = s.width * (tables + s.layers * s.width * (4 + 2 * s.inner))
        of_layers = s.layers * (events * (8 + 3 * s.inner) + 5 * cells)
        activations = s.width * (of_layers + 4 * events)
        parts = training_memory(self.device, train.n_items, parameters, activations, s.average)
        return add_up(
            {
                "lower --sasrec.width": parts["state"] + parts["scores"],
                "lower --sasrec.batch or --sasrec.length": parts["batch"],
            }
        )

    def as_numpy(self, weights: Weights) -> NumpySASRec:
        """What scores as the network does, without torch."""
        return NumpySASRec(weights, self.side, self.settings)

    def build(self) -> "SASRecNetwork":
        """A new network."""
        from common.models.neural.sasrec.network import SASRecNetwork

        power = self.settings.power if self.settings.loss == "sampled" else 0.0
        chances = self.popularity.astype(np.float64) ** power
        chances /= chances.sum()
        self.cumulated = np.cumsum(chances)
        return SASRecNetwork(self.settings, self.histories.n_items, self.side, chances.astype(np.float32))

    def batches(self, train: TrainView) -> SequenceBatches:
        """Windows of the histories, each event to predict the next."""
        if not (train.histories.lengths > 1).any():
            raise UserError("no history has two events, so there is no next item to learn from; use another model")
        return self.batches_of(train.histories)

    def batches_of(self, histories: Histories) -> SequenceBatches:
        """The same of any histories over this catalogue."""
        s = self.settings
        return SequenceBatches(shard(histories), s.length, s.order, s.crop, s.batch, self.seed, self._draw)

    def _draw(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        if self.settings.loss == "full":
            return {}
        drawn = np.searchsorted(self.cumulated, rng.random(self.settings.negatives))
        return {"negatives": np.minimum(drawn, len(self.cumulated) - 1)}

    def fold_in(self, histories: Histories | Sequence[Sequence[int]]) -> np.ndarray:
        """Scores of any histories; of a longer one than the model's the last events count, an empty one gets the
        popular list."""
        histories = reorder(as_histories(histories, self.histories.n_items), self.settings.order, None)
        scores = np.empty((len(histories), histories.n_items), np.float32)
        scores[:] = self.popular_scores
        known = np.flatnonzero(histories.lengths)
        with self.running(exact=True):
            table = self.network.table(output=True)
        for start in range(0, len(known), SCORED_AT_ONCE):
            rows = known[start : start + SCORED_AT_ONCE]
            with self.running():
                states = self._states(histories.take(rows))
            with self.running(exact=True):
                scores[rows] = self.array(states @ table.T)
        return scores

    def _states(self, histories: Histories) -> Any:
        """The vector that predicts what comes after each history, float32 (len(histories), width)."""
        starts, ends = last_windows(histories, self.settings.length)
        packed = pack(histories, starts, ends, self.settings.length)
        packed["last"] = np.cumsum(ends - starts) - 1
        packed |= {name: self.tensor(packed[name]) for name in ("items", "positions", "cells", "last")}
        states = self.network.encode(vectors=self.network.look_up(packed["items"]), **packed)
        return states if self.inference_only else states.float()

    def attention(self, history: Histories) -> tuple[np.ndarray, np.ndarray]:
        """What the last event of one history looks at: the items it sees, int (n,), and weights (layers, heads, n)."""
        history = reorder(history, self.settings.order, None)
        packed = pack(history, *last_windows(history, self.settings.length), self.settings.length)
        with self.running():
            layers = self.network.attention(self.tensor(packed["items"]), self.tensor(packed["positions"]))
            return packed["items"], np.stack([self.array(weights[:, -1]) for weights in layers])

    def similar(self, item: int, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Items whose vectors point the same way: cosine."""
        with self.running(exact=True):
            table = normalise(self.array(self.network.table()))
        return best(table @ table[item], k, leave_out=item)

    def arrays(self) -> dict[str, np.ndarray]:
        """The network, histories, popularity, side features."""
        return Neural.arrays(self) | HistoryRecommender.arrays(self) | {"side": self.side}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take back what `arrays` gave."""
        HistoryRecommender.restore(self, arrays)
        self.side = arrays["side"].reshape(len(self.popularity), -1)
        Neural.restore(self, arrays)


def side_features(train: TrainView, tags: int, audio: bool) -> np.ndarray:
    """What is known of the items, float32 (n_items, features), zeros where nothing is; each kind of mean length 1.

    Tags: unit vectors of tag counts, reduced by a truncated SVD (latent semantic analysis, Deerwester et al. 1990).
    """
    parts = [np.zeros((train.n_items, 0), np.float32)]
    if tags and (vectors := item_vectors(train, "tag")) is not None:
        parts.append(reduced(vectors, tags))
    if audio and (vectors := item_vectors(train, "audio")) is not None:
        parts.append(vectors.toarray())
    return np.concatenate([scaled(part) for part in parts], axis=1).astype(np.float32)


def reduced(vectors: Any, dimensions: int) -> np.ndarray:
    """Sparse rows in fewer dimensions, (rows, at most `dimensions`)."""
    from sklearn.decomposition import TruncatedSVD

    if min(vectors.shape) <= dimensions + 1:
        return vectors.toarray()
    return TruncatedSVD(dimensions, algorithm="arpack", random_state=0).fit_transform(vectors)


def scaled(rows: np.ndarray) -> np.ndarray:
    """Rows divided by their root mean square length."""
    return rows / max(1e-9, float(np.sqrt((rows**2).sum(axis=1).mean()))) if rows.size else rows
