"""Minimum support on Spark (step 8): tracks of few users and users of few tracks, again and again for a core."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from common.data.preparation.figures import size_of
from common.data.preparation.spark.workspace import SparkWorkspace
from common.data.preparation.steps.filter_bots import least_support

if TYPE_CHECKING:
    import polars as pl
    from pyspark.sql import DataFrame


class Support(NamedTuple):
    """Where the codes lie (column `code`) of users and of tracks with too little support; None: no rule."""

    users: Path | None
    tracks: Path | None


def find_support(work: SparkWorkspace, judged: "DataFrame", same: Path) -> Support:
    """Users and tracks that the rules leave out. judged: user, rule (0: no bot). same: the track that each is."""
    least_users, least_tracks = least_support(work.settings)
    if least_users == least_tracks == 1:
        return Support(None, None)
    pairs = work.save(work.scratch() / "pairs", _pairs(work, judged, same))
    kept, size, turn = pairs, size_of(pairs), 0
    while True:
        kept = _supported(_supported(kept, "track", least_users), "user", least_tracks)
        kept = work.save(work.scratch() / f"pairs-{turn}", kept)
        settled = size_of(kept) == size
        size, turn = size_of(kept), turn + 1
        if settled or not work.settings.core:
            break
    tracks = kept if work.settings.core else _supported(pairs, "track", least_users)
    return Support(_gone(work, pairs, kept, "user"), _gone(work, pairs, tracks, "track"))


def _pairs(work: SparkWorkspace, judged: "DataFrame", same: Path) -> "DataFrame":
    """Distinct pairs (user, track) of train, without bots; each track as the one that it is."""
    from pyspark.sql import functions as sql

    train = work.scan("events").filter("part = 0").select("user", "track").distinct()
    people = train.join(judged.filter(sql.col("rule") > 0).select("user"), "user", "left_anti")
    run, kinds = partial(_as_one, same), {"user": "int", "track": "int"}
    return work.mapped(people, run, kinds, work.place("pairs-of-one")).distinct()


def _as_one(same: Path, frames: "Iterator[pl.DataFrame]", place: Path) -> "Iterator[pl.DataFrame]":
    import polars as pl

    same_as = np.load(same, mmap_mode="r")
    for pairs in frames:
        yield pairs.select("user", track=pl.Series(same_as[pairs["track"].to_numpy()], dtype=pl.Int32))


def _supported(pairs: "DataFrame", column: str, least: int) -> "DataFrame":
    """The pairs whose user or track stands in so many of them."""
    from pyspark.sql import functions as sql

    counts = pairs.groupBy(column).agg(sql.count(sql.lit(1)).alias("n"))
    return pairs.join(counts.filter(sql.col("n") >= least).select(column), column, "left_semi").select("user", "track")


def _gone(work: SparkWorkspace, pairs: "DataFrame", kept: "DataFrame", column: str) -> Path:
    """Write who or what stands in pairs, and in none of those kept."""
    path = work.scratch() / f"gone-{column}"
    gone = pairs.select(column).distinct().join(kept.select(column).distinct(), column, "left_anti")
    work.save(path, gone.withColumnRenamed(column, "code"))
    return path
