"""Rows of a large log as interactions: users and items coded first, so that no text is held for each row."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    import polars as pl


def add_up_pairs(rows: "pl.LazyFrame", users: pd.Series, items: pd.Series) -> pd.DataFrame:
    """user_id, item_id (categoricals), weight and, where rows have it, the first timestamp; one row per pair.

    rows: user_id, item_id, weight, [timestamp], ids as text; users, items: all ids, sorted. Sorted by user, then first
    timestamp, then item. Takes about 60 bytes of memory for each of the rows while it runs.
    """
    import polars as pl

    for column, ids in (("user_id", users), ("item_id", items)):
        codes = pl.LazyFrame({column: ids.to_list(), f"{column}_code": np.arange(len(ids), dtype=np.int32)})
        rows = rows.join(codes, on=column).drop(column)
    found = rows.collect(engine="streaming")
    keys = found["user_id_code"].to_numpy().astype(np.int64) * len(items) + found["item_id_code"].to_numpy()
    times = found["timestamp"].to_numpy() if "timestamp" in found.columns else None
    pairs, weight, first = add_up(keys, found["weight"].to_numpy(), times)
    columns: dict[str, object] = {
        "user_id": pd.Categorical.from_codes(pairs // len(items), categories=pd.Index(users)),
        "item_id": pd.Categorical.from_codes(pairs % len(items), categories=pd.Index(items)),
        "weight": weight,
    }
    if first is None:
        return pd.DataFrame(columns)
    in_time = np.lexsort((pairs, first, pairs // len(items)))
    return pd.DataFrame(columns | {"timestamp": first}).take(in_time).reset_index(drop=True)


def add_up(
    keys: np.ndarray, values: np.ndarray, times: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """The distinct keys, sorted, the sum of the values of each, float64, and its first time.

    >>> add_up(np.array([5, 2, 5]), np.array([1, 2, 3]), np.array([30, 20, 10]))
    (array([2, 5]), array([2., 4.]), array([20, 10]))
    """
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    starts = np.flatnonzero(np.diff(keys, prepend=-1))
    sums = np.add.reduceat(values[order].astype(np.float64), starts)
    return keys[starts], sums, None if times is None else np.minimum.reduceat(times[order], starts)


def sorted_users(rows: "pl.LazyFrame") -> pd.Series:
    """The distinct values of `user_id`, sorted."""
    ids = rows.select("user_id").unique().collect(engine="streaming")["user_id"].sort()
    return pd.Series(ids.to_list(), dtype="str", name="user_id")


def spelled_items(rows: "pl.LazyFrame", names: list[str]) -> pd.DataFrame:
    """item_id and, of each item, the combination of `names` with the most weight, ties to the first by code point."""
    import polars as pl

    spellings = rows.group_by("item_id", *names).agg(pl.col("weight").sum()).collect(engine="streaming")
    ranked = spellings.sort(["item_id", "weight", *names], descending=[False, True, *[False] * len(names)])
    best = ranked.unique("item_id", keep="first", maintain_order=True)
    return pd.DataFrame({name: pd.Series(best[name].to_list(), dtype="str") for name in ("item_id", *names)})
