"""The negatives that come with a ready-made split: `negatives99`."""

import numpy as np
import pandas as pd

from common.data.ids import PAIR, codes_of, pair_keys
from common.data.reading.table import Table
from common.utils.errors import UserError


def read_negatives(table: Table, rows: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """The user's own negatives; `item_id` is filled in where each user has one held-out item."""
    test = rows["test"]
    catalogue = test["item_id"].cat.categories
    frame = pd.DataFrame({"user_id": table.ids("user_id"), "negative_id": table.ids("negative_id")})
    if "item_id" in table:
        frame["item_id"] = table.ids("item_id")
    else:
        several = test.loc[test["user_id"].duplicated(), "user_id"]
        if len(several):
            raise UserError(
                f"{table.path} needs a column 'item_id': user {several.iloc[0]!r} has several items in test; add it"
            )
        item_of = test.set_index("user_id")["item_id"]
        frame["item_id"] = pd.Categorical(
            item_of.astype(object).reindex(frame["user_id"].astype(object)), categories=catalogue
        )
    for column, categories in (("user_id", test["user_id"].cat.categories), ("item_id", catalogue)):
        frame[column] = frame[column].cat.set_categories(categories)
    table.refuse(~_held_out(frame, rows), "user_id", "has no such held-out item in test or valid; correct that row")
    unknown = codes_of(frame["negative_id"], pd.Index(catalogue)) < 0
    table.refuse(unknown, "negative_id", "is an item that no part has, so it cannot be ranked; take it out")
    frame["negative_id"] = frame["negative_id"].cat.set_categories(catalogue)
    same = frame["negative_id"].cat.codes.to_numpy() == frame["item_id"].cat.codes.to_numpy()
    table.refuse(same, "negative_id", "is the held-out item itself; take it out")
    distinct = frame.drop_duplicates(ignore_index=True)
    table.repaired("repeated negative of a held-out item dropped", len(frame) - len(distinct))
    return distinct[["user_id", "item_id", "negative_id"]]


def _held_out(frame: pd.DataFrame, rows: dict[str, pd.DataFrame]) -> np.ndarray:
    known = frame[PAIR].notna().all(axis="columns").to_numpy()
    held_out = np.concatenate([pair_keys(rows[name]) for name in ("valid", "test") if name in rows])
    return known & np.isin(pair_keys(frame), held_out)
