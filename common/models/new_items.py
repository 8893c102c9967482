"""Items that nobody has heard: where a model that goes by content puts them among the items of its catalogue."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from common.features.new_item import NewItem, described
from common.models.base import Recommender, best
from common.models.external_ids import NamedHistories, item_table, to_query
from common.splits.histories import Query
from common.splits.train_view import TrainView
from common.utils.errors import UserError, whole_number

PLACING = ("two_tower", "content_knn", "tag_knn")
"""The models that can place new items, as messages name them."""


class PlacesNewItems(ABC):
    """A model that places an item by its content alone, as if it stood in the catalogue without listeners."""

    train_view: TrainView | None

    @abstractmethod
    def content_kinds(self) -> tuple[str, ...]:
        """The kinds of content that the model goes by, as `NewItem.known` names them; none where the data have none."""

    @abstractmethod
    def similarity_to_new(self, items: Sequence[NewItem]) -> np.ndarray:
        """Similarity of the catalogue's items to new ones, as `similar` has it, float64 (new items, n_items)."""

    @abstractmethod
    def scores_of_new(self, query: Query, items: Sequence[NewItem]) -> np.ndarray:
        """Scores of new items, comparable with those of the catalogue, float32 (len(query), new items)."""


@dataclass(frozen=True)
class Placement:
    """Where a new item stands.

    similar: rank, item_id, [name], score of the items of the catalogue that are most like it. users: for each user
    or history asked for user_id, score, and rank int64, which it would have in their list of all items that are new to
    them, of how many, itself included; an empty table where none was asked for.
    """

    similar: pd.DataFrame
    users: pd.DataFrame


def new_item(
    model: Recommender,
    *,
    name: str | None = None,
    tags: Any = (),
    genres: Any = (),
    audio: Any = None,
    release_year: Any = None,
    users: Sequence[str] | None = None,
    histories: NamedHistories | None = None,
    k: int = 10,
) -> Placement:
    """Place an item that nobody has heard by what is known of it.

    tags: a list, or a mapping to how many people gave each; genres: a list; audio: a mapping from the names of the
    data's audio features, or their values in order. users (ids) or histories as for `Recommender.recommend`: for whom
    it is scored. k: how many similar items.

    Raises a UserError for a model that does not go by content, for a tag or genre that the catalogue does not have,
    for numbers that are not finite or not as many as the data's, and where nothing is known that the model goes by.
    """
    k, placing = whole_number("k", k), placing_model(model)
    train = _view(model)
    item = described(train, name, tags, genres, audio, release_year)
    check_content(placing, model.name, item)
    codes, similarity = best(placing.similarity_to_new([item])[0], k, leave_out=-1)
    similar = item_table(train, np.array([""]), codes[None], similarity[None]).drop(columns="user_id")
    ids, query = _asked(train, users, histories)
    return Placement(similar, _places(model, placing, ids, query, item))


def placing_model(model: Any) -> PlacesNewItems:
    """The model itself; a UserError for one that cannot place new items."""
    if not isinstance(model, Recommender):
        raise UserError(f"model: {type(model).__name__} is none; give a fitted {', '.join(PLACING)}")
    if not isinstance(model, PlacesNewItems):
        raise UserError(
            f"{model.name} cannot place an item that nobody has heard: it does not go by content alone;"
            f" use {', '.join(PLACING[:-1])} or {PLACING[-1]}"
        )
    return model


def check_content(model: PlacesNewItems, name: str, item: NewItem) -> None:
    """Raise a UserError where nothing is known of an item that the model goes by."""
    kinds = model.content_kinds()
    if not kinds:
        raise UserError(f"{name} was fitted without item features, so it cannot place a new item; use data with tags")
    if not set(kinds) & set(item.known):
        raise UserError(f"nothing is known of the new item that {name} goes by; give {' or '.join(kinds)}")


def _view(model: Recommender) -> TrainView:
    if model.train_view is None:
        raise UserError(f"{model.name} knows no content yet: call fit, or give the train view to load")
    return model.train_view


def _asked(train: TrainView, users: Sequence[str] | None, histories: NamedHistories | None) -> tuple[np.ndarray, Query]:
    if users is None and histories is None:
        return to_query(train, [], None)
    return to_query(train, users, histories)


def _places(model: Recommender, placing: PlacesNewItems, ids: np.ndarray, query: Query, item: NewItem) -> pd.DataFrame:
    """The table of `Placement.users`, one row per row of a query; a new item stands behind those of equal score."""
    scores, ranks, of = np.zeros(len(query), np.float32), *np.zeros((2, len(query)), np.int64)
    if len(query):
        scores = placing.scores_of_new(query, [item])[:, 0]
        others = model.scores_of(query)
        others[query.given.rows, query.given.items] = -np.inf
        ranks, of = 1 + (others >= scores[:, None]).sum(axis=1), 1 + np.isfinite(others).sum(axis=1)
    return pd.DataFrame({"user_id": ids, "score": scores, "rank": ranks, "of": of})
