"""New items through the item tower: features like those of the catalogue, and what the tower makes of these alone."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from common.features.new_item import NewItem
from common.models.inference.numpy_layers import normalise
from common.models.neural.two_tower.features import ItemFeatures
from common.models.new_items import PlacesNewItems
from common.splits.histories import Query
from common.splits.train_view import TrainView
from common.utils.errors import UserError

CLOSE = 1e-3
"""How far features that are made again may lie from those that a model was trained on."""


class PlacesByTower(PlacesNewItems):
    """A two-tower network that puts a new item where its content leads, as one of the catalogue without listeners."""

    settings: Any
    network: Any
    items: np.ndarray
    """The features that the network was trained on, float32 (n_items, features)."""
    _made: tuple[TrainView, ItemFeatures] | None = None

    @abstractmethod
    def item_vectors(self) -> np.ndarray:
        """What the items of the catalogue are found by, float32 (n_items, width)."""

    def content_kinds(self) -> tuple[str, ...]:
        """All that the features hold but popularity."""
        return tuple(part.kind for part in self._features().parts if part.kind != "popularity")

    def new_vectors(self, items: Sequence[NewItem]) -> np.ndarray:
        """What new items are found by, float32 (len(items), width)."""
        tower: Any = self
        features = self._features().of_new(items)
        with tower.running(exact=True):
            made = self.network.items.of_content(tower.tensor(features))
            return tower.array(self.network.scaled(made))

    def similarity_to_new(self, items: Sequence[NewItem]) -> np.ndarray:
        """Cosines of the vectors."""
        return (normalise(self.new_vectors(items)) @ normalise(self.item_vectors()).T).astype(np.float64)

    def scores_of_new(self, query: Query, items: Sequence[NewItem]) -> np.ndarray:
        """Products with the users' vectors."""
        return self.query_vectors(query) @ self.new_vectors(items).T

    def query_vectors(self, query: Query) -> np.ndarray:
        """The vectors of known users by code and of the others by their history, float32 (len(query), width)."""
        tower: Any = self
        vectors, known = tower.vectors(query.given), query.users >= 0
        if known.any():
            vectors[known] = tower.user_vectors(query.users[known])
        return vectors

    def _features(self) -> ItemFeatures:
        """The features, made again from the train view once.

        Raises a UserError where that is not the one that the model was fitted on.
        """
        train = self._view()  # type: ignore[attr-defined]
        if self._made is None or self._made[0] is not train:
            made = ItemFeatures(train, self.settings.tags, self.settings.names)
            if made.matrix.shape != self.items.shape or not np.allclose(made.matrix, self.items, atol=CLOSE):
                raise UserError("two_tower was fitted on another train view; load it with its own")
            self._made = train, made
        return self._made[1]
