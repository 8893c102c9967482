"""Events to one row per user, item and part: the preparation's way against DuckDB's and pandas', on the same files."""

import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.notebook import Notebook
from benchmarks.scale.child import OverTimeError, measured
from benchmarks.scale.sizes import Size
from common.data.synthetic.raw.draws import events_of, plays_of, user_chunks
from common.data.synthetic.raw.world import RawLogSettings, build_world
from common.utils.errors import UserError
from common.utils.io import atomic

DUCKDB_MEMORY = "4GB"
SMALL, LARGE = "1GB", "8GB"
"""What our own way may take: once a fraction of what DuckDB may, once more."""
MOST_OF_PANDAS = 20_000_000
"""Events above which pandas is not tried: it holds all of them."""
QUERY = """
COPY (
    SELECT "user", item, part, count(*)::INTEGER AS plays, min(timestamp) AS "first", max(timestamp) AS "last"
    FROM read_parquet('{events}/*.parquet')
    GROUP BY "user", item, part
) TO '{out}/pairs.parquet' (FORMAT parquet)
"""


def make_events(folder: str, log: dict[str, Any]) -> dict[str, Any]:
    """Write a log's events as codes: user int32, item int32, timestamp int64, part int8; a slice of time a file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    world, place = build_world(RawLogSettings(**log)), Path(folder)
    cut = np.quantile(world.edges, [0.85, 0.93])  # somewhere late, as nobody compares the parts
    events_written = 0
    for file in range(world.files):
        columns: list[tuple[np.ndarray, ...]] = []
        for users in user_chunks(world, share=1 / world.files):
            events = events_of(world, users, *world.edges[file : file + 2])
            part = np.searchsorted(cut, events.time, side="right").astype(np.int8)
            track = plays_of(world, events).track.astype(np.int32)
            columns.append((events.user.astype(np.int32), track, events.time, part))
        user, item, timestamp, part = (np.concatenate(column) for column in zip(*columns, strict=True))
        order = np.argsort(timestamp, kind="stable")
        named = {"user": user, "item": item, "timestamp": timestamp, "part": part}
        with atomic(place / f"{file:05}.parquet") as path:
            pq.write_table(pa.table({name: values[order] for name, values in named.items()}), path)
        events_written += len(order)
    return {"events": events_written, "users": world.users, "items": world.tracks}


def ours(events: str, out: str, memory: str, facts: dict[str, int]) -> dict[str, Any]:
    """Buckets of users by a streaming sink, then one bucket after the other, as the steps of the preparation do."""
    import polars as pl

    from common.data.preparation.settings import PreparationSettings
    from common.data.preparation.steps.aggregate_interactions import aggregate
    from common.data.preparation.steps.canonical_ids import bucket_count
    from common.data.preparation.workspace import NUMBERS_SINK, Workspace
    from common.utils import memory as limits

    limits.use(memory)
    work = Workspace(PreparationSettings(), [], Path(out), {"raw": Path(events)}, Path(out), limits.limit())
    buckets = bucket_count(facts["events"], work.memory)
    bucket = (pl.col("user").cast(pl.Int64) * buckets // facts["users"]).cast(pl.UInt16).alias("bucket")
    work.write_buckets("events", work.scan("raw").with_columns(bucket))
    work.tables["events"] = work.fresh / "events"
    for name, some in work.buckets("events"):
        work.write("pairs", aggregate(some.collect(), facts["items"])[0], name, NUMBERS_SINK)
    return {"buckets": buckets}


def duckdb(events: str, out: str, facts: dict[str, int]) -> dict[str, Any]:
    """A query as somebody who knows DuckDB writes it."""
    import duckdb as library

    with library.connect() as connection:
        connection.execute(f"SET memory_limit = '{DUCKDB_MEMORY}'")
        connection.execute("SET preserve_insertion_order = false")
        connection.execute(f"SET temp_directory = '{out}'")
        connection.execute(QUERY.format(events=events, out=out))
    return {}


def pandas(events: str, out: str, facts: dict[str, int]) -> dict[str, Any]:
    """All in memory."""
    import pandas as library

    table = library.read_parquet(events)
    grouped = table.groupby(["user", "item", "part"])["timestamp"].agg(plays="size", first="min", last="max")
    grouped.reset_index().to_parquet(f"{out}/pairs.parquet")
    return {}


def check(out: str) -> dict[str, Any]:
    """What came out: rows, plays, and sums of times, which must be the same for everybody."""
    import polars as pl

    files = [path for path in Path(out).rglob("*.parquet") if "events" not in path.relative_to(out).parts]
    column = pl.col
    sums = [pl.len().alias("rows"), column("plays").sum().cast(pl.Int64), column("first").sum(), column("last").sum()]
    return pl.scan_parquet(files).select(sums).collect(engine="streaming").row(0, named=True)


def aggregate(size: Size, notebook: Notebook, runs: int, deadline: float) -> None:
    """Part `aggregate`: everybody takes turns on the same files; every turn is noted when it ends."""
    events = size.place / "events"
    facts = _facts(size, notebook, events)
    contestants = {
        f"ours, {SMALL}": ("ours", {"memory": SMALL}),
        f"ours, {LARGE}": ("ours", {"memory": LARGE}),
        f"DuckDB, {DUCKDB_MEMORY}": ("duckdb", {}),
    }
    if size.events <= MOST_OF_PANDAS:
        contestants["pandas"] = ("pandas", {})
    for turn in range(runs):
        for label, (function, more) in contestants.items():
            name = f"{size.events} {label} turn {turn}"
            if notebook.has("aggregate", name):
                continue
            if time.monotonic() > deadline:
                raise OverTimeError
            out = size.place / "aggregated"
            shutil.rmtree(out, ignore_errors=True)
            out.mkdir(parents=True)
            took = measured(f"aggregation.{function}", out, events=events, out=out, facts=facts, **more)
            sums = _sums(size, notebook, label, out) if turn == 0 else {}
            shutil.rmtree(out)
            notebook.note("aggregate", name, events=size.events, who=label, **took, sums=sums)


def _sums(size: Size, notebook: Notebook, label: str, out: Path) -> dict[str, int]:
    """What came out. Raises a UserError where somebody else found something else."""
    found = measured("aggregation.check", out=out)
    sums = {key: found[key] for key in ("rows", "plays", "first", "last")}
    for row in notebook.of("aggregate"):
        if row["events"] == size.events and row["sums"] and row["sums"] != sums:
            said = [" ".join(f"{key} {value}" for key, value in of.items()) for of in (sums, row["sums"])]
            raise UserError(f"{label} found {said[0]} and {row['who']} {said[1]}; one of them is wrong")
    return sums


def _facts(size: Size, notebook: Notebook, events: Path) -> dict[str, int]:
    """How many events, users and items the files hold; they are made where they are not there."""
    files = len(list(events.glob("*.parquet"))) if events.exists() else 0
    if not notebook.has("events", str(size.events)) or files != notebook.findings["events", str(size.events)]["files"]:
        events.mkdir(parents=True, exist_ok=True)
        made = measured("aggregation.make_events", folder=events, log=size.log)
        notebook.note("events", str(size.events), files=len(list(events.glob("*.parquet"))), **made)
    found = notebook.findings["events", str(size.events)]
    return {name: found[name] for name in ("events", "users", "items")}
