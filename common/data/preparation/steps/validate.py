"""Step 2: rows that cannot be events are dropped, counted by rule, and a few of each kept to look at."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from common.data.preparation.settings import TRACK_COLUMNS, PreparationSettings
from common.data.preparation.times import seconds_and_unit
from common.data.preparation.workspace import TEXTS_SINK, Outcome, Workspace, rows_of
from common.data.reading.schema import MISSING
from common.utils.errors import UserError

if TYPE_CHECKING:
    import polars as pl

RULES = {
    "user_missing": "no user",
    "track_missing": "neither an id of a track nor a title",
    "artist_missing": "a title without an artist, and no id of a track",
    "time_missing": "no time",
    "time_unreadable": "a time that is neither a number nor a date",
    "time_out_of_range": "a time before --earliest or after --latest",
    "plays_invalid": "plays that are no whole number from 1 to 2,147,483,647",
}
"""The rules in the order in which they are tried: a row is counted by the first that it breaks."""
SAMPLE = 20
"""Dropped rows that are kept of each rule."""
MOST_PLAYS = 2**31 - 1
CHANGED, LEAST = 0.1, 50
"""A share of a file's rows, and a number of rows, that are broken together where its columns change."""


def validate(work: Workspace) -> Outcome:
    """Write `events` without broken rows, with `seconds` int64 and `unit` int8 in place of the time as written.

    `dropped` receives the first broken rows of each rule, with file and row. Names that are blank, and ids that are
    blank or a marker such as NA, are missing.
    """
    import polars as pl

    known = known_columns(work)
    judged = judge(work.scan("events"), known, work.settings)
    target, path = work.fresh / "events" / "0.parquet", work.scratch() / "broken.parquet"
    sinks = [
        frame.sink_parquet(path, lazy=True, **TEXTS_SINK)
        for frame, path in ((sound(judged, known), target), (broken(judged), path))
    ]
    pl.collect_all(sinks, engine="streaming")
    written, row = pl.scan_parquet(target), pl.col("row")
    ends = written.group_by("file").agg(sound=pl.len().cast(pl.Int64), first=row.min(), last=row.max())
    empty = _empty_plays(work.scan("events")) if known.plays else 0
    return review(work, rows_of(written), ends, pl.scan_parquet(path), empty)


class Known(NamedTuple):
    """Columns that say which track it is, of those that raw files may have, and whether they count plays."""

    columns: list[str]
    plays: bool


def known_columns(work: Workspace) -> Known:
    """What the raw files have."""
    known = work.notes["scan"]["columns"]
    return Known([name for name in TRACK_COLUMNS if name in known], "plays" in known)


def judge(events: "pl.LazyFrame", known: Known, settings: PreparationSettings) -> "pl.LazyFrame":
    """Cleaned rows, with `seconds`, `unit` and the first `rule` that each breaks, null for a sound one."""
    cleaned = events.with_columns(map(_or_missing, ["user_id", *known.columns]))
    timed = cleaned.with_columns(**seconds_and_unit(settings.time_zone))
    return timed.with_columns(rule=_first_broken(known.columns, settings))


def sound(judged: "pl.LazyFrame", known: Known) -> "pl.LazyFrame":
    """The events: rows that break no rule."""
    import polars as pl

    kept = ["file", "row", "user_id", *known.columns, "seconds", "unit", *(["plays"] if known.plays else [])]
    whole = judged.filter(pl.col("rule").is_null()).select(kept)
    return whole.with_columns(pl.col("plays").fill_null(1).cast(pl.Int32)) if known.plays else whole


def broken(judged: "pl.LazyFrame") -> "pl.LazyFrame":
    """The other rows, as they were written."""
    import polars as pl

    return judged.filter(pl.col("rule").is_not_null()).drop("seconds", "unit")


def review(work: Workspace, rows: int, ends: "pl.LazyFrame", odd: "pl.LazyFrame", empty_plays: int) -> Outcome:
    """What the step says, and samples of broken rows. Raises a UserError where no row is sound, or columns change.

    rows: sound ones. ends: file, sound, first, last of these in each file. odd: the broken rows.
    """
    known = known_columns(work)
    dropped = _keep_samples(work, odd)
    repaired = {"empty plays taken as 1": empty_plays} if empty_plays else {}
    notes = {"columns": known.columns, "plays": known.plays, "repaired": repaired}
    if not rows:
        worst = max(dropped, key=lambda rule: dropped[rule])
        others = " and the other raw files" * (len(work.files) > 1)
        raise UserError(
            f"{work.files[0]}{others}: every row is broken, most of them by {RULES[worst]}; "
            f"look at some of them in {_left_for_review(work)}, and check --columns and the files"
        )
    _refuse_change(work, ends, odd)
    return Outcome(rows + sum(dropped.values()), rows, dropped, notes)


def _left_for_review(work: Workspace) -> Path:
    """The first broken rows of each rule, put where they outlast the error."""
    sample = work.fresh.parent / "dropped.parquet"
    (work.fresh / "dropped" / "0.parquet").replace(sample)
    return sample


