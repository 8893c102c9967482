"""Step 9: events to interactions: one row per user, track and part, with plays, first and last."""

from typing import TYPE_CHECKING

import numpy as np

from common.data.preparation.steps.normalise_timestamps import PARTS
from common.data.preparation.workspace import Outcome, Workspace

if TYPE_CHECKING:
    import polars as pl


def aggregate_interactions(work: Workspace) -> Outcome:
    """Write `interactions` in the buckets of users: user, item, part, plays int32, first, last int64 (seconds).

    Sorted by user, item, part. A pair that a user has in an earlier part is left out, unless repeats are kept.
    """
    tracks, left_out = work.read("tracks"), work.read("left_out")
    item_of = tracks["same_as"].to_numpy().astype(np.int32)
    gone_users = _codes(left_out, "user", len(work.read("users")))
    gone_items = _codes(left_out, "track", len(tracks))
    rows_in = rows_out = repeats = 0
    for name, events in work.buckets("events"):
        found = events.collect()
        rows_in += len(found)
        pairs = aggregate(_kept(found, item_of, gone_users, gone_items), len(tracks))
        if work.settings.repeats == "drop":
            first = _first_part(pairs)
            repeats += len(pairs) - len(first)
            pairs = first
        if any(pairs.null_count().row(0)):
            raise AssertionError(f"bucket {name}: a missing value among aggregated interactions")
        rows_out += len(pairs)
        work.write("interactions", pairs, name)
    dropped = {"known_to_the_user": repeats} if repeats else {}
    return Outcome(rows_in, rows_out, dropped, {"pairs": rows_out})


def _codes(left_out: "pl.DataFrame", kind: str, n: int) -> np.ndarray:
    """Which codes of a kind are left out, bool (n,)."""
    import polars as pl

    gone = np.zeros(n, bool)
    gone[left_out.filter(pl.col("kind") == kind)["code"].to_numpy()] = True
    return gone


def _kept(events: "pl.DataFrame", item_of: np.ndarray, users: np.ndarray, items: np.ndarray) -> "pl.DataFrame":
    """The events of users and items that stay, with the item that each track is."""
    import polars as pl

    item = item_of[events["track"].to_numpy()]
    events = events.drop("track").with_columns(item=pl.Series(item, dtype=pl.Int32))
    if not users.any() and not items.any():
        return events
    return events.filter(pl.Series(~users[events["user"].to_numpy()] & ~items[item]))


def aggregate(events: "pl.DataFrame", n_items: int) -> "pl.DataFrame":
    """Plays, first and last time of each user, item and part, sorted; columns user, item, part, timestamp, [plays]."""
    import polars as pl

    key = (pl.col("user").cast(pl.Int64) * n_items + pl.col("item")) * len(PARTS) + pl.col("part")
    plays = pl.col("plays").cast(pl.Int64).sum() if "plays" in events.columns else pl.len()
    time = pl.col("timestamp")
    pairs = events.group_by(key=key).agg(plays=plays, first=time.min(), last=time.max()).sort("key")
    pair = pl.col("key") // len(PARTS)
    return pairs.select(
        user=(pair // n_items).cast(pl.Int32),
        item=(pair % n_items).cast(pl.Int32),
        part=(pl.col("key") % len(PARTS)).cast(pl.Int8),
        plays=pl.col("plays").clip(upper_bound=2**31 - 1).cast(pl.Int32),
        first="first",
        last="last",
    )


def _first_part(pairs: "pl.DataFrame") -> "pl.DataFrame":
    """The rows of each pair's first part."""
    import polars as pl

    again = (pl.col("user") == pl.col("user").shift(1)) & (pl.col("item") == pl.col("item").shift(1))
    return pairs.filter(~again.fill_null(False))
