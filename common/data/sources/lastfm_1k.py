"""Last.fm-1K (Celma 2010): every track that 992 users played until 2009, with its time.

| file | fields | quirks |
|---|---|---|
| userid-timestamp-artid-artname-traid-traname.tsv | as it is named, ids of MusicBrainz | no header; ids may be empty |
| userid-profile.tsv | user, gender, age, country, registered | header `#id ...`; all but the user may be empty |

An item is a track: its MusicBrainz id, else artist and title in lower case.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from common.data.preparation.workspace import rows_of
from common.data.sources.large_logs import delimited
from common.data.sources.large_logs.large_files import LargeFile
from common.data.sources.large_logs.pairs import add_up_pairs, sorted_users, spelled_items
from common.data.sources.large_logs.profiles import read_profile
from common.data.sources.large_logs.raw_files import RawFiles
from common.data.sources.large_logs.raw_log import RawLog
from common.data.sources.published import differences
from common.data.tables import Repair, Tables

if TYPE_CHECKING:
    import polars as pl

FOLDER = "lastfm-dataset-1K"
LOG, PROFILE = "userid-timestamp-artid-artname-traid-traname.tsv", "userid-profile.tsv"
FIELDS = ("user_id", "time", "artist_id", "artist", "track_id", "track")
FILES = RawFiles(
    "lastfm-1k",
    (f"{FOLDER}/{LOG}", f"{FOLDER}/{PROFILE}"),
    (
        LargeFile(
            "https://zenodo.org/records/6090214/files/lastfm-dataset-1K.tar.gz?download=1",
            FOLDER,
            672_700_000,
            "md5:a79a6808f54f73354789a9fb02cb1e41",
            {LOG: "64747b21563e3d2aa95751e0ddc46b68", PROFILE: "c53608b6b445db201098c1489ea497df"},
            2_600_000_000,
        ),
    ),
)
EARLIEST, BEFORE = (int(datetime(year, month, 1, tzinfo=UTC).timestamp()) for year, month in ((2002, 1), (2009, 8)))
"""Last.fm began in 2002 and the log ends in 2009: two rows lie elsewhere, and a split by time would hang on them."""
OUTSIDE, REPEATED = "the time lies outside 2002 to July 2009", "the same as a line before"
NO_USER, NO_TIME = "no user", "the time is no `2009-04-08T01:57:47Z`"
WITHOUT_ID, WITHOUT_NAME = "lines without a track's id", "lines without a track's name"
PUBLISHED = {
    **{"lines": 19_150_868, "users": 992, WITHOUT_ID: 2_168_588, WITHOUT_NAME: 8},
    **{"broken lines": 0, "lines outside 2002 to July 2009": 2, "repeated lines": 1},
}
PUBLISHED_PROFILES = {"lines": 992}


def read_lastfm_1k(data_dir: Path) -> Tables:
    """Read the files, wherever they lie, as pairs of users and tracks with plays and the time of the first.

    Staged files take about 2 GB below `data_dir` meanwhile. What is dropped is counted as repairs, and counts that are
    not the published ones told. Raises UserError for a file that is missing, unreadable or no UTF-8.
    """
    import polars as pl

    with delimited.scratch(data_dir) as staged:
        log = stage_events(FILES.root(data_dir), staged)
        named = pl.concat_str("artist", pl.lit(" - "), "track").str.to_lowercase()
        rows = log.events.with_columns(item_id=pl.coalesce("track_id", named), weight=pl.lit(1, pl.Int32))
        items = spelled_items(rows, ["track", "artist"]).rename(columns={"track": "name"})
        users = sorted_users(rows)
        columns = rows.select("user_id", "item_id", "weight", "timestamp")
        interactions = add_up_pairs(columns, users, items["item_id"])
    assert log.users is not None
    return Tables(interactions, items, log.users, repairs=log.repairs, notes=log.notes())


def stage_events(root: Path, out: Path) -> RawLog:
    """Write the sound lines to `events.parquet` in the folder `out`, in the standard columns of raw files."""
    import polars as pl

    path = root / FOLDER / LOG
    lines = _stage(path, out / "lines.parquet")
    again = _repeated(lines)
    kept = delimited.sound(lines).filter(~pl.col("line").is_in(pl.Series(again, dtype=pl.UInt32).implode()))
    target = out / "events.parquet"
    with delimited.readable(path):
        kept.drop("line").sink_parquet(target)
    repairs = delimited.dropped(lines, "interactions", path)
    if len(again):
        first = f"(first: line {min(again):,} of {path.name})"
        repairs.append(Repair("interactions", f"lines dropped: {REPEATED} {first}", len(again)))
    events = pl.scan_parquet(target)
    users = sorted_users(events)
    counts, profile = _counts(lines, len(users), repairs), read_profile(root / FOLDER / PROFILE, users)
    warnings = differences(path, counts, PUBLISHED) + differences(profile.path, profile.counts, PUBLISHED_PROFILES)
    sources = {LOG: counts, PROFILE: profile.counts}
    return RawLog(target, events, repairs + profile.repairs, sources, warnings, profile.users)


def _stage(path: Path, out: Path) -> "pl.LazyFrame":
    """The lines as user_id, timestamp, artist_id, artist, track_id, track; what is empty is null."""
    import polars as pl

    time = pl.col("time").str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_unit="us", strict=False).dt.epoch("s")
    texts = {name: delimited.text(name) for name in FIELDS if name != "time"}
    rules = {
        NO_USER: texts["user_id"].is_null(),
        NO_TIME: time.is_null(),
        OUTSIDE: ~time.is_between(EARLIEST, BEFORE, closed="left"),
        "neither an id nor artist and title of a track": texts["track_id"].is_null()
        & (texts["track"].is_null() | texts["artist"].is_null()),
    }
    columns = [texts.pop("user_id"), time.alias("timestamp"), *texts.values()]
    return delimited.stage(path, FIELDS, rules, columns, out)


def _repeated(lines: "pl.LazyFrame") -> list[int]:
    """Numbers of the sound lines that are the same as one before."""
    import polars as pl

    rows = delimited.sound(lines).with_columns(hash=pl.struct(pl.exclude("line")).hash())
    hashes = np.sort(rows.select("hash").collect(engine="streaming")["hash"].to_numpy())
    twice = np.unique(hashes[1:][hashes[1:] == hashes[:-1]])
    alike = rows.filter(pl.col("hash").is_in(pl.Series(twice).implode())).collect(engine="streaming").sort("line")
    again = alike.filter(~pl.struct(pl.exclude("line", "hash")).is_first_distinct())
    return again["line"].to_list()


def _counts(lines: "pl.LazyFrame", users: int, repairs: list[Repair]) -> dict[str, int]:
    import polars as pl

    lacking = lines.select(pl.col("track_id", "track").null_count()).collect(engine="streaming").row(0)
    reasons = [(delimited.WIDTH, NO_USER, NO_TIME), (OUTSIDE,), (REPEATED,)]
    dropped = [sum(r.rows for r in repairs if any(reason in r.what for reason in group)) for group in reasons]
    return dict(zip(PUBLISHED, (rows_of(lines), users, *lacking, *dropped), strict=True))