def _refuse_change(work: Workspace, ends: "pl.LazyFrame", odd_rows: "pl.LazyFrame") -> None:
    """Refuse a file of which all rows up to some row, or from some row on, are broken: its columns change there.

    Files of which less than CHANGED is broken, and runs of fewer than LEAST rows, are let pass. Times out of range
    break nothing here: many logs are sorted by time.
    """
    import polars as pl

    row = pl.col("row")
    is_late = pl.col("rule") == list(RULES).index("time_out_of_range")
    if rows_of(odd_rows.filter(~is_late)) < LEAST:
        return
    late = odd_rows.filter(is_late).group_by("file")
    late_ends = late.agg(sound=pl.len().cast(pl.Int64), first=row.min(), last=row.max())
    both = pl.concat([ends.select(late_ends.collect_schema().names()), late_ends]).group_by("file")
    whole = both.agg(pl.col("sound").sum(), pl.col("first").min(), pl.col("last").max())
    rest = odd_rows.filter(~is_late).join(whole, on="file", how="left")
    ends = rest.group_by("file").agg(
        *(pl.len().alias("broken"), pl.col("sound", "first", "last").first(), pl.col("rule").mode().min()),
        before=(row < pl.col("first")).sum(),
        after=(row > pl.col("last")).sum(),
    )
    share = (pl.col("broken") + pl.col("sound").fill_null(0)) * CHANGED
    run = pl.when(pl.col("sound").is_null()).then("broken").otherwise(pl.max_horizontal("before", "after"))
    odd = ends.filter((run >= LEAST) & (run >= share)).sort("file").head(1).collect(engine="streaming")
    if len(odd):
        _raise_change(work, odd.row(0, named=True))


def _raise_change(work: Workspace, found: dict[str, Any]) -> None:
    path, why, look = work.files[found["file"]], RULES[list(RULES)[found["rule"]]], _left_for_review(work)
    if found["sound"] is None:
        raise UserError(
            f"{path}: every row is broken, most of them by {why}; look at some of them in {look}, and check the file"
        )
    after = found["after"] >= found["before"]
    where = f"after row {found['last']:,}" if after else f"before row {found['first']:,}"
    raise UserError(
        f"{path}: every row {where} is broken, most of them by {why}, so its columns seem to change there; look at "
        f"some of them in {look}, and split the file there, or mend it"
    )


def _empty_plays(events: "pl.LazyFrame") -> int:
    """How many rows have no plays in a log that counts them."""
    import polars as pl

    return int(events.select(pl.col("plays").null_count()).collect(engine="streaming").item())


def _or_missing(name: str) -> "pl.Expr":
    """A column of text, missing where it is blank or, of ids, a marker; there is a band called None."""
    import polars as pl

    markers = [*MISSING, ""] if name.endswith("_id") else [""]
    return pl.when(~pl.col(name).str.strip_chars().is_in(markers)).then(pl.col(name)).alias(name)


def _first_broken(columns: list[str], settings: PreparationSettings) -> "pl.Expr":
    """The number of the first rule that a row breaks, int8; null for a sound row."""
    import polars as pl

    def lacks(name: str) -> pl.Expr:
        return pl.col(name).is_null() if name in columns else pl.lit(True)

    written = pl.col("time_text").str.strip_chars().fill_null("")
    low, high = settings.first_second, settings.last_second
    bad = {
        "user_missing": pl.col("user_id").is_null(),
        "track_missing": lacks("track_id") & lacks("track"),
        "artist_missing": lacks("track_id") & lacks("artist") & lacks("artist_id"),
        "time_missing": pl.col("time_number").is_null() & written.is_in([*MISSING, ""]),
        "time_unreadable": pl.col("seconds").is_null(),
        "time_out_of_range": (pl.col("seconds") < low) | (pl.col("seconds") > high),
        "plays_invalid": pl.col("plays").is_not_null()
        & ~(pl.col("plays").is_between(1, MOST_PLAYS) & (pl.col("plays") == pl.col("plays").floor())),
    }
    # From the last to the first, so that of several the first stays.
    found = pl.lit(None, pl.Int8)
    for number, rule in reversed(list(enumerate(RULES))):
        found = pl.when(bad[rule]).then(pl.lit(number, pl.Int8)).otherwise(found)
    return found


def _keep_samples(work: Workspace, odd: "pl.LazyFrame") -> dict[str, int]:
    """Write the first rows of each rule; the number of all of them by rule."""
    import polars as pl

    names = list(RULES)
    counts = odd.group_by("rule").len().collect(engine="streaming").sort("rule")
    first = [
        odd.filter(pl.col("rule") == number)
        .bottom_k(SAMPLE, by=["file", "row"])
        .sort("file", "row")
        .with_columns(rule=pl.lit(names[number]))
        .collect()
        for number in counts["rule"]
    ]
    paths = list(map(str, work.files))
    files = pl.DataFrame({"file": range(len(paths)), "path": paths}, {"file": pl.Int32, "path": pl.String})
    if first:
        work.write("dropped", pl.concat(first).join(files, on="file", how="left").drop("file"))
    return {names[number]: count for number, count in counts.iter_rows()}
