"""The HetRec 2011 Last.fm-2K files (Cantador et al. 2011): who played, tagged and befriended whom.

| file | columns | quirks |
|---|---|---|
| artists.dat | id, name, url, pictureURL | UTF-8; bare quotes in names; ids have gaps |
| user_artists.dat | userID, artistID, weight | plays; each user's top 50 artists |
| tags.dat | tagID, tagValue | ISO-8859-1 |
| user_taggedartists.dat | userID, artistID, tagID, day, month, year | artists beyond artists.dat; odd years |
| user_friends.dat | userID, friendID | each pair both ways |
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from common.data.reading.schema import ABOVE_0, Column
from common.data.reading.table import Table, read_table
from common.data.sources.published import MEND, Reference, compare, describe_mismatch
from common.data.tables import Repair

USER, ARTIST = Column("userID", "id"), Column("artistID", "id")
FILES = {
    "artists.dat": (Column("id", "id"), Column("name", "name"), Column("url", "raw"), Column("pictureURL", "raw")),
    "user_artists.dat": (USER, ARTIST, Column("weight", "number", "plays", minimum=ABOVE_0)),
    "tags.dat": (Column("tagID", "id"), Column("tagValue", "name")),
    "user_taggedartists.dat": (
        *(USER, ARTIST, Column("tagID", "id")),
        Column("day", "whole number", minimum=1, maximum=31),
        Column("month", "whole number", minimum=1, maximum=12),
        Column("year", "whole number", minimum=1, maximum=9999),
    ),
    "user_friends.dat": (USER, Column("friendID", "id")),
}
ENCODINGS = {"tags.dat": "iso-8859-1"}

REFERENCES = {
    "artists.dat": Reference(17_632, "4ee50c555d51e0a188eb3b40df16ca8b94a180ba6a4e526955d132e4062dd2fd"),
    "user_artists.dat": Reference(92_834, "d477c0fa0b455a1529ced9a061b1feb0555b6c6bbe4af7530d7c79779ec62f76"),
    "tags.dat": Reference(11_946, "216eccb66e77c9e1a4585eb34aa19cd357d3808dd2e8af126280f114a6f1e2a3"),
    "user_taggedartists.dat": Reference(186_479, "954ae2501c6d52569c745ae3068e01177a22ca8695c1e7dfb6b5ef5a3ffd3199"),
    "user_friends.dat": Reference(25_434, "f48ed2ca424e4b54962d89c696364ea324702051c106420768e0a184909ae887"),
}


@dataclass
class Lastfm:
    """The five files as tables (see `common.data.tables` for the columns; artists: item_id, name)."""

    artists: pd.DataFrame
    interactions: pd.DataFrame
    users: pd.DataFrame
    social: pd.DataFrame
    user_item_tags: pd.DataFrame
    repairs: list[Repair] = field(default_factory=list)
    sources: dict[str, dict[str, object]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def read_lastfm(folder: Path) -> Lastfm:
    """Read and check the five files.

    Plays must be positive: a row with no plays says nothing and stands in no published copy, so it is an error.
    Dates are kept however odd the year. Raises UserError naming file, line, column and remedy.
    """
    files = {
        name: read_table(folder / name, columns, quoted=False, encoding=ENCODINGS.get(name, "utf-8"), mend=MEND)
        for name, columns in FILES.items()
    }
    repairs: list[Repair] = []
    artists = _artists(files["artists.dat"])
    interactions = _interactions(files["user_artists.dat"], artists["item_id"], repairs)
    users = pd.DataFrame({"user_id": np.sort(interactions["user_id"].unique())}, dtype="str")
    tables = Lastfm(
        artists=_without_unheard(artists, interactions, repairs),
        interactions=interactions,
        users=users,
        social=_friendships(files["user_friends.dat"], users["user_id"], repairs),
        user_item_tags=_tag_assignments(
            files["user_taggedartists.dat"], _tag_texts(files["tags.dat"]), users["user_id"], repairs
        ),
        repairs=repairs,
    )
    for name, file in files.items():
        repairs += file.repairs
        tables.sources[name] = compare(file, REFERENCES[name])
        warning = describe_mismatch(file.path, tables.sources[name], REFERENCES[name])
        tables.warnings += [warning] if warning else []
    return tables


def _ids(file: Table, column: str) -> pd.Series:
    """A column of ids, which are whole numbers."""
    ids = pd.Series(file.values(column))
    file.refuse(~ids.str.fullmatch("[0-9]+"), column, "is not a whole number, as an id must be")
    return ids


def _known_ids(file: Table, column: str, known: pd.Series, where: str) -> pd.Series:
    """A column of ids that all stand in `known`; `where` names the file that lists those."""
    ids = _ids(file, column)
    file.refuse(~ids.isin(known), column, f"is not in {where}")
    return ids


def _unique_ids(file: Table, column: str) -> pd.Series:
    """A column of ids of which none comes twice."""
    ids = _ids(file, column)
    file.refuse(ids.duplicated(), column, "is an id that an earlier line already has")
    return ids


def _artists(file: Table) -> pd.DataFrame:
    artists = pd.DataFrame({"item_id": _unique_ids(file, "id"), "name": file.texts("name")})
    return artists.sort_values("item_id", ignore_index=True)


def _interactions(file: Table, artist_ids: pd.Series, repairs: list[Repair]) -> pd.DataFrame:
    """One row per (user, artist), in file order; plays of repeated pairs are added up."""
    listens = pd.DataFrame(
        {
            "user_id": _ids(file, "userID"),
            "item_id": _known_ids(file, "artistID", artist_ids, "artists.dat"),
            "weight": file.numbers("weight"),
        }
    )
    merged = listens.groupby(["user_id", "item_id"], sort=False)["weight"].sum().reset_index()
    _record(repairs, "interactions", "plays of a repeated (user, artist) pair added up", len(listens) - len(merged))
    return merged


def _without_unheard(artists: pd.DataFrame, interactions: pd.DataFrame, repairs: list[Repair]) -> pd.DataFrame:
    heard = artists["item_id"].isin(interactions["item_id"])
    _record(repairs, "items", "artist that nobody listened to dropped", int((~heard).sum()))
    return artists[heard].reset_index(drop=True)


def _friendships(file: Table, user_ids: pd.Series, repairs: list[Repair]) -> pd.DataFrame:
    """Every friendship in both directions, sorted by user and friend."""
    where = "the users of user_artists.dat"
    listed = pd.DataFrame(
        {
            "user_id": _known_ids(file, "userID", user_ids, where),
            "friend_id": _known_ids(file, "friendID", user_ids, where),
        }
    )
    others = listed[listed["user_id"] != listed["friend_id"]]
    _record(repairs, "social", "friendship with oneself dropped", len(listed) - len(others))
    distinct = others.drop_duplicates()
    _record(repairs, "social", "repeated friendship dropped", len(others) - len(distinct))
    turned = distinct.rename(columns={"user_id": "friend_id", "friend_id": "user_id"})
    both = pd.concat([distinct, turned]).drop_duplicates()
    _record(repairs, "social", "missing reverse direction of a friendship added", len(both) - len(distinct))
    return both.sort_values(["user_id", "friend_id"], ignore_index=True)


def _tag_texts(file: Table) -> pd.Series:
    """The text of each tag, by tag id."""
    return file.texts("tagValue").set_axis(_unique_ids(file, "tagID"))


def _tag_assignments(file: Table, texts: pd.Series, user_ids: pd.Series, repairs: list[Repair]) -> pd.DataFrame:
    """Who tagged what with which text, in file order: protocols date a pair by its first row."""
    tag_ids = _known_ids(file, "tagID", pd.Series(texts.index), "tags.dat")
    assignments = pd.DataFrame(
        {
            "user_id": _known_ids(file, "userID", user_ids, "the users of user_artists.dat"),
            "item_id": _ids(file, "artistID"),
            "tag": tag_ids.map(texts),
            "timestamp": _seconds(file),
        }
    )
    distinct = assignments.drop_duplicates(ignore_index=True)
    _record(repairs, "user_item_tags", "repeated tag assignment dropped", len(assignments) - len(distinct))
    return distinct


def _seconds(file: Table) -> np.ndarray:
    """Midnight UTC of each row's date, int64 seconds since 1970; a date that no calendar has is refused."""
    year, month, day = (file.numbers(column).astype(np.int64) for column in ("year", "month", "day"))
    months = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    dates = months.astype("datetime64[D]") + (day - 1)
    file.refuse(dates.astype("datetime64[M]") != months, "day", "is a day that its month does not have")
    return dates.astype("datetime64[s]").astype(np.int64)


def _record(repairs: list[Repair], table: str, what: str, rows: int) -> None:
    if rows:
        repairs.append(Repair(table, what, rows))
