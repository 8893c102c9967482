"""Step 9: events to interactions: one row per user, track and part, with plays, first and last."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from common.data.preparation.packing import Events, Packing, packings
from common.data.preparation.steps.validate import MOST_PLAYS
from common.data.preparation.workspace import NUMBERS_SINK, Outcome, Workspace
from common.utils.errors import UserError

if TYPE_CHECKING:
    import polars as pl


def aggregate_interactions(work: Workspace) -> Outcome:
    """Write `interactions` in the buckets of users: user, item, part, plays int32, first, last int64 (seconds).

    Sorted by user, item, part. A pair that a user has in an earlier part is left out, unless repeats are kept.
    """
    kept = read_kept(work)
    rows_in = rows_out = repeats = 0
    for name, events in work.buckets("events"):
        found = events.collect()
        rows_in += len(found)
        pairs, known = interactions(found, kept, work.settings.repeats)
        rows_out, repeats = rows_out + len(pairs), repeats + known
        work.write("interactions", pairs, name, NUMBERS_SINK)
    return told(rows_in, rows_out, repeats)


def told(rows_in: int, rows_out: int, repeats: int) -> Outcome:
    """What the step says of itself."""
    return Outcome(rows_in, rows_out, {"known_to_the_user": repeats} if repeats else {}, {"pairs": rows_out})


class Kept(NamedTuple):
    """What becomes of events: the item int32 that each track is, and which users and items are left out, bool."""

    item_of: np.ndarray
    gone_users: np.ndarray
    gone_items: np.ndarray


def read_kept(work: Workspace) -> Kept:
    """That of the tables."""
    tracks, left_out = work.read("tracks"), work.read("left_out")
    gone_users = _codes(left_out, "user", len(work.read("users")))
    return Kept(tracks["same_as"].to_numpy().astype(np.int32), gone_users, _codes(left_out, "track", len(tracks)))


def interactions(events: "pl.DataFrame", kept: Kept, repeats: str) -> "tuple[pl.DataFrame, int]":
    """The interactions of events of whole users, and how many were dropped as repeats."""
    pairs, known = aggregate(_kept(events, kept), len(kept.item_of), repeats)
    if any(pairs.null_count().row(0)):
        raise AssertionError("a missing value among aggregated interactions")
    return pairs, known


def _codes(left_out: "pl.DataFrame", kind: str, n: int) -> np.ndarray:
    """Which codes of a kind are left out, bool (n,)."""
    import polars as pl

    gone = np.zeros(n, bool)
    gone[left_out.filter(pl.col("kind") == kind)["code"].to_numpy()] = True
    return gone


def _kept(events: "pl.DataFrame", kept: Kept) -> "pl.DataFrame":
    """The events of users and items that stay, with the item that each track is."""
    import polars as pl

    item = kept.item_of[events["track"].to_numpy()]
    events = events.drop("track").with_columns(item=pl.Series(item, dtype=pl.Int32))
    if not kept.gone_users.any() and not kept.gone_items.any():
        return events
    return events.filter(pl.Series(~kept.gone_users[events["user"].to_numpy()] & ~kept.gone_items[item]))


def aggregate(events: "pl.DataFrame", n_items: int, repeats: str = "keep") -> "tuple[pl.DataFrame, int]":
    """Plays, first and last time of each user, item and part, sorted, and how many of them were dropped as repeats.

    Events: columns user, item int32, part int8, timestamp int64, [plays int32], in any order.
    """
    import polars as pl

    columns = Events(*(events[name].to_numpy() for name in ("user", "item", "part", "timestamp")))
    plays = events["plays"].to_numpy() if "plays" in events.columns else None
    kinds = {
        "user": pl.Int32,
        "item": pl.Int32,
        "part": pl.Int8,
        "plays": pl.Int32,
        "first": pl.Int64,
        "last": pl.Int64,
    }
    done, dropped = [pl.DataFrame(schema=kinds)], 0
    for packing, packed, weights in _in_order(columns, plays, n_items):
        pairs, known = _pairs(packing, packed, weights, repeats)
        done, dropped = [*done, pl.DataFrame(pairs, kinds)], dropped + known
    return pl.concat(done), dropped


def _in_order(
    events: Events, plays: np.ndarray | None, n_items: int
) -> Iterator[tuple[Packing, np.ndarray, np.ndarray | None]]:
    """Packed events in order, and the plays of each where there are such."""
    for rows, packing in packings(events, n_items):
        packed = packing.pack(Events(*(column[rows] for column in events)))
        if plays is None:
            packed.sort()
            yield packing, packed, None
        else:
            order = np.argsort(packed)
            yield packing, packed[order], plays[rows][order]


def _pairs(
    packing: Packing, packed: np.ndarray, weights: np.ndarray | None, repeats: str
) -> tuple[dict[str, np.ndarray], int]:
    """Columns of the interactions of packed events in order, and how many were dropped as repeats."""
    starts = packing.starts(packed)
    ends = np.append(starts[1:], len(packed)) - 1
    plays = ends - starts + 1 if weights is None else np.add.reduceat(weights, starts, dtype=np.int64)
    if len(plays) and plays.max() > MOST_PLAYS:
        raise UserError(
            f"one user plays one track more than {MOST_PLAYS:,} times; lower --bot-repeats, or mend the plays"
        )
    new = np.ones(len(starts), bool)
    if repeats == "drop":
        pairs = packing.pair(packed[starts])
        new[1:] = pairs[1:] != pairs[:-1]
    first, last = packed[starts[new]], packed[ends[new]]
    user, item, part, time = packing.unpack(first)
    columns = {"user": user, "item": item, "part": part, "plays": plays[new].astype(np.int32)}
    # Of one user, item and part: the numbers differ by the time alone.
    return columns | {"first": time, "last": time + (last - first).astype(np.int64)}, int(np.count_nonzero(~new))
