"""From ids and names to the codes that models compute with, and from top lists of codes back to tables."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd

from common.splits.histories import Histories, Query
from common.splits.train_view import TrainView
from common.utils.errors import UserError


def checked_count(k: Any) -> int:
    """k itself; a UserError where it is no whole number of at least 1."""
    if isinstance(k, bool) or not isinstance(k, Integral) or k < 1:
        raise UserError(f"k = {k!r}: give a whole number of at least 1")
    return int(k)


def to_query(
    train: TrainView, users: Sequence[str] | str | None, histories: Histories | Sequence[Sequence[str]] | None
) -> tuple[np.ndarray, Query]:
    """Ids, object (n,), and codes and histories: of known users (None: all), or of new ones, numbered from 0.

    Histories are lists of item ids or names, every weight 1, or `Histories`. Raises a UserError for an unknown id or
    name, for users and histories together, and for one history in place of a list of them.
    """
    if users is not None and histories is not None:
        raise UserError("recommend takes users or histories, not both; call it once for each")
    if histories is None:
        known = train.users["user_id"].to_numpy(object)
        chosen = known if users is None else [users] if isinstance(users, str) else users
        codes = np.array([train.user_code(user) for user in chosen], np.int64)
        return known[codes], Query(codes, train.histories.take(codes))
    if isinstance(histories, str) or any(isinstance(history, str) for history in histories):
        raise UserError("histories: give a list of histories, each a list of item ids or names")
    if not isinstance(histories, Histories):
        codes_of = [[train.item_code(item) for item in history] for history in histories]
        histories = Histories.from_lists(codes_of, train.n_items)
    ids = np.array([str(row) for row in range(len(histories))], object)
    return ids, Query(np.full(len(histories), -1), histories)


def item_table(train: TrainView, ids: np.ndarray, items: np.ndarray, scores: np.ndarray) -> pd.DataFrame:
    """Top lists, codes and scores (rows, k), -1 where one ends, as a table: user_id, rank, item_id, [name], score."""
    rows, places = np.nonzero(items >= 0)
    codes = items[rows, places]
    columns = {"user_id": ids[rows], "rank": (places + 1).astype(np.int32)}
    columns["item_id"] = train.items["item_id"].to_numpy(object)[codes]
    if "name" in train.items:
        columns["name"] = train.names.to_numpy(object)[codes]
    return pd.DataFrame(columns | {"score": scores[rows, places].astype(np.float32)})
