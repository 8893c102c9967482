"""The columns that people's tables have, under the names that the preprocessor reads.

A column is taken by its standard name, or else by one that it goes by (`NAMES`: those of raw logs, and others), in any
case and punctuation; `columns` of the preprocessor says what no rule can. Where no column holds an id of the items, an
item is its artist and its name.
"""

from collections.abc import Container, Mapping

import pandas as pd

from common.data.preparation.settings import ALIASES, known_as, plain_name
from common.features.preprocessing.cells import joined_by_bars, milliseconds, separator_of
from common.features.preprocessing.formulas import COLUMNS, KEYS, PARTS, STAND_INS, TEXTS
from common.features.preprocessing.report import Notes
from common.utils.errors import InputError, UserError, check_known

RAW_LOGS = {
    **{"user_id": "user_id", "item_id": "track_id", "name": "track", "artist": "artist"},
    **{"genres": "genre", "weight": "plays", "timestamp": "timestamp"},
}
"""Columns that raw logs have as well, with the name that they bear there."""
OTHERS = {
    "item_id": ("music_id",),
    "name": ("music", "music_name", "music_title"),
    "weight": ("streams", "n_plays", "total_plays", "times_played"),
    "genres": ("track_genre", "music_genre", "playlist_genre"),
    "artist_names": ("artists", "artists_name", "artists_names", "track_artists", "all_artists"),
    "featured_artists": ("featured", "featured_artist", "featured_artist_names", "featuring", "feat", "guests"),
    "release_date": ("released", "date_released", "track_album_release_date", "album_release_date"),
    "release_year": ("year", "released_year", "year_released"),
    "duration_ms": ("duration", "length", "track_duration", "song_duration", "duration_s", "duration_seconds"),
    "explicit": ("is_explicit",),
    "time_signature": ("beats_per_bar", "meter", "metre"),
    "key": ("musical_key", "pitch_class"),
    "mode": ("audio_mode",),
    "tempo": ("bpm", "beats_per_minute"),
    "age": ("user_age",),
    "gender": ("sex", "user_gender"),
    "country": ("user_country", "nation"),
}
"""Names besides those of raw logs."""
STANDARD = tuple(
    dict.fromkeys([*KEYS["interactions"], *TEXTS, "release_date", *(c for part in PARTS for c in COLUMNS[part])])
)
"""Every column that the preprocessor reads."""
JOINED = ("genres", "artist_names", "featured_artists")
"""Columns of several names to a cell."""
IN_SECONDS = tuple(map(plain_name, ("duration_s", "duration_seconds")))
Readings = dict[str, list[str]]
"""Standard column -> the column that it is read from, and the unit or separator of its cells ("" for none)."""
MADE = ["", "made of artist and name"]
"""How ids are read that no column holds."""


def names_of(column: str) -> tuple[str, ...]:
    """Other names that a standard column goes by.

    >>> names_of("genres")[:3]
    ('genre', 'style', 'track_genre')
    """
    of_logs = RAW_LOGS.get(column)
    logged = (of_logs, *ALIASES[of_logs]) if of_logs else ()
    return tuple(name for name in dict.fromkeys((*logged, *OTHERS.get(column, ()))) if name != column)


def names_table() -> str:
    """The mapping as a Markdown table: a row per standard column that goes by other names."""
    rows = [f"| `{column}` | {', '.join(f'`{n}`' for n in names_of(column))} |" for column in STANDARD]
    return "\n".join(["| column | also known as |", "| --- | --- |", *(row for row in rows if "` |" in row[-4:])])


def check_named(columns: Mapping[str, str] | None) -> None:
    """Raise UserError for `columns` that do not map standard names to names."""
    if columns is None:
        return
    if not isinstance(columns, Mapping) or not all(isinstance(name, str) for pair in columns.items() for name in pair):
        raise UserError(f"columns must map names, as in {{'name': 'song'}}, not {columns!r}")
    check_known("column in columns", STANDARD, *columns)


def find_columns(
    frame: pd.DataFrame, named: Mapping[str, str], before: Readings, wanted: Container[str] = STANDARD
) -> dict[str, str]:
    """Standard column -> column of the frame, for all that are there; a fit's choice (`before`) comes before aliases,
    and these are looked for of wanted columns alone.

    UserError where two columns go by one name.
    """
    there = [name for name in frame if isinstance(name, str)]
    taken = {*STANDARD, *named.values()}
    found = {}
    for column in STANDARD:
        chosen = named.get(column, column)
        if chosen not in there and column in before and before[column][0] in there:
            chosen = before[column][0]
        if chosen not in there and column not in named and column in wanted:
            known = known_as((name for name in there if name not in taken), column, names_of(column))
            if len(known) > 1:
                shown = ", ".join(map(repr, known))
                choice = f"columns={{{column!r}: {known[0]!r}}}"
                raise UserError(f"columns {shown} may all be {column!r}; choose with {choice}, or remove the others")
            chosen = known[0] if known else column
        if chosen in there:
            found[column] = chosen
    return found


def standard_frame(
    frame: pd.DataFrame,
    named: Mapping[str, str],
    before: Readings | None,
    notes: Notes,
    wanted: Container[str] = STANDARD,
) -> tuple[pd.DataFrame, Readings]:
    """The frame with its columns under their standard names, and how those were read that are not as they should be.

    before: how a fit read its columns; None: this is the fit, or stands before it. A frame that is as it should be
    comes back itself, and its own columns stay. UserError for a duration that is none, and at the fit for a name in
    `named` that the frame lacks.
    """
    if before is None and (
        lacking := [f"{name!r} for {column!r}" for column, name in named.items() if name not in frame]
    ):
        raise InputError(
            f"columns names {', '.join(lacking)}, which the frame lacks; correct the name or add the column"
        )
    may_make_ids, before, readings = before is None or before.get("item_id") == MADE, before or {}, Readings()
    renamed: dict[str, pd.Series] = {}
    for column, theirs in find_columns(frame, named, before, wanted).items():
        if theirs == column and column != "featured_artists":
            continue
        before_how = before[column][1] if column in before and before[column][0] == theirs else ""
        renamed[column], how = _read(column, frame[theirs], before_how)
        readings[column] = [theirs, how]
        if theirs != column:
            notes.read_from[column] = theirs
            notes.add("column names", column, len(frame), f"read from {theirs}{f', {how}' if how else ''}")
    whole = frame.assign(**renamed) if renamed else frame
    if may_make_ids and "item_id" not in whole and "name" in whole:
        readings["item_id"] = MADE
        notes.add("column names", "item_id", len(frame), MADE[1])
        whole = whole.assign(item_id=_made_ids(whole))
    return whole, readings


def _read(column: str, values: pd.Series, how: str) -> tuple[pd.Series, str]:
    """A column in the unit that it should be in, and the unit or separator that it has."""
    if column == "duration_ms":
        return milliseconds(values, how or ("s" if plain_name(str(values.name)) in IN_SECONDS else ""))
    if column in JOINED:
        how = how or separator_of(values)
        return joined_by_bars(values, how), how
    return values, ""


def _made_ids(frame: pd.DataFrame) -> pd.Series:
    """An id for each row of a table without: the artist's name and the item's; None where it has no name."""
    names = frame["name"].astype(object)
    by = next((column for column in ("artist", STAND_INS["artist"][0]) if column in frame), None)
    makers = frame[by].astype(object).where(frame[by].notna(), "") if by else ""
    return (makers + "\t" + names.where(names.notna(), "").astype(str)).where(names.notna(), None)
