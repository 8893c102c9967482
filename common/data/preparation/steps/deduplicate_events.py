"""Step 5: the same event twice - one user, one track, one second - is one event."""

from common.data.preparation.workspace import Outcome, Workspace

KEY = ("user", "timestamp", "track")


def deduplicate_events(work: Workspace) -> Outcome:
    """Write `events` without repeats, each bucket sorted by user, time and track; of plays the larger number stays."""
    import polars as pl

    rows_in = rows_out = 0
    for name, events in work.buckets("events"):
        found = events.collect()
        rows_in += len(found)
        if "plays" in found.columns:
            found = found.sort([*KEY, "plays"], descending=[False, False, False, True])
        else:
            found = found.sort(KEY)
        if work.settings.deduplicate_events:
            again = pl.all_horizontal(pl.col(column) == pl.col(column).shift(1) for column in KEY)
            found = found.filter(~again.fill_null(False))
        rows_out += len(found)
        work.write("events", found, name)
    repeated = rows_in - rows_out
    return Outcome(rows_in, rows_out, {"repeated": repeated} if repeated else {})
