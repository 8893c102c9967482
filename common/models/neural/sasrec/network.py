"""The network of SASRec with its item vectors and its losses; the encoder stands in `transformer.py`."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from common.models.neural import losses
from common.models.neural.sasrec.transformer import Encoder


class SASRecNetwork(nn.Module):
    """Item vectors, encoder, loss. Arguments named as `common.models.neural.sasrec.batches.pack` names them."""

    def __init__(self, settings: Any, n_items: int, side: np.ndarray, chances: np.ndarray) -> None:
        super().__init__()
        s, self.settings = settings, settings
        self.items = nn.Parameter(torch.empty(n_items, s.width))
        self.others = None if s.tied else nn.Parameter(torch.empty(n_items, s.width))
        self.from_side = nn.Linear(side.shape[1], s.width, bias=False) if side.shape[1] else None
        self.encoder = Encoder(s.width, s.layers, s.heads, s.inner * s.width, s.length, s.dropout, s.norm)
        for weights in (self.items, self.others, None if self.from_side is None else self.from_side.weight):
            if weights is not None:
                nn.init.normal_(weights, std=0.02)
        self.side = nn.Buffer(torch.from_numpy(side), persistent=False)
        self.chances = nn.Buffer(torch.from_numpy(chances), persistent=False)

    def table(self, output: bool = False) -> Tensor:
        """Vectors of all items (n_items, width): those of the input, or those they are scored by."""
        own = self.others if output and self.others is not None else self.items
        return own if self.from_side is None else own + self.from_side(self.side)

    def look_up(self, codes: Tensor, output: bool = False) -> Tensor:
        """Vectors of some items, (len(codes), width), without making those of all."""
        own = self.others if output and self.others is not None else self.items
        vectors = functional.embedding(codes, own)
        return vectors if self.from_side is None else vectors + self.from_side(functional.embedding(codes, self.side))

    def forward(self, targets: Tensor, negatives: Tensor | None = None, **packed: Any) -> Tensor:
        """The summed loss of a batch; `packed` is what `encode` takes."""
        if negatives is None:
            table = self.table()
            hidden = self.encode(**packed, vectors=functional.embedding(packed["items"], table))
            return losses.full_softmax(hidden, table if self.settings.tied else self.table(output=True), targets)
        hidden = self.encode(**packed, vectors=self.look_up(packed["items"]))
        own, others = self.look_up(targets, output=True), self.look_up(negatives, output=True)
        if self.settings.loss == "sampled":
            expected = losses.log_draws(negatives, self.chances)
            return losses.sampled_softmax(hidden, own, others, targets, negatives, expected)
        n_items, calibration = len(self.items), self.settings.calibration
        return losses.generalised_bce(hidden, own, others, targets, negatives, n_items, calibration)

    def encode(self, vectors: Tensor, positions: Tensor, cells: Tensor, **shape: Any) -> Tensor:
        """A vector per event, (tokens, width); with `last`, places of each window's last event, of these alone."""
        return self.encoder(vectors, positions, cells, shape["windows"], shape["width"], shape.get("last"))

    def attention(self, codes: Tensor, positions: Tensor) -> list[Tensor]:
        """Attention weights of each block for one window, (heads, tokens, tokens) each."""
        return self.encoder.attention(self.look_up(codes), positions)
