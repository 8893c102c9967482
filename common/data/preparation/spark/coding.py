"""Step 4 on Spark: distinct texts by shuffles, what they mean in one task, and codes for events by joins."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.data.preparation.figures import size_of
from common.data.preparation.spark.workspace import SparkWorkspace
from common.data.preparation.steps import canonical_ids as local
from common.data.preparation.workspace import Outcome, Workspace

if TYPE_CHECKING:
    import polars as pl
    from pyspark.sql import DataFrame


def canonical_ids(work: SparkWorkspace) -> Outcome:
    """As the local step, whose function makes the tables of users, tracks and artists in one task."""
    events, about = work.scan("events"), work.notes["validate"]
    scratch = work.scratch()
    users, spellings = scratch / "user_ids", scratch / "spellings"
    work.save(users, events.select("user_id").distinct())
    work.save(spellings, _spelled(events, about["columns"], about["plays"]))
    _save_texts(work, work.load(spellings), about["columns"])
    notes = work.once(_code, work.local(), users, spellings, scratch)
    coded = _coded(events, work.load(scratch / "users"), work.load(scratch / "tracks"), about["columns"])
    work.write("events", coded)
    rows = size_of(events)
    _check(work, rows)
    return Outcome(rows, rows, notes=notes | {"buckets": work.buckets_of(rows)})


def _spelled(events: "DataFrame", columns: list[str], has_plays: bool) -> "DataFrame":
    """All distinct combinations of texts, with their events, and their plays in train."""
    from pyspark.sql import functions as sql

    plays = sql.col("plays") if has_plays else sql.lit(1)
    in_train = sql.when(sql.col("part") == 0, plays).otherwise(0).cast("bigint")
    return events.groupBy(columns).agg(sql.count(sql.lit(1)).alias("events"), sql.sum(in_train).alias("plays"))


def _save_texts(work: SparkWorkspace, spellings: "DataFrame", columns: list[str]) -> None:
    """Write what the rules make of each name, the work of many tasks."""
    for name in set(local.MADE_OF_TEXTS) & set(columns):
        texts = spellings.select(name).dropna().distinct()
        kinds = dict.fromkeys((name, *local.MADE_OF_TEXTS[name]), "string")
        work.save(work.scratch() / f"made_of_{name}", work.mapped(texts, partial(_made, name), kinds, work.place(name)))


def _made(name: str, frames: "Iterator[pl.DataFrame]", place: Path) -> "Iterator[pl.DataFrame]":
    for frame in frames:
        yield local.made_of_texts(name, frame[name])


def _read_made(scratch: Path, name: str, texts: "pl.Series") -> "pl.DataFrame":
    """The same for the local step, which joins it."""
    import polars as pl

    made = scratch / f"made_of_{name}"
    return pl.read_parquet(made / "*.parquet") if made.exists() else local.made_of_texts(name, texts)


def _code(work: Workspace, users: Path, spellings: Path, scratch: Path) -> dict[str, Any]:
    """Write the tables, and codes of users and of tracks by their texts below `scratch`; returns the notes."""
    import polars as pl

    ids, spelled = (pl.read_parquet(folder / "*.parquet") for folder in (users, spellings))
    coded = local.code(work, ids, spelled, partial(_read_made, scratch))
    for name, frame in (("users", coded.users.select("user_id", "user")), ("tracks", coded.tracks)):
        (scratch / name).mkdir(exist_ok=True)
        frame.write_parquet(scratch / name / "0.parquet")
    return coded.notes


def _coded(events: "DataFrame", users: "DataFrame", tracks: "DataFrame", columns: list[str]) -> "DataFrame":
    """The events with codes in place of texts; texts that are missing are equal, too."""
    numbers = [name for name in ("timestamp", "part", "plays") if name in events.columns]
    texts = tracks.select("track_code", *(tracks[name].alias(f"_{name}") for name in columns))
    joined = events.join(users, "user_id", "left")
    same = [joined[name].eqNullSafe(texts[f"_{name}"]) for name in columns]
    joined = joined.join(texts, same, "left")
    return joined.select("user", joined["track_code"].alias("track"), *numbers)


def _check(work: SparkWorkspace, rows: int) -> None:
    written = work.written("events")
    found, whole = size_of(written), size_of(written.dropna())
    if (found, whole) != (rows, rows):
        raise AssertionError(f"{rows:,} events became {found:,}, of which {found - whole:,} lack a code")
