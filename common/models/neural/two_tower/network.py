"""The two towers: an item's vector from its id and content, a user's from the history and what else is known."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from common.models.neural.cached_module import CachedModule
from common.models.neural.dropout import Dropout
from common.models.neural.losses import mixed_softmax
from common.splits.histories import Histories
from common.utils.arrays import slices

MEASURED_AT_ONCE = 8192
"""Histories whose items' features are in memory together."""


class ItemTower(nn.Module):
    """v_i = e_i + MLP(f_i): an embedding of the id and what a network makes of the content.

    In training some ids are dropped, so that content alone is enough. Items that no user has in the train view
    have no embedding: they are never a target, and nothing else could be learned of them.
    """

    def __init__(self, features: np.ndarray, heard: np.ndarray, width: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.ids = nn.Parameter(torch.empty(len(features), width))
        nn.init.normal_(self.ids, std=0.05)
        self.content = mlp(features.shape[1], hidden, width, dropout)
        self.features = nn.Buffer(torch.from_numpy(features), persistent=False)
        self.heard = nn.Buffer(torch.from_numpy(heard.astype(np.float32))[:, None], persistent=False)

    def forward(self, codes: Tensor, drop: float = 0.0) -> Tensor:
        """Vectors of items, (len(codes), width); each id is dropped with probability `drop`."""
        ids = functional.embedding(codes, self.ids) * self.heard[codes]
        if drop:
            ids = ids * (torch.rand(len(codes), 1, device=ids.device) >= drop)
        return ids + self.of_content(self.features[codes])

    def of_content(self, features: Tensor) -> Tensor:
        """What content (n, features) adds to vectors of items, which is all of an item that nobody has heard."""
        return self.content(features)


class UserTower(nn.Module):
    """u = A z + MLP(z, profile, activity, diversity, attributes), z the pooled vectors of the history.

    z = sum of w_j v_j / sqrt(sum of w_j^2) over the items j of the history, w_j = 2^(-events since / half life).
    profile: the mean of the items' features; activity: log of the number of items; diversity: log of how many items
    that have nothing in common would be as diverse, 1 / |mean of the unit features|^2; both standardised.
    """

    def __init__(self, width: int, n_features: int, attributes: np.ndarray, hidden: int, dropout: float) -> None:
        super().__init__()
        self.straight = nn.Linear(width, width, bias=False)
        nn.init.eye_(self.straight.weight)
        self.mixed = mlp(width + n_features + 2 + attributes.shape[1], hidden, width, dropout)
        self.attributes = nn.Buffer(torch.from_numpy(attributes), persistent=False)
        self.scale = nn.Buffer(torch.tensor([[0.0, 0.0], [1.0, 1.0]]))

    def forward(self, vectors: Tensor, features: Tensor, rows: Tensor, weights: Tensor, attributes: Any) -> Tensor:
        """Vectors of users, (b, width).

        vectors (events, width), features (events, n_features), weights (events,): what is in the histories; rows
        (events,): whose it is; attributes (b, columns): what is known besides, 0 where nothing is.
        """
        size = pooled(weights[:, None] ** 2, rows, len(attributes)).clamp(min=1e-9).sqrt()
        gathered = pooled(vectors * weights[:, None], rows, len(attributes)) / size
        profile, measures = self.about(features, rows, len(attributes))
        measures = (measures - self.scale[0]) / self.scale[1]
        return self.straight(gathered) + self.mixed(torch.cat([gathered, profile, measures, attributes], 1))

    def about(self, features: Tensor, rows: Tensor, n_rows: int) -> tuple[Tensor, Tensor]:
        """Profiles of histories (n_rows, n_features), and their log activity and diversity (n_rows, 2)."""
        n = torch.bincount(rows, minlength=n_rows).to(features.dtype)[:, None]
        profile = pooled(features, rows, n_rows) / n.clamp(min=1)
        unit = pooled(functional.normalize(features, dim=1), rows, n_rows) / n.clamp(min=1)
        shared = (unit**2).sum(1, keepdim=True)
        diversity = torch.where(shared > 1e-6, -shared.clamp(min=1e-6).log(), torch.zeros_like(shared))
        return profile, torch.cat([n.log1p(), diversity], 1)

    def standardise(self, items: np.ndarray, histories: Histories, users: np.ndarray) -> None:
        """Take mean and spread (at least 1) of the activity and diversity of some users' histories, int (users,).

        items: (n_items, features).
        """
        parts = []
        for part in slices(len(users), MEASURED_AT_ONCE):
            some = histories.take(users[part])
            features, rows = torch.from_numpy(items[some.items]), torch.from_numpy(some.rows)
            parts.append(self.about(features, rows, len(some))[1])
        measures = torch.cat(parts)
        spread = measures.std(0, correction=0).clamp(min=1.0)
        self.scale.copy_(torch.stack([measures.mean(0), spread]))


class Towers(CachedModule):
    """Both towers and their loss. Arguments named as `common.models.neural.two_tower.batches` names them."""

    def __init__(self, items: np.ndarray, heard: np.ndarray, attributes: np.ndarray, settings: Any) -> None:
        super().__init__()
        s, self.settings = settings, settings
        self.items = ItemTower(items, heard, s.width, s.hidden, s.dropout)
        self.users = UserTower(s.width, items.shape[1], attributes, s.hidden, s.dropout)

    def forward(self, items: Tensor, shown: Tensor, pool: Tensor, **batch: Any) -> Tensor:
        """The summed loss of a batch."""
        s = self.settings
        vectors = self.items(items, s.id_dropout if self.training else 0.0)
        users = self.of_histories(
            vectors[shown], items[shown], batch["shown_rows"], batch["ages"], self.attributes(batch["users"])
        )
        own = {name: batch[name] for name in ("rows", "places", "known_rows", "known_places", "log_share")}
        return mixed_softmax(users / s.temperature, self.scaled(vectors[pool]), **own)

    def of_histories(self, vectors: Tensor, items: Tensor, rows: Tensor, ages: Tensor, attributes: Tensor) -> Tensor:
        """Vectors of users from their histories' vectors, codes, rows and ages, ready for the dot product."""
        half_life = self.settings.half_life
        weights = torch.exp2(-ages / half_life) if half_life else torch.ones_like(ages)
        return self.scaled(self.users(vectors, self.items.features[items], rows, weights, attributes))

    def attributes(self, codes: Tensor) -> Tensor:
        """What is known of users besides their history; in training of some, at random, nothing."""
        known = self.users.attributes[codes]
        if self.training:
            known = known * (torch.rand(len(codes), 1, device=known.device) >= self.settings.person_dropout)
        return known

    def scaled(self, vectors: Tensor) -> Tensor:
        """Vectors of length 1 where the settings want cosines."""
        return functional.normalize(vectors, dim=1) if self.settings.normalise else vectors


def mlp(inputs: int, hidden: int, outputs: int, dropout: float) -> nn.Sequential:
    """One hidden layer of GELU units (Hendrycks & Gimpel 2016)."""
    return nn.Sequential(nn.Linear(inputs, hidden), nn.GELU(), Dropout(dropout), nn.Linear(hidden, outputs))


def pooled(values: Tensor, rows: Tensor, n_rows: int) -> Tensor:
    """Sums of values (events, width) by row, (n_rows, width)."""
    return values.new_zeros(n_rows, values.shape[1]).index_add(0, rows, values)
