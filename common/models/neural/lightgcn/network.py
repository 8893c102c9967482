"""LightGCN's network: embeddings that spread along the graph of users and items, and nothing else."""

from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn
from torch.nn import functional

from common.models.inference.numpy_networks import Spread
from common.models.neural.cached_module import CachedModule


class LightGCNNetwork(CachedModule):
    """E^(k+1) = A E^k along the normalised graph A, and the mean over the layers k = 0..K. Its loss is BPR's."""

    def __init__(self, edges: sparse.csr_array, width: int, layers: int, l2: float) -> None:
        super().__init__()
        self.layers, self.l2, self.shape = layers, l2, edges.shape
        self.users, self.items = (nn.Parameter(torch.empty(n, width)) for n in edges.shape)
        for weights in (self.users, self.items):
            nn.init.normal_(weights, std=0.1)
        turned = sparse.csr_array(edges.T.tocsr())
        self.forth_edges, self.forth_values = _buffers(edges)
        self.back_edges, self.back_values = _buffers(turned)

    def spread(self) -> Spread:
        """All embeddings after the last layer."""
        n_users, n_items = self.shape
        forth = _matrix(self.forth_edges, self.forth_values, (n_users, n_items))
        back = _matrix(self.back_edges, self.back_values, (n_items, n_users))
        users, items = self.users.float(), self.items.float()
        of_users, of_items, shown = users, items, torch.zeros_like(items)
        for _ in range(self.layers):
            shown = shown + items
            users, items = _Product.apply(items, forth, back), _Product.apply(users, back, forth)
            of_users, of_items = of_users + users, of_items + items
        n = self.layers + 1
        return Spread(of_users / n, of_items / n, shown / n)

    def forward(self, users: Tensor, positives: Tensor, negatives: Tensor) -> Tensor:
        """The summed loss: -log sigmoid(e_u . e_i - e_u . e_j), plus half of l2 times the squares of the embeddings."""
        found = self.spread()
        of_users = found.users[users]
        better = (of_users * (found.items[positives] - found.items[negatives])).sum(1)
        start = (self.users[users], self.items[positives], self.items[negatives])
        squares = sum(part.float().square().sum() for part in start)
        return functional.softplus(-better).sum() + 0.5 * self.l2 * squares


class _Product(torch.autograd.Function):
    """A sparse matrix times embeddings, in float32; its gradient is the transposed matrix times that of the product."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, matrix: Tensor, turned: Tensor) -> Tensor:
        """The product."""
        ctx.turned = turned
        with torch.autocast(values.device.type, enabled=False):
            return torch.sparse.mm(matrix, values)

    @staticmethod
    def backward(ctx: Any, *above: Tensor) -> tuple[Tensor | None, ...]:
        """The gradient of the embeddings."""
        with torch.autocast(above[0].device.type, enabled=False):
            return torch.sparse.mm(ctx.turned, above[0].contiguous()), None, None


def _matrix(edges: Tensor, values: Tensor, shape: tuple[int, int]) -> Tensor:
    return torch.sparse_coo_tensor(edges, values, shape, is_coalesced=True, check_invariants=False)


def _buffers(matrix: sparse.csr_array) -> tuple[nn.Buffer, nn.Buffer]:
    """Row and column of each entry, int64 (2, entries), and the entries, float32; they are not saved."""
    coordinates = np.stack([np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr)), matrix.indices])
    edges, values = torch.from_numpy(coordinates.astype(np.int64)), torch.from_numpy(matrix.data.astype(np.float32))
    return nn.Buffer(edges, persistent=False), nn.Buffer(values, persistent=False)
