"""The Spotify songs: one row per (track, playlist) in the file, one row per track here."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from common.data.reading.schema import AUDIO, Column
from common.data.reading.table import Table, read_table
from common.data.sources.published import MEND, Reference, compare, describe_mismatch
from common.data.tables import AUDIO_FEATURES, Repair

COLUMNS = (
    *(Column(name, "name") for name in ("track_id", "playlist_genre")),
    *(Column(f"track_{name}", "raw") for name in ("name", "artist", "album_name", "album_release_date")),
    Column("track_popularity", "whole number", minimum=0, maximum=100),
    Column("key", "whole number", minimum=-1, maximum=11),
    Column("mode", "whole number", minimum=0, maximum=1),
    Column("duration_ms", "number", minimum=0),
    *(replace(feature, required=True, missing=False) for feature in AUDIO.values()),
)
REFERENCE = Reference(32_833, "8873e444fe30208737a5f5ed9dab3834db0ee0fa1ef2f857b9c967e091bc4c16")

UNHEARD_WHEN_ZERO = ["danceability", "speechiness", "valence", "tempo"]
"""Spotify gives a track that it could not analyse zeros here, which no audible track has together."""

_DATE = r"([0-9]{4})(?:-(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|[12][0-9]|3[01]))?)?"
_FIRST_RECORDING = 1860


@dataclass
class Songs:
    """The distinct tracks, sorted by track_id (columns as in `common.data.tables`, but for item_id)."""

    tracks: pd.DataFrame
    repairs: list[Repair] = field(default_factory=list)
    source: dict[str, object] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def read_songs(path: Path) -> Songs:
    """Read and check the songs.

    Titles are kept as they are: guests stand in them as "feat." and are not the track's artist. Release dates are
    YYYY, YYYY-MM or YYYY-MM-DD; of any other the year is missing, which is a counted repair. Raises UserError naming
    file, line, column and remedy.
    """
    file = read_table(path, COLUMNS, mend=MEND)
    repairs: list[Repair] = []
    rows = _rows(file)
    tracks = _distinct_tracks(rows, repairs)
    tracks["genres"] = tracks["track_id"].map(_joined_genres(rows))
    _forget_silent_analyses(tracks, repairs)
    _forget_odd_years(tracks, repairs)
    source = compare(file, REFERENCE)
    warning = describe_mismatch(path, source, REFERENCE)
    return Songs(_in_order(tracks), repairs, source, [warning] if warning else [])


def _rows(file: Table) -> pd.DataFrame:
    """The file's rows with typed columns."""
    columns: dict[str, pd.Series | np.ndarray] = {
        "track_id": file.texts("track_id"),
        "name": file.raw("track_name"),
        "artist": file.raw("track_artist"),
        "genre": file.texts("playlist_genre"),
        "date": file.raw("track_album_release_date").str.strip(),
        "popularity": file.numbers("track_popularity").astype(np.int64),
        "duration_ms": file.numbers("duration_ms"),
        "key": file.numbers("key").astype(np.int64),
        "mode": file.numbers("mode").astype(np.int64),
    }
    for feature in AUDIO_FEATURES:
        columns[feature] = file.numbers(feature)
    rows = pd.DataFrame(columns)
    rows.loc[_nameless(file), ["name", "artist"]] = None
    return rows


def _nameless(file: Table) -> pd.Series:
    """Rows without an artist: the file writes NA for missing, but only NA throughout; somebody may be called that."""
    names = pd.DataFrame({name: file.raw(name) for name in ("track_name", "track_artist", "track_album_name")})
    return names.isin(["NA", ""]).all(axis="columns") | (names["track_artist"].str.strip() == "")


def _distinct_tracks(rows: pd.DataFrame, repairs: list[Repair]) -> pd.DataFrame:
    """One row per track, whatever number of playlists it is in: the first of its rows."""
    described = rows.drop(columns="genre").drop_duplicates()
    tracks = described.drop_duplicates("track_id").sort_values("track_id", ignore_index=True)
    _record(repairs, "row that contradicts the track's first one passed over", len(described) - len(tracks))
    _record(repairs, "name and artist of a track without artist set missing", int(tracks["artist"].isna().sum()))
    return tracks


def _joined_genres(rows: pd.DataFrame) -> dict[str, str]:
    """The distinct playlist genres of each track, sorted and joined by "|"."""
    genres: dict[str, set[str]] = {}
    for track, genre in zip(rows["track_id"], rows["genre"], strict=True):
        genres.setdefault(track, set()).add(genre)
    return {track: "|".join(sorted(distinct)) for track, distinct in genres.items()}


def _forget_silent_analyses(tracks: pd.DataFrame, repairs: list[Repair]) -> None:
    silent = (tracks[UNHEARD_WHEN_ZERO] == 0).all(axis="columns")
    tracks.loc[silent, list(AUDIO_FEATURES)] = np.nan
    _record(repairs, "audio features of an all-zero track set missing", int(silent.sum()))


def _forget_odd_years(tracks: pd.DataFrame, repairs: list[Repair]) -> None:
    """Turn the date into a whole, possibly missing `release_year`."""
    written = tracks["date"].where(tracks["date"].str.fullmatch(_DATE)).str[:4]
    years = pd.to_numeric(written, errors="coerce").astype("Int64")
    years = years.where(years >= _FIRST_RECORDING)
    tracks["release_year"] = years
    _record(repairs, "year of a missing or odd release date set missing", int(years.isna().sum()))


def _in_order(tracks: pd.DataFrame) -> pd.DataFrame:
    description = ["track_id", "name", "artist", "genres", "release_year", "popularity", "duration_ms", "key", "mode"]
    return tracks[[*description, *AUDIO_FEATURES]]


def _record(repairs: list[Repair], what: str, rows: int) -> None:
    if rows:
        repairs.append(Repair("songs", what, rows))
