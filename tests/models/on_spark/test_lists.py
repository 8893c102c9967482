"""Lists as executors make them, without a cluster: the same order and the same masks as everywhere."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from common.models.on_spark.lists import Fitted, lists_of, scorer_of
from common.models.top_items import top_items
from common.splits.histories import Histories
from common.utils.io import write_parquet

ITEMS, FACTORS = 7, 3


@pytest.fixture
def fitted(tmp_path):
    """Seven items, of which the last was never listened to and has no factors."""
    rng = np.random.default_rng(0)
    order = rng.permutation(ITEMS)
    ids = np.array([f"item {code}" for code in range(ITEMS)])
    write_parquet(tmp_path / "items.parquet", pd.DataFrame({"item": order, "item_id": ids[order]}))
    heard = order[order < ITEMS - 1]
    write_parquet(tmp_path / "popularity.parquet", pd.DataFrame({"item": heard, "listeners": 10 + heard}))
    vectors = rng.random((ITEMS, FACTORS)).astype(np.float32)
    vectors[-1] = 0
    table = pa.table({"id": pa.array(heard, pa.int32()), "features": list(vectors[heard])})
    pa.parquet.write_table(table, tmp_path / "factors.parquet")
    return Fitted(*(tmp_path / f"{name}.parquet" for name in ("items", "popularity", "factors"))), vectors


def users(features, seen):
    columns = {
        "user_id": pa.array([f"user {row}" for row in range(len(seen))]),
        "features": pa.array(features, pa.list_(pa.float32())),
        "seen": pa.array(seen, pa.list_(pa.int32())),
    }
    return pa.RecordBatch.from_pydict(columns)


def test_lists_are_those_of_the_local_ranking(fitted):
    where, vectors = fitted
    own = np.random.default_rng(1).random((2, FACTORS)).astype(np.float32)
    [batch] = lists_of(iter([users(list(own), [[2, 4], None])]), where, 5)
    lists = batch.to_pandas()
    assert lists["rank"].tolist() == [1, 2, 3, 4, 5] * 2
    scores = own @ vectors.T
    items, values = top_items(scores, Histories.from_lists([[2, 4], []], ITEMS), scorer_of(where).places, 5)
    assert lists["item_id"].tolist() == [f"item {item}" for item in items.ravel()]
    assert lists["score"].to_numpy() == pytest.approx(values.ravel())
    assert not {"item 2", "item 4"} & set(lists["item_id"][lists["user_id"] == "user 0"])


def test_a_user_without_factors_gets_the_popular_list_and_a_short_one_where_little_is_left(fitted):
    where, _ = fitted
    [batch] = lists_of(iter([users([None], [[5, 4, 3]])]), where, 5)
    assert batch.column("item_id").to_pylist() == ["item 2", "item 1", "item 0", "item 6"]


def test_without_factors_scores_are_the_listeners_and_never_below_the_floor(fitted):
    where, _ = fitted
    popular = Fitted(where.items, where.popularity, None, floor=12)
    [batch] = lists_of(iter([users([None], [None])]), popular, ITEMS)
    assert batch.column("score").to_pylist() == [15, 14, 13, 12, 12, 12, 12]
