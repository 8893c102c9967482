"""Between what people type (ids and names) and what models compute with (codes)."""

import difflib
from collections.abc import Iterable, Sequence
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd

from common.splits.histories import Histories
from common.splits.train_view import TrainView, names_of
from common.utils.errors import UserError


def checked_count(k: Any) -> int:
    """k itself; a UserError where it is no whole number of at least 1."""
    if isinstance(k, bool) or not isinstance(k, Integral) or k < 1:
        raise UserError(f"k = {k!r}: give a whole number of at least 1")
    return int(k)


def user_codes(train: TrainView, users: Sequence[str] | str | None) -> np.ndarray:
    """Codes of users by id, int64 (n,), all of them by default; a UserError for an id that the train view lacks."""
    known = pd.Index(train.users["user_id"])
    if users is None:
        return np.arange(len(known))
    ids = [users] if isinstance(users, str) else [str(user) for user in users]
    codes = known.get_indexer(pd.Index(ids, dtype=object))
    if (codes < 0).any():
        raise _unknown("user", ids[int(np.argmax(codes < 0))], known)
    return codes.astype(np.int64)


def item_code(train: TrainView, item: str) -> int:
    """The code of an item by its id, else by its name in any case; of several of one name the most popular.

    Raises a UserError for an item that is neither, with the nearest names.
    """
    ids, names, key = train.items["item_id"], names_of(train), str(item)
    found = np.flatnonzero(ids == key)
    if not len(found):
        found = np.flatnonzero(names.str.casefold() == key.casefold())
    if not len(found):
        raise _unknown("item", key, [*names.unique(), *ids])
    return int(found[np.argmax(train.counts[found])])


def to_histories(train: TrainView, histories: Histories | Sequence[Sequence[str]]) -> Histories:
    """Histories from lists of item ids or names, every weight 1; those at hand as they are."""
    if isinstance(histories, Histories):
        return histories
    if isinstance(histories, str) or any(isinstance(history, str) for history in histories):
        raise UserError("histories: give a list of histories, each a list of item ids or names")
    codes = [[item_code(train, item) for item in history] for history in histories]
    return Histories.from_lists(codes, train.n_items)


def item_table(train: TrainView, ids: np.ndarray, items: np.ndarray, scores: np.ndarray) -> pd.DataFrame:
    """Top lists, codes and scores (rows, k), -1 where one ends, as a table: user_id, rank, item_id, [name], score."""
    rows, places = np.nonzero(items >= 0)
    codes = items[rows, places]
    columns = {"user_id": ids[rows], "rank": (places + 1).astype(np.int32)}
    columns["item_id"] = train.items["item_id"].to_numpy(object)[codes]
    if "name" in train.items:
        columns["name"] = names_of(train).to_numpy(object)[codes]
    return pd.DataFrame(columns | {"score": scores[rows, places].astype(np.float32)})


def _unknown(kind: str, name: str, known: Iterable[str]) -> UserError:
    near = difflib.get_close_matches(name, list(map(str, known)), n=3)
    hint = f"did you mean {' or '.join(map(repr, dict.fromkeys(near)))}?" if near else "check the spelling"
    return UserError(f"unknown {kind} {name!r}; {hint}")
