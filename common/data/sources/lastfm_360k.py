"""Last.fm-360K (Celma 2010): how often each of 360,000 users played their favourite artists, without times.

| file | fields (no header) | quirks |
|---|---|---|
| usersha1-artmbid-artname-plays.tsv | user, artist's MusicBrainz id, name, plays | a user's rows stand together |
| usersha1-profile.tsv | user, gender, age, country, signup (`Feb 1, 2007`) | all but the user may be empty |

An item is an artist: its MusicBrainz id, else its name in lower case.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from common.data.sources import delimited
from common.data.sources.profiles import read_profile
from common.data.sources.published import differences
from common.data.tables import Repair, Tables

if TYPE_CHECKING:
    import polars as pl

FOLDER = "lastfm-dataset-360K"
PLAYS, PROFILE = "usersha1-artmbid-artname-plays.tsv", "usersha1-profile.tsv"
FIELDS = ("user_id", "mbid", "name", "plays")
PUBLISHED = {"lines": 17_559_530, "broken lines": 88, "users": 359_347, "items": 268_655, "merged rows": 421}
PUBLISHED_PROFILES = {"lines": 359_347}


def read_lastfm_360k(folder: Path, data_dir: Path) -> Tables:
    """Read both files of `folder`; staged files take about 3 GB below `data_dir` while it runs.

    Broken lines are dropped and rows of one user and artist added up; both are counted as repairs. Raises UserError
    for a file that is missing, unreadable, empty or no UTF-8.
    """
    path = folder / PLAYS
    with delimited.scratch(data_dir) as staged:
        rows = _stage(path, staged / "plays.parquet")
        users, items = _users(rows), _items(rows)
        interactions = _interactions(rows, users, items)
        repairs = delimited.dropped(rows, "interactions", path)
        lines = _height(rows)
    broken = sum(repair.rows for repair in repairs)
    found = {
        **{"lines": lines, "broken lines": broken, "users": len(users), "items": len(items)},
        "merged rows": lines - broken - len(interactions),
    }
    if found["merged rows"]:
        repairs.append(Repair("interactions", "plays of a repeated (user, artist) added up", found["merged rows"]))
    profile = read_profile(folder / PROFILE, users)
    warnings = differences(path, found, PUBLISHED) + differences(profile.path, profile.counts, PUBLISHED_PROFILES)
    return Tables(
        interactions=interactions,
        items=items.assign(artist=items["item_id"]),
        users=profile.users,
        repairs=repairs + profile.repairs,
        notes={"sources": {PLAYS: found, PROFILE: profile.counts}, "warnings": warnings},
    )


def _stage(path: Path, out: Path) -> "pl.LazyFrame":
    """The lines as user_id, item_id, name, plays."""
    import polars as pl

    named, plays = pl.col("mbid").str.strip_chars() != "", pl.col("plays").cast(pl.Int64, strict=False)
    rules = {
        "the user is no SHA-1": ~pl.col("user_id").str.contains("^[0-9a-f]{40}$"),
        "neither a MusicBrainz id nor a name": ~named & (pl.col("name").str.strip_chars() == ""),
        "plays are no whole number": plays.is_null(),
        "no plays": plays < 1,
    }
    key = pl.when(named).then(pl.col("mbid")).otherwise(pl.col("name").str.to_lowercase())
    return delimited.stage(path, FIELDS, rules, [pl.col("user_id"), key.alias("item_id"), pl.col("name"), plays], out)


def _height(rows: "pl.LazyFrame") -> int:
    import polars as pl

    return int(rows.select(pl.len()).collect(engine="streaming").item())


def _users(rows: "pl.LazyFrame") -> pd.Series:
    """The users, sorted."""
    ids = delimited.sound(rows).select("user_id").unique().collect(engine="streaming")["user_id"].sort()
    return pd.Series(ids.to_list(), dtype="str", name="user_id")


def _items(rows: "pl.LazyFrame") -> pd.DataFrame:
    """item_id, name, sorted by id. An artist with several spellings has the most played one, ties to the first."""
    import polars as pl

    spellings = delimited.sound(rows).group_by("item_id", "name").agg(pl.col("plays").sum())
    ranked = spellings.collect(engine="streaming").sort("item_id", "plays", "name", descending=[False, True, False])
    best = ranked.unique("item_id", keep="first", maintain_order=True)
    return pd.DataFrame({name: pd.Series(best[name].to_list(), dtype="str") for name in ("item_id", "name")})


def _interactions(rows: "pl.LazyFrame", users: pd.Series, items: pd.DataFrame) -> pd.DataFrame:
    """user_id, item_id (categoricals) and weight, one row per pair, sorted by user and item."""
    import polars as pl

    coded = delimited.sound(rows).select("user_id", "item_id", "plays")
    for column, ids in (("user_id", users), ("item_id", items["item_id"])):
        codes = pl.LazyFrame({column: ids.to_list(), f"{column}_code": np.arange(len(ids), dtype=np.int32)})
        coded = coded.join(codes, on=column).drop(column)
    found = coded.collect(engine="streaming")
    pairs, weight = add_up(
        found["user_id_code"].to_numpy().astype(np.int64) * len(items) + found["item_id_code"].to_numpy(),
        found["plays"].to_numpy(),
    )
    return pd.DataFrame(
        {
            "user_id": pd.Categorical.from_codes(pairs // len(items), categories=pd.Index(users)),
            "item_id": pd.Categorical.from_codes(pairs % len(items), categories=pd.Index(items["item_id"])),
            "weight": weight,
        }
    )


def add_up(keys: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct keys, sorted, and the sum of the values of each, float64.

    >>> add_up(np.array([5, 2, 5]), np.array([1, 2, 3]))
    (array([2, 5]), array([2., 4.]))
    """
    order = np.argsort(keys, kind="stable")
    keys, values = keys[order], values[order]
    starts = np.flatnonzero(np.diff(keys, prepend=-1))
    return keys[starts], np.add.reduceat(values.astype(np.float64), starts)
