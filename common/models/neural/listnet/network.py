"""The hybrid network: what is known of a pair, of its item and of its user meet in a residual MLP with two heads.

    h = W_p [numeric block, binary block] + W_i item + W_u user + W_x (e_u * e_i)
    h = h + Linear(Dropout(ReLU(LayerNorm(h))))                                     per layer (He et al. 2016)
    ranking score = w_r . h,   log plays = the mean of user and item + w_p . h

An item is the embeddings of its id, artist, genres and release year, its numeric and binary features, and what fully
connected blocks make of its sound, its words and its tags; a user the embeddings of id, gender, age group and
country, and numbers. Whatever the data lack is not built.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from common.models.neural.cached_module import CachedModule
from common.models.neural.dropout import Dropout
from common.models.neural.listnet.inputs import FAR, Side
from common.models.neural.listnet.loss import EnhancedListNetLoss, squared_errors


class Norm(nn.Module):
    """Batch normalisation (Ioffe & Szegedy 2015) that takes its running figures where a batch of one has no spread."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))
        self.mean, self.variance = nn.Buffer(torch.zeros(width)), nn.Buffer(torch.ones(width))

    def forward(self, rows: Tensor) -> Tensor:
        """Rows (n, width), normalised."""
        learn = self.training and len(rows) > 1
        return functional.batch_norm(rows, self.mean, self.variance, self.weight, self.bias, learn)


def block(inputs: int, outputs: int) -> nn.Sequential:
    """Linear, BatchNorm, ReLU."""
    return nn.Sequential(nn.Linear(inputs, outputs, bias=False), Norm(outputs), nn.ReLU())


def embedding(n: int, width: int) -> nn.Embedding:
    """A table of n codes, of which 0, unknown, stays 0."""
    table = nn.Embedding(n, width, padding_idx=0)
    nn.init.normal_(table.weight, std=0.05)
    with torch.no_grad():
        table.weight[0].zero_()
    return table


class SideNetwork(nn.Module):
    """What is known of an item or of a user as one vector, `outputs` long."""

    def __init__(self, side: Side, width: int, dropout: float, drop_ids: float) -> None:
        super().__init__()
        self.dropout, self.drop_ids = Dropout(dropout), drop_ids
        n_codes = {"id": int(side.ids.max(initial=0)) + 1, **side.sizes} if side.with_ids else dict(side.sizes)
        self.tables = nn.ModuleDict({name: embedding(n, width) for name, n in n_codes.items()})
        self.n_rows = len(side.ids)
        self.blocks = nn.ModuleDict({name: block(rows.shape[1], width) for name, rows in side.blocks.items()})
        self.outputs = width * (len(self.tables) + len(self.blocks))
        for name, codes in {"id": side.ids, **side.categories}.items():
            self.register_buffer(f"codes_{name}", torch.from_numpy(codes.astype(np.int64)), persistent=False)
        for name, rows in side.blocks.items():
            self.register_buffer(f"rows_{name}", torch.from_numpy(rows), persistent=False)

    def forward(self, places: Tensor) -> tuple[Tensor, Tensor | None]:
        """Vectors (n, outputs) of rows of the side, and the embeddings of their ids (n, width), if there are any."""
        own, parts = None, []
        for name, table in self.tables.items():
            codes = getattr(self, f"codes_{name}")[places]
            if name == "id" and self.training and self.drop_ids:
                codes = codes * (torch.rand(len(codes), device=codes.device) >= self.drop_ids)
            parts.append(table(codes))
            own = parts[-1] if name == "id" else own
        parts += [made(getattr(self, f"rows_{name}")[places]) for name, made in self.blocks.items()]
        return self.dropout(torch.cat(parts, 1)), own


class Layer(nn.Module):
    """h + Linear(Dropout(ReLU(LayerNorm(h)))), the shortcut a projection where the width changes, or none at all.

    Behind dropout the running figures of batch normalisation are those of another spread than the network has once
    nothing is dropped (Li et al. 2019); a layer's own figures are not.
    """

    def __init__(self, inputs: int, outputs: int, dropout: float, residual: bool) -> None:
        super().__init__()
        self.made = nn.Sequential(nn.LayerNorm(inputs), nn.ReLU(), Dropout(dropout), nn.Linear(inputs, outputs))
        self.residual = residual
        self.shortcut = nn.Identity() if inputs == outputs else nn.Linear(inputs, outputs, bias=False)

    def forward(self, rows: Tensor) -> Tensor:
        """Rows (n, inputs) to (n, outputs)."""
        return self.shortcut(rows) + self.made(rows) if self.residual else self.made(rows)


