"""The network of SASRec: self-attention over a history, each event seeing only those before it.

Events come without padding, (tokens, width). Only the attention itself lays them out as (windows, longest window):
each window at the left, so that under a causal mask no event can see the empty cells behind it.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from common.models.neural.dropout import ByteDropout


class Block(nn.Module):
    """Self-attention, then a two-layer network per event; each with dropout, a residual and a layer norm.

    Kang & McAuley 2018, equations 3 to 7, normalise before (`pre`); Vaswani et al. 2017 after the residual (`post`).
    Attention weights themselves are not dropped, which keeps `scaled_dot_product_attention` on its fast path.
    """

    def __init__(self, width: int, heads: int, inner: int, dropout: float, norm: str) -> None:
        super().__init__()
        self.heads, self.before = heads, norm == "pre"
        self.attention_norm, self.inner_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.project, self.join = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.widen, self.narrow = nn.Linear(width, inner), nn.Linear(inner, width)
        self.dropout = ByteDropout(dropout)

    def forward(self, events: Tensor, cells: Tensor, windows: int, width: int, last: Tensor | None = None) -> Tensor:
        """Events (tokens, width of the model) after this block; `cells` are their places in (windows, width).

        last: places among the events, int64 (windows,), of each window's last one; only these come out then.
        """
        own = events if last is None else events[last]
        if not self.before:
            own = self.attention_norm(own + self._attend(events, cells, windows, width, last))
            return self.inner_norm(own + self._think(own))
        own = own + self._attend(self.attention_norm(events), cells, windows, width, last)
        return own + self._think(self.inner_norm(own))

    def _attend(self, events: Tensor, cells: Tensor, windows: int, width: int, last: Tensor | None) -> Tensor:
        queries, keys, values = self._heads(events, cells, windows, width)
        if last is None:
            mixed = functional.scaled_dot_product_attention(queries, keys, values, is_causal=True)
            mixed = mixed.transpose(1, 2).reshape(windows * width, events.shape[1])[cells]
        else:
            ends = cells[last] % width
            queries = queries[torch.arange(windows, device=cells.device), :, ends][:, :, None]
            seen = torch.arange(width, device=cells.device) <= ends[:, None]
            mixed = functional.scaled_dot_product_attention(queries, keys, values, seen[:, None, None])
            mixed = mixed.reshape(windows, events.shape[1])
        return self.dropout(self.join(mixed))

    def _heads(self, events: Tensor, cells: Tensor, windows: int, width: int) -> tuple[Tensor, ...]:
        """Queries, keys and values, each (windows, heads, width, width of a head)."""
        projected = self.project(events)
        laid_out = projected.new_zeros(windows * width, projected.shape[1]).index_copy(0, cells, projected)
        of_head = events.shape[1] // self.heads
        parts = laid_out.view(windows, width, 3, self.heads, of_head).permute(2, 0, 3, 1, 4)
        return parts[0], parts[1], parts[2]

    def _think(self, events: Tensor) -> Tensor:
        return self.dropout(self.narrow(self.dropout(functional.relu(self.widen(events)))))

    def weights(self, events: Tensor) -> Tensor:
        """Attention weights of one window of events, (heads, tokens, tokens): row t is what event t looks at."""
        n = len(events)
        cells = torch.arange(n, device=events.device)
        normed = self.attention_norm(events) if self.before else events
        queries, keys, _ = self._heads(normed, cells, 1, n)
        scores = (queries @ keys.transpose(-1, -2))[0] / math.sqrt(queries.shape[-1])
        future = torch.ones(n, n, dtype=torch.bool, device=events.device).triu(1)
        return scores.masked_fill(future, -torch.inf).softmax(-1)


class Encoder(nn.Module):
    """Positions and blocks: from the vectors of a history's items to a vector per event that predicts the next."""

    def __init__(self, width: int, layers: int, heads: int, inner: int, length: int, dropout: float, norm: str) -> None:
        super().__init__()
        self.positions = nn.Parameter(torch.empty(length, width))
        self.blocks = nn.ModuleList([Block(width, heads, inner, dropout, norm) for _ in range(layers)])
        self.norm = nn.LayerNorm(width) if norm == "pre" else nn.Identity()
        self.dropout = ByteDropout(dropout)
        nn.init.normal_(self.positions, std=0.02)

    def start(self, vectors: Tensor, positions: Tensor) -> Tensor:
        """Item vectors (tokens, width), scaled by sqrt(width) as in the paper, plus those of their positions."""
        return self.dropout(vectors * math.sqrt(vectors.shape[1]) + functional.embedding(positions, self.positions))

    def forward(
        self, vectors: Tensor, positions: Tensor, cells: Tensor, windows: int, width: int, last: Tensor | None = None
    ) -> Tensor:
        """A vector per event, (tokens, width of the model), or per window, that of its last event; see `Block`."""
        events = self.start(vectors, positions)
        *others, final = self.blocks
        for block in others:
            events = block(events, cells, windows, width)
        return self.norm(final(events, cells, windows, width, last))

    def attention(self, vectors: Tensor, positions: Tensor) -> list[Tensor]:
        """Attention weights of each block for one window, (heads, tokens, tokens) each."""
        events, found = self.start(vectors, positions), []
        cells = torch.arange(len(events), device=events.device)
        for block in self.blocks:
            assert isinstance(block, Block)
            found.append(block.weights(events))
            events = block(events, cells, 1, len(events))
        return found
