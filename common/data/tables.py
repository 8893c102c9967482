"""What a data set is once it is read: a handful of plain tables with fixed column names.

Ids are strings as the source spells them. A table that a source lacks is `None`.

| table | columns (optional ones in brackets) |
|---|---|
| interactions | user_id, item_id, weight (plays, ratings, or 1), [timestamp]; one row per pair |
| items | item_id, name, [artist, genres, release_year, duration_ms, explicit, time_signature, group_id, audio] |
| users | user_id, [age, gender, country, registered (day, as 2007-02-01)] |
| social | user_id, friend_id; every friendship stands in both directions |
| item_tags | item_id, tag, weight: tags that come with the catalogue, not from a user |
| user_item_tags | user_id, item_id, tag, [timestamp], rows in file order: who tagged what |
| songs | track_id, item_id (missing where no item matches), name, artist, genres, release_year, audio features |

`timestamp` is whole seconds since 1970-01-01 UTC (int64), negative before it. `genres` holds names joined by "|".
"""

from dataclasses import dataclass, field, fields

import pandas as pd

AUDIO_FEATURES = (
    "danceability",
    "energy",
    "loudness",
    "speechiness",
    "acousticness",
    "instrumentalness",
    "liveness",
    "valence",
    "tempo",
)


@dataclass(frozen=True)
class Repair:
    """One kind of correction made while reading: which table, what was done, how many rows it touched."""

    table: str
    what: str
    rows: int


@dataclass
class Tables:
    """A data set as read, before any split. See the module's table for the columns."""

    interactions: pd.DataFrame
    items: pd.DataFrame
    users: pd.DataFrame
    social: pd.DataFrame | None = None
    item_tags: pd.DataFrame | None = None
    user_item_tags: pd.DataFrame | None = None
    songs: pd.DataFrame | None = None
    predefined: dict[str, pd.DataFrame] = field(default_factory=dict)
    """Parts of a split that came with the data: train, test, and perhaps valid and negatives99."""
    reviews: dict[str, pd.DataFrame] = field(default_factory=dict)
    """Tables for a person to look at, which lie beside the others: what was merged."""
    repairs: list[Repair] = field(default_factory=list)
    notes: dict[str, object] = field(default_factory=dict)
    """What else the manifest should say: content checks, matching counts, the generator's settings."""

    def frames(self) -> dict[str, pd.DataFrame]:
        """The tables that are there, by name."""
        named = ((f.name, getattr(self, f.name)) for f in fields(self))
        return {name: value for name, value in named if isinstance(value, pd.DataFrame)}
