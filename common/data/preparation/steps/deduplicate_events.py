"""Step 5: the same event twice - one user, one track, one second - is one event."""

from typing import TYPE_CHECKING

import numpy as np

from common.data.preparation.packing import Events, packings, starts_of
from common.data.preparation.workspace import Outcome, Workspace

if TYPE_CHECKING:
    import polars as pl


def deduplicate_events(work: Workspace) -> Outcome:
    """Write `events` without repeats, each bucket sorted by user, track and time; of plays the larger number stays."""
    rows_in = rows_out = 0
    once, tracks = work.settings.deduplicate_events, len(work.read("tracks"))
    for name, events in work.buckets("events"):
        found = events.collect()
        rows_in += len(found)
        left = in_order(found, tracks, once)
        rows_out += len(left)
        work.write("events", left, name)
    return told(rows_in, rows_out)


def told(rows_in: int, rows_out: int) -> Outcome:
    """What the step says of itself."""
    repeated = rows_in - rows_out
    return Outcome(rows_in, rows_out, {"repeated": repeated} if repeated else {})


def in_order(events: "pl.DataFrame", tracks: int, once: bool) -> "pl.DataFrame":
    """Events in order, each once or as often as it stands there."""
    import polars as pl

    columns = Events(*(events[name].to_numpy() for name in ("user", "track", "part", "timestamp")))
    plays = events["plays"].to_numpy() if "plays" in events.columns else None
    done = [events.clear()]
    for rows, packing in packings(columns, tracks):
        packed, weights = packing.pack(Events(*(column[rows] for column in columns))), {}
        if plays is None:
            packed = _sorted(packed, once)
        else:
            packed, weights["plays"] = _with_plays(packed, plays[rows], once)
        user, track, part, time = packing.unpack(packed)
        done.append(pl.DataFrame({"user": user, "track": track, "timestamp": time, "part": part, **weights}))
    return pl.concat(done)


def _sorted(packed: np.ndarray, once: bool) -> np.ndarray:
    packed.sort()
    return packed[np.append(True, packed[1:] != packed[:-1])] if once else packed


def _with_plays(packed: np.ndarray, plays: np.ndarray, once: bool) -> tuple[np.ndarray, np.ndarray]:
    """The same for events that stand for several plays each: numbers in order, and the plays of each."""
    if not once:
        order = np.lexsort((-plays, packed))
        return packed[order], plays[order]
    order = np.argsort(packed)
    packed, plays = packed[order], plays[order]
    starts = starts_of(packed[1:] != packed[:-1])
    return packed[starts], np.maximum.reduceat(plays, starts)
