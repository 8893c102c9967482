"""Top lists by executors: scores of every item, what is known masked, ordered as everywhere (`models/top_items.py`).

Each task reads the item factors from their files and holds them, 4 f bytes an item, while its users go by in blocks.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from common.models.top_items import DEPTH, tie_places, top_items
from common.splits.histories import Histories

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

SCHEMA = "user_id string, rank int, item_id string, score float"
BLOCK_BYTES = 2**26
"""Memory that the scores of one block of users, and what orders them, may take."""


@dataclass(frozen=True)
class Fitted:
    """Where executors find what lists are made from: Parquet files of items (item, item_id), popularity (item,
    listeners) and, of ALS, item factors (id, features); floor: the least popularity, see `TrainView.count_floor`."""

    items: Path
    popularity: Path
    factors: Path | None = None
    floor: int = 1


def asked_users(
    asked: "DataFrame", users: "DataFrame", masked: "DataFrame", factors: "DataFrame | None"
) -> "DataFrame":
    """What `top_lists` takes, for asked (user_id), of users (user, user_id), masked (user, item) and user factors
    (id, features), without which features are null."""
    from pyspark.sql import functions as f

    known = asked.join(users, "user_id", "left")
    seen = (
        masked.join(known.select("user"), "user", "leftsemi").groupBy("user").agg(f.collect_list("item").alias("seen"))
    )
    rows = known.join(seen, "user", "left")
    if factors is None:
        return rows.withColumn("features", f.lit(None).cast("array<float>"))
    return rows.join(factors.withColumnRenamed("id", "user"), "user", "left")


def top_lists(asked: "DataFrame", fitted: Fitted, depth: int = DEPTH) -> "DataFrame":
    """Lists of SCHEMA for asked (user_id, features: array of float or null, seen: array of int or null).

    A user without features gets the popular list, and without item factors so does everybody.
    """

    def of_partition(batches: "Iterator[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
        from common.models.on_spark.lists import lists_of

        return lists_of(batches, fitted, depth)

    return asked.select("user_id", "features", "seen").mapInArrow(of_partition, SCHEMA)


def lists_of(batches: "Iterator[pa.RecordBatch]", fitted: Fitted, depth: int) -> "Iterator[pa.RecordBatch]":
    """The lists of the users of some batches."""
    scorer = scorer_of(fitted)
    step = max(1, BLOCK_BYTES // (20 * len(scorer.places)))
    for batch in batches:
        for start in range(0, batch.num_rows, step):
            yield scorer.lists(batch.slice(start, step), depth)


@dataclass(frozen=True)
class Scorer:
    """ids: object (n,) of the items by code; places: int64 (n,), their order among equals; popular: float32 (n,);
    factors: float32 (n, f), zeros for an item without listeners."""

    ids: np.ndarray
    places: np.ndarray
    popular: np.ndarray
    factors: np.ndarray

    def lists(self, users: "pa.RecordBatch", depth: int) -> "pa.RecordBatch":
        """Lists of some users, best first."""
        import pyarrow as pa

        items, scores = top_items(self.scores(users.column("features")), self._seen(users), self.places, depth)
        row, rank = np.nonzero(items >= 0)
        columns = [
            pa.array(users.column("user_id").to_numpy(zero_copy_only=False)[row], pa.string()),
            pa.array((rank + 1).astype(np.int32)),
            pa.array(self.ids[items[row, rank]], pa.string()),
            pa.array(scores[row, rank]),
        ]
        return pa.RecordBatch.from_arrays(columns, ["user_id", "rank", "item_id", "score"])

    def scores(self, features: "pa.ListArray") -> np.ndarray:
        """Scores of all items, float32 (users, n): the factors' products, for users without factors the popularity."""
        has = features.is_valid().to_numpy(zero_copy_only=False)
        popular = self.popular / self.popular.max() - 1 if self.factors.shape[1] else self.popular
        scores = np.tile(popular, (len(has), 1)).astype(np.float32)
        if has.any():
            vectors = features.flatten().to_numpy(zero_copy_only=False).reshape(has.sum(), -1)
            scores[has] = vectors.astype(np.float32) @ self.factors.T
        return scores

    def _seen(self, users: "pa.RecordBatch") -> Histories:
        """What each user's list may not hold."""
        import pyarrow.compute as pc

        seen = users.column("seen")
        lengths = pc.fill_null(pc.list_value_length(seen), 0).to_numpy(zero_copy_only=False)
        items = seen.flatten().to_numpy(zero_copy_only=False).astype(np.int32)
        indptr = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64)
        return Histories(indptr, items, np.ones(len(items), np.float32), len(self.ids))


@lru_cache(maxsize=1)
def scorer_of(fitted: Fitted) -> Scorer:
    """What a worker process keeps of a model, read once."""
    import pyarrow.parquet as pq

    table = pq.read_table(fitted.items, columns=["item", "item_id"])
    ids = np.empty(table.num_rows, object)
    ids[table["item"].to_numpy()] = table["item_id"].to_numpy()
    counts = pq.read_table(fitted.popularity, columns=["item", "listeners"])
    popular = np.full(len(ids), fitted.floor, np.float32)
    popular[counts["item"].to_numpy()] = np.maximum(counts["listeners"].to_numpy(), fitted.floor)
    return Scorer(ids, tie_places(ids), popular, _factors(fitted.factors, len(ids)))


def _factors(path: Path | None, n_items: int) -> np.ndarray:
    import pyarrow.parquet as pq

    if path is None:
        return np.zeros((n_items, 0), np.float32)
    table = pq.read_table(path, columns=["id", "features"])
    vectors = table["features"].combine_chunks().flatten().to_numpy().reshape(table.num_rows, -1)
    factors = np.zeros((n_items, vectors.shape[1]), np.float32)
    factors[table["id"].to_numpy()] = vectors
    return factors
