"""Rows of a log as interactions, one for each pair."""

import pandas as pd
import polars as pl

from common.data.preparation.workspace import rows_of
from common.data.sources.large_logs.pairs import add_up_pairs, sorted_users, spelled_items

ROWS = pl.LazyFrame(
    [("v", "b", 1, 9), ("u", "a", 2, 5), ("u", "b", 1, 4), ("u", "a", 3, 3), ("v", "a", 1, 9)],
    schema=["user_id", "item_id", "weight", "timestamp"],
    orient="row",
)


def test_pairs_are_added_up_in_the_order_of_their_first_time():
    users, items = sorted_users(ROWS), pd.Series(["a", "b"], dtype="str")
    found = add_up_pairs(ROWS, users, items)
    assert found.astype({"user_id": "str", "item_id": "str"}).to_numpy().tolist() == [
        ["u", "a", 5.0, 3],
        ["u", "b", 1.0, 4],
        ["v", "a", 1.0, 9],
        ["v", "b", 1.0, 9],
    ]
    timeless = add_up_pairs(ROWS.drop("timestamp"), users, items)
    assert "timestamp" not in timeless
    assert timeless["weight"].tolist() == [5, 1, 1, 1]
    assert timeless["user_id"].cat.categories.tolist() == ["u", "v"]


def test_an_item_has_its_most_frequent_spelling_and_of_equal_ones_the_first():
    rows = pl.LazyFrame({"item_id": ["a", "a", "b", "b"], "name": ["A", "a!", "y", "x"], "weight": [1, 2, 3, 3]})
    assert spelled_items(rows, ["name"]).to_numpy().tolist() == [["a", "a!"], ["b", "x"]]
    assert rows_of(rows) == 4
