"""Last.fm-360K (Celma 2010): how often each of 360,000 users played their favourite artists, without times.

| file | fields (no header) | quirks |
|---|---|---|
| usersha1-artmbid-artname-plays.tsv | user, artist's MusicBrainz id, name, plays | a user's rows stand together |
| usersha1-profile.tsv | user, gender, age, country, signup (`Feb 1, 2007`) | all but the user may be empty |

An item is an artist: its MusicBrainz id, else its name in lower case.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from common.data.preparation.workspace import rows_of
from common.data.sources.large_logs import delimited
from common.data.sources.large_logs.large_files import LargeFile
from common.data.sources.large_logs.pairs import add_up_pairs, sorted_users, spelled_items
from common.data.sources.large_logs.profiles import read_profile
from common.data.sources.large_logs.raw_files import RawFiles
from common.data.sources.published import differences
from common.data.tables import Repair, Tables

if TYPE_CHECKING:
    import polars as pl

FOLDER = "lastfm-dataset-360K"
PLAYS, PROFILE = "usersha1-artmbid-artname-plays.tsv", "usersha1-profile.tsv"
FIELDS = ("user_id", "mbid", "name", "weight")
FILES = RawFiles(
    "lastfm-360k",
    (f"{FOLDER}/{PLAYS}", f"{FOLDER}/{PROFILE}"),
    (
        LargeFile(
            "https://zenodo.org/records/6090214/files/lastfm-dataset-360K.tar.gz?download=1",
            FOLDER,
            569_202_935,
            "md5:635e6ed3fc873aa4ba33aba0ebce02b1",
            {PLAYS: "be672526eb7c69495c27ad27803148f1", PROFILE: "51159d4edf6a92cb96f87768aa2be678"},
            1_700_000_000,
        ),
    ),
)
PUBLISHED = {"lines": 17_559_530, "broken lines": 88, "users": 359_347, "items": 268_655, "merged rows": 421}
PUBLISHED_PROFILES = {"lines": 359_347}


def read_lastfm_360k(data_dir: Path) -> Tables:
    """Read the files, wherever they lie; staged files take about 0.5 GB below `data_dir` meanwhile.

    Broken lines are dropped and rows of one user and artist added up; both are counted as repairs, and counts that are
    not the published ones told. Raises UserError for a file that is missing, unreadable or no UTF-8.
    """
    folder = FILES.root(data_dir) / FOLDER
    path = folder / PLAYS
    with delimited.scratch(data_dir) as staged:
        lines = _stage(path, staged / "plays.parquet")
        rows = delimited.sound(lines)
        users, items = sorted_users(rows), spelled_items(rows, ["name"])
        interactions = add_up_pairs(rows.select("user_id", "item_id", "weight"), users, items["item_id"])
        repairs, n_lines = delimited.dropped(lines, "interactions", path), rows_of(lines)
    broken = sum(repair.rows for repair in repairs)
    merged = n_lines - broken - len(interactions)
    repairs += [Repair("interactions", "plays of a repeated (user, artist) added up", merged)] if merged else []
    counts = (n_lines, broken, len(users), len(items), merged)
    found, profile = dict(zip(PUBLISHED, counts, strict=True)), read_profile(folder / PROFILE, users)
    warnings = differences(path, found, PUBLISHED) + differences(profile.path, profile.counts, PUBLISHED_PROFILES)
    return Tables(
        interactions=interactions,
        items=items.assign(artist=items["item_id"]),
        users=profile.users,
        repairs=repairs + profile.repairs,
        notes={"sources": {PLAYS: found, PROFILE: profile.counts}, "warnings": warnings},
    )


def _stage(path: Path, out: Path) -> "pl.LazyFrame":
    """The lines as user_id, item_id, name, weight."""
    import polars as pl

    named, plays = pl.col("mbid").str.strip_chars() != "", pl.col("weight").cast(pl.Int64, strict=False)
    rules = {
        "the user is no SHA-1": ~pl.col("user_id").str.contains("^[0-9a-f]{40}$"),
        "neither a MusicBrainz id nor a name": ~named & (pl.col("name").str.strip_chars() == ""),
        "plays are no whole number": plays.is_null(),
        "no plays": plays < 1,
    }
    key = pl.when(named).then(pl.col("mbid")).otherwise(pl.col("name").str.to_lowercase())
    return delimited.stage(path, FIELDS, rules, [pl.col("user_id"), key.alias("item_id"), pl.col("name"), plays], out)
