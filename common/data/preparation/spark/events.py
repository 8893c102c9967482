"""Steps 5, 8 and 9 on Spark: work on all events of a user, in one task for each range of users."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from common.data.preparation.figures import size_of, total
from common.data.preparation.settings import PreparationSettings
from common.data.preparation.spark.support import find_support
from common.data.preparation.spark.tasks import check, note, notes, whole
from common.data.preparation.spark.workspace import SparkWorkspace
from common.data.preparation.steps import aggregate_interactions as local_aggregation
from common.data.preparation.steps import deduplicate_events as local_deduplication
from common.data.preparation.steps import filter_bots as local_bots
from common.data.preparation.workspace import Outcome, Workspace

if TYPE_CHECKING:
    import polars as pl
    from pyspark.sql import DataFrame

EVENTS = {"user": "int", "track": "int", "timestamp": "bigint", "part": "tinyint", "plays": "int"}
INTERACTIONS = {
    **{"user": "int", "item": "int", "part": "tinyint", "plays": "int"},
    **{"first": "bigint", "last": "bigint"},
}
JUDGED = {"user": "int", "events": "bigint", "rule": "tinyint"}


def _bucketed(work: SparkWorkspace) -> "DataFrame":
    """The events, all of a user in one partition."""
    return work.by_user(work.scan("events"), work.size("users"), work.size("events"))


def deduplicate_events(work: SparkWorkspace) -> Outcome:
    """As the local step, on each bucket of users."""
    events = work.scan("events")
    kinds = {name: EVENTS[name] for name in events.columns}
    run = partial(_in_order, work.size("tracks"), work.settings.deduplicate_events)
    work.write_mapped("events", _bucketed(work), run, kinds)
    return local_deduplication.told(size_of(events), size_of(work.written("events")))


def _in_order(tracks: int, once: bool, frames: "Iterator[pl.DataFrame]", place: Path) -> "Iterator[pl.DataFrame]":
    if (events := whole(frames)) is not None:
        yield local_deduplication.in_order(events, tracks, once)


def filter_bots(work: SparkWorkspace) -> Outcome:
    """As the local step: users are judged in their buckets, support is counted by shuffles."""
    from pyspark.sql import functions as sql

    same = work.scratch() / "same.npy"
    work.once(_save_same, work.local(), same)
    place = work.place("judged")
    rules = work.mapped(_bucketed(work), partial(_judge, same, work.settings), JUDGED, place)
    judged = work.save(work.scratch() / "rules", rules)
    check(place)
    support = find_support(work, judged, same)
    codes = support.users, support.tracks
    counts = work.once(_write_left_out, work.local(), work.scratch() / "rules", codes, work.scratch())
    by_rule = judged.groupBy("rule").agg(sql.sum("events").alias("events"))
    events = {number: total(by_rule.filter(sql.col("rule") == number), "events") for number in range(4)}
    lost = {rule: events[number] for number, rule in enumerate(local_bots.RULES, 1)}
    if counts["tracks"] or counts["thin"]:
        run = partial(_lost, same, work.scratch())
        place = work.place("lost")
        lost["too_rare"] = total(work.mapped(work.scan("events"), run, {"lost": "bigint"}, place), "lost")
    return local_bots.told(sum(events.values()), lost, counts["bots"], counts["thin"], counts["tracks"])


def _save_same(work: Workspace, path: Path) -> dict[str, Any]:
    """Write the track that each is as an array, which tasks of one machine map together."""
    np.save(path, work.read("tracks")["same_as"].to_numpy().astype(np.int32))
    return {}


def _judge(
    same: Path, settings: PreparationSettings, frames: "Iterator[pl.DataFrame]", place: Path
) -> "Iterator[pl.DataFrame]":
    if (events := whole(frames)) is not None:
        yield local_bots.judge(events, np.load(same, mmap_mode="r"), settings).select(list(JUDGED))


def _write_left_out(work: Workspace, judged: Path, support: tuple[Path | None, Path | None], target: Path) -> Any:
    """Write the table and, as arrays, who and what goes; returns how many."""
    import polars as pl

    found = pl.read_parquet(judged / "*.parquet", columns=["user", "rule"])
    rules = np.zeros(len(work.read("users")), np.int8)
    rules[found["user"].to_numpy()] = found["rule"].to_numpy()
    thin, tracks = (_marked(path, n) for path, n in zip(support, (len(rules), len(work.read("tracks"))), strict=True))
    local_bots.write_left_out(work, rules, thin, tracks)
    for name, array in (("gone", rules > 0), ("thin", thin), ("tracks", tracks)):
        np.save(target / f"{name}.npy", array)
    return {"bots": int(np.count_nonzero(rules)), "thin": int(thin.sum()), "tracks": int(tracks.sum())}


def _marked(codes: Path | None, n: int) -> np.ndarray:
    """Which of n codes a table holds, bool (n,); none where there is no table."""
    import polars as pl

    marked = np.zeros(n, bool)
    if codes:
        marked[pl.read_parquet(codes / "*.parquet")["code"].to_numpy()] = True
    return marked


def _lost(same: Path, arrays: Path, frames: "Iterator[pl.DataFrame]", place: Path) -> "Iterator[pl.DataFrame]":
    import polars as pl

    gone, thin, tracks = (np.load(arrays / f"{name}.npy", mmap_mode="r") for name in ("gone", "thin", "tracks"))
    same_as = np.load(same, mmap_mode="r")
    for events in frames:
        yield pl.DataFrame({"lost": [local_bots.events_lost(events, gone, tracks, thin, same_as)]})


def aggregate_interactions(work: SparkWorkspace) -> Outcome:
    """As the local step, on each bucket of users."""
    arrays = work.scratch()
    work.once(_save_kept, work.local(), arrays)
    run = partial(_aggregate, arrays, work.settings.repeats)
    place = work.write_mapped("interactions", _bucketed(work), run, INTERACTIONS)
    repeats = sum(told["repeats"] for told in notes(place))
    return local_aggregation.told(work.size("events"), size_of(work.written("interactions")), repeats)


def _save_kept(work: Workspace, folder: Path) -> dict[str, Any]:
    for name, array in local_aggregation.read_kept(work)._asdict().items():
        np.save(folder / f"{name}.npy", array)
    return {}


def _aggregate(arrays: Path, repeats: str, frames: "Iterator[pl.DataFrame]", place: Path) -> "Iterator[pl.DataFrame]":
    if (events := whole(frames)) is None:
        return
    names = local_aggregation.Kept._fields
    kept = local_aggregation.Kept(*(np.load(arrays / f"{name}.npy", mmap_mode="r") for name in names))
    pairs, known = local_aggregation.interactions(events, kept, repeats)
    note(place, {"repeats": known})
    yield pairs
