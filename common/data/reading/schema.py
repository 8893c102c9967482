"""Every table that Encore reads, declared once: what a column holds, its unit and range, whether cells may be missing.

The reader's checks, the messages about a wrong cell and the table in `docs/your-own-data.md` are made from this.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby

import numpy as np

from common.data.tables import AUDIO_FEATURES

MISSING = ("NA", "N/A", "#N/A", "NaN", "nan", "NULL", "null", "None", "none", "nil", "\\N", "<NA>")
"""What programs write where they know no value; so is the empty cell."""
MISSING_CHOICES = REFUSE, DROP, KEEP = "refuse", "drop", "keep"
"""What becomes of a row whose id is missing: an error, left out, or, of a marker such as NA, a name like any other."""
ABOVE_0 = float(np.nextafter(0, 1))
"""The least number above 0, as the lower end of a range that excludes 0."""
NUMBERS = ("number", "whole number")


@dataclass(frozen=True)
class Column:
    """A column of a table, and what its cells may be.

    kind: `id` (text, spelled as `id_column` says), `name` and `text` (markers such as NA are names in the first and
    missing in the second), `raw` (text as it stands), `names` (joined by "|"), `number`, `whole number`, `true or
    false`, `time`. minimum and maximum are inclusive. required: the table must have the column. missing: a cell may be
    empty.
    """

    name: str
    kind: str
    meaning: str = ""
    unit: str = ""
    minimum: float = -np.inf
    maximum: float = np.inf
    required: bool = True
    missing: bool = False

    @property
    def range(self) -> str:
        """The bounds in words, "" where there are none.

        >>> Column("weight", "number", minimum=ABOVE_0, maximum=1e15).range
        'above 0, at most 1e+15'
        """
        if self.minimum > -np.inf and self.maximum < np.inf and self.minimum != ABOVE_0:
            return f"{self.minimum:g} to {self.maximum:g}"
        low = "above 0" if self.minimum == ABOVE_0 else f"at least {self.minimum:g}" if self.minimum > -np.inf else ""
        return ", ".join(filter(None, [low, f"at most {self.maximum:g}" if self.maximum < np.inf else ""]))

    @property
    def expected(self) -> str:
        """What a cell of numbers should be, for a message."""
        return f"a {self.kind}{f' ({self.range})' if self.range else ''}"


optional = partial(Column, required=False, missing=True)
USER, ITEM = Column("user_id", "id", "who"), Column("item_id", "id", "what: a track, an artist, a film, ...")
TAG = Column("tag", "text", "a word for it")
TIMESTAMP = Column("timestamp", "time", "when; see below", required=False)
INTERACTIONS = (
    *(USER, ITEM),
    Column("weight", "number", "how much: plays, stars; 1 without it", "", ABOVE_0, 1e15, required=False),
    TIMESTAMP,
)
SHARES = ("danceability", "energy", "speechiness", "acousticness", "instrumentalness", "liveness", "valence")
AUDIO = {name: optional(name, "number", "how it sounds", "", 0, 1) for name in SHARES} | {
    "loudness": optional("loudness", "number", "mean loudness", "dB", -100, 50),
    "tempo": optional("tempo", "number", "beats", "per minute", 0, 1000),
}
"""The audio features, as Spotify defines them."""
FACTS = (
    optional("name", "name", "title, for people to read"),
    *(optional(name, "name", "who made it") for name in ("artist", "artist_names")),
    optional("genres", "names", "joined by a vertical bar"),
    optional("release_date", "text", "`2001`, `2001-05` or `2001-05-31`"),
    optional("group_id", "id", "the same for all versions of one work"),
    optional("release_year", "number", "year of its release", "", 0, 9999),
    optional("duration_ms", "number", "how long it lasts", "ms", 0),
    optional("time_signature", "number", "beats in a bar", "", 0, 64),
    optional("explicit", "true or false", "whether its words are marked as explicit"),
    optional("popularity", "number", "as the catalogue counts it", "", 0),
    optional("key", "number", "pitch class, -1 unknown", "", -1, 11),
    optional("mode", "number", "1 major, 0 minor", "", 0, 1),
    *(AUDIO[name] for name in AUDIO_FEATURES),
)
TABLES: dict[str, tuple[Column, ...]] = {
    "interactions": INTERACTIONS,
    "items": (ITEM, *FACTS),
    "users": (
        USER,
        optional("age", "number", "how old", "years", 0, 150),
        *(optional(name, "text", "as the source says it") for name in ("gender", "country")),
    ),
    "social": (USER, Column("friend_id", "id", "whom they know; one direction is enough")),
    "item_tags": (
        *(ITEM, TAG),
        Column("weight", "number", "how well it fits; 1 without it", "", 0, 1e15, required=False),
    ),
    "user_item_tags": (USER, ITEM, TAG, TIMESTAMP),
    "songs": (
        Column("track_id", "id", "a track behind an item that is an artist"),
        replace(ITEM, required=False, missing=True, meaning="the artist; empty where none matches"),
        *FACTS,
    ),
    "negatives99": (
        replace(USER, meaning="a user in `test` or `valid`"),
        Column("negative_id", "id", "an item that the held-out one is ranked against"),
        replace(ITEM, required=False, meaning="the held-out item; not needed where each user has one"),
    ),
}
"""The columns of every table of a folder, in the order in which prepared tables keep them; `train`, `valid` and `test`
have those of `interactions`."""


def required(columns: Iterable[Column]) -> list[str]:
    """Names of the columns that a table must have."""
    return [column.name for column in columns if column.required]


def columns_table() -> str:
    """The tables as one Markdown table: a row for each column, those that differ in name alone together."""
    rows = [
        "| table | column | cells | range, unit | missing cells | meaning |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for table, columns in TABLES.items():
        if table == "songs":
            columns = tuple(column for column in columns if column not in FACTS)
        for alike, group in groupby(columns, lambda column: replace(column, name="")):
            names = ", ".join(f"`{column.name}`" for column in group)
            shown = names if alike.required else f"[{names}]"
            rows.append(
                f"| `{table}` | {shown} | {_cells(alike)} | {_measure(alike)} | {_gaps(alike)} | {alike.meaning} |"
            )
        if table == "songs":
            rows.append("| `songs` | [the others of `items`] | | | | |")
    return "".join(f"{row}\n" for row in rows)


def _cells(column: Column) -> str:
    return {"name": "text", "names": "texts"}.get(column.kind, column.kind)


def _measure(column: Column) -> str:
    return " ".join(filter(None, [column.range, column.unit]))


def _gaps(column: Column) -> str:
    return "not known" if column.missing else "refused"
