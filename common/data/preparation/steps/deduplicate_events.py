"""Step 5: the same event twice - one user, one track, one second - is one event."""

from typing import TYPE_CHECKING

import numpy as np

from common.data.preparation.packing import Events, packings
from common.data.preparation.workspace import Outcome, Workspace

if TYPE_CHECKING:
    import polars as pl

KEY = ("user", "track", "timestamp")


def deduplicate_events(work: Workspace) -> Outcome:
    """Write `events` without repeats, each bucket sorted by user, track and time; of plays the larger number stays."""
    rows_in = rows_out = 0
    once, tracks = work.settings.deduplicate_events, len(work.read("tracks"))
    for name, events in work.buckets("events"):
        found = events.collect()
        rows_in += len(found)
        left = _with_plays(found, once) if "plays" in found.columns else _sorted(found, tracks, once)
        rows_out += len(left)
        work.write("events", left, name)
    repeated = rows_in - rows_out
    return Outcome(rows_in, rows_out, {"repeated": repeated} if repeated else {})


def _sorted(events: "pl.DataFrame", tracks: int, once: bool) -> "pl.DataFrame":
    """Events in order, each once or as often as it stands there."""
    import polars as pl

    columns = Events(*(events[name].to_numpy() for name in ("user", "track", "part", "timestamp")))
    done = [events.clear()]
    for rows, packing in packings(columns, tracks):
        packed = packing.pack(Events(*(column[rows] for column in columns)))
        packed.sort()
        if once:
            packed = packed[np.append(True, packed[1:] != packed[:-1])]
        user, track, part, time = packing.unpack(packed)
        done.append(pl.DataFrame({"user": user, "track": track, "timestamp": time, "part": part}))
    return pl.concat(done)


def _with_plays(events: "pl.DataFrame", once: bool) -> "pl.DataFrame":
    """The same for events that stand for several plays each."""
    import polars as pl

    found = events.sort([*KEY, "plays"], descending=[False, False, False, True])
    if not once:
        return found
    again = pl.all_horizontal(pl.col(column) == pl.col(column).shift(1) for column in KEY)
    return found.filter(~again.fill_null(False))
