"""Ids as numbers: what makes millions of string ids fast to sort and to compare."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd

from common.utils.errors import UserError, short

PAIR = ["user_id", "item_id"]


def id_text(kind: str, value: Any) -> str:
    """An id or name as text: of a text itself, and of a whole number of Python or NumPy; a UserError for the rest.

    >>> id_text("item", "a b"), id_text("item", np.int64(17))
    ('a b', '17')
    """
    if isinstance(value, str):
        return str(value)
    if not isinstance(value, Integral) or isinstance(value, bool) or abs(int(value)) >= 2**64:
        raise UserError(f"{kind} {short(value)}: give an id or a name as text, or an id as a whole number")
    return str(int(value))


def sorted_ids(ids: pd.Series) -> np.ndarray:
    """The distinct ids of a column, sorted, as an object array.

    >>> sorted_ids(pd.Series(["b", "a", "b"]))
    array(['a', 'b'], dtype=object)
    """
    return np.sort(np.asarray(ids.unique(), dtype=object))


def codes_of(ids: pd.Series, index: pd.Index) -> np.ndarray:
    """Codes of a column of ids, int64, -1 for an unknown one; each distinct id is looked up once.

    >>> codes_of(pd.Series(["b", "x", "a"]), pd.Index(["a", "b"]))
    array([ 1, -1,  0])
    """
    values = ids.astype("category")
    codes = values.cat.codes.to_numpy()
    if not len(values.cat.categories):
        return np.full(len(codes), -1, np.int64)
    return np.where(codes >= 0, index.get_indexer(pd.Index(values.cat.categories))[codes], -1)


def stack(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Tables one below the other, row labels kept; id columns that are categoricals in all of them stay so.

    >>> parts = [pd.DataFrame({"user_id": pd.Categorical([user])}) for user in "ba"]
    >>> stack(parts)["user_id"].cat.categories.tolist()
    ['a', 'b']
    """
    frames = [frame.copy(deep=False) for frame in frames]
    for column in PAIR:
        if all(column in frame and isinstance(frame[column].dtype, pd.CategoricalDtype) for frame in frames):
            named = [frame[column].cat.categories.to_numpy(object) for frame in frames]
            everyone = pd.Index(np.unique(np.concatenate(named)))
            for frame in frames:
                frame[column] = frame[column].cat.set_categories(everyone)
    return pd.concat(frames)


def pair_keys(rows: pd.DataFrame) -> np.ndarray:
    """One number per (user, item) pair, int64, for tables whose ids are categoricals of the same categories."""
    users, items = (rows[column].cat for column in PAIR)
    return users.codes.to_numpy(np.int64) * len(items.categories) + items.codes.to_numpy(np.int64)


def among_pairs(rows: pd.DataFrame, pairs: pd.DataFrame) -> np.ndarray:
    """Which rows' (user_id, item_id) stands in `pairs`, bool (rows,).

    >>> table = pd.DataFrame({"user_id": ["u", "u"], "item_id": ["a", "b"]})
    >>> among_pairs(table, table.iloc[1:])
    array([False,  True])
    """
    users, items = (pd.Index(sorted_ids(pairs[column])) for column in PAIR)

    def keys(frame: pd.DataFrame) -> np.ndarray:
        user, item = codes_of(frame["user_id"], users), codes_of(frame["item_id"], items)
        return np.where((user >= 0) & (item >= 0), user * len(items) + item, -1)

    return np.isin(keys(rows), keys(pairs))