class HybridNetwork(CachedModule):
    """The network and its loss. Arguments named as `common.models.neural.listnet.batches` names them."""

    def __init__(
        self, scale: np.ndarray, items: Side, users: Side, spaces: Sequence[np.ndarray], settings: Any
    ) -> None:
        """scale: float32 (3, columns), mean, spread and whether it may be unknown, of each feature of a pair;
        spaces: unit vectors of items, float32 (n_items, width) each, by which intra-list similarity is measured."""
        super().__init__()
        s, self.settings = settings, settings
        first, gaps = s.hidden[0], int(scale[2].sum())
        self.scale = nn.Buffer(torch.from_numpy(scale), persistent=False)
        self.gaps = nn.Buffer(torch.from_numpy(np.flatnonzero(scale[2])), persistent=False)
        for place, vectors in enumerate(spaces):
            self.register_buffer(f"space_{place}", torch.from_numpy(vectors), persistent=False)
        self.n_spaces = len(spaces)
        self.numeric = block(scale.shape[1], first)
        self.binary = block(gaps, s.width) if gaps else None
        self.of_pair = nn.Linear(first + (s.width if gaps else 0), first)
        self.items, self.users = (SideNetwork(side, s.width, s.side_dropout, s.id_dropout) for side in (items, users))
        self.of_item, self.of_user = (
            nn.Linear(side.outputs, first, bias=False) if side.outputs else None for side in (self.items, self.users)
        )
        both = "id" in self.items.tables and "id" in self.users.tables
        self.of_both = nn.Linear(s.width, first, bias=False) if both else None
        widths = pairwise([first, *s.hidden])
        self.layers = nn.Sequential(*(Layer(inputs, outputs, s.dropout, s.residual) for inputs, outputs in widths))
        self.ranks, self.plays = nn.Linear(s.hidden[-1], 1), nn.Linear(s.hidden[-1], 1)
        nn.init.zeros_(self.plays.weight)
        self.listnet = EnhancedListNetLoss(s.temperature, s.target_temperature, s.ils_weight, s.ils_temperature)

    def forward(self, features: Tensor, users: Tensor, items: Tensor, lists: Tensor, **batch: Any) -> Tensor:
        """The summed loss of a batch: ListNet's over the candidates, and the squared error of log plays."""
        s, ranked, n_lists = self.settings, batch["ranked"], batch["n_lists"]
        scores, plays = self.predict(features, users, items, batch["expected"])
        loss = scores.new_zeros((), dtype=torch.float32) + 0.0 * (scores.sum() + plays.sum()).float()
        if s.task != "plays":
            codes = items[ranked]
            spaces = [getattr(self, f"space_{n}")[codes] for n in range(self.n_spaces)] if s.ils_weight else []
            loss = loss + self.listnet(scores[ranked], batch["labels"], lists[ranked], n_lists, spaces)
        if s.task != "rank":
            weight = 1.0 if s.task == "plays" else s.plays_weight
            loss = loss + weight * squared_errors(plays, batch["plays"], lists, n_lists)
        return loss

    def predict(self, features: Tensor, users: Tensor, items: Tensor, expected: Tensor) -> tuple[Tensor, Tensor]:
        """Ranking scores and log plays of pairs, (n,) each. users: codes, -1 for an unknown one; expected: log plays
        by the means alone."""
        centred = (features - self.scale[0]) / self.scale[1]
        parts = [self.numeric(torch.nan_to_num(centred.clamp(-FAR, FAR)))]
        if self.binary is not None:
            parts.append(self.binary(torch.isnan(features[:, self.gaps]).float()))
        rows = self.of_pair(torch.cat(parts, 1))
        of_items, item_ids = self._of_all("items", items, self.items, self.of_item)
        of_users, user_ids = self._of_all("users", users + 1, self.users, self.of_user)
        rows = rows + of_items + of_users
        if self.of_both is not None:
            rows = rows + self.of_both(item_ids * user_ids)
        rows = functional.relu(self.layers(rows))
        return self.ranks(rows)[:, 0], self.plays(rows)[:, 0] + expected

    def _of_all(self, name: str, places: Tensor, side: SideNetwork, project: nn.Linear | None) -> tuple[Any, Any]:
        """What a side adds to pairs (0 where nothing is known), and its id embeddings: of the distinct ones of a
        batch in training, of all that there are, made once, afterwards."""
        if project is None:
            return 0, None
        if self.training:
            distinct, back = torch.unique(places, return_inverse=True)
            vectors, ids = side(distinct)
            return project(vectors)[back], None if ids is None else ids[back]
        if name not in self.made:
            vectors, ids = side(torch.arange(side.n_rows, device=places.device))
            self.made[name] = project(vectors), ids
        vectors, ids = self.made[name]
        return vectors[places], None if ids is None else ids[places]
