"""Songs that sound alike, found by title: the table of songs, or the tracks of the catalogue where they have audio."""

import re
from dataclasses import dataclass

import pandas as pd

from common.data.artist_names import loose_key
from common.data.dataset import Dataset
from common.data.tables import AUDIO_FEATURES
from common.models.knn.content_knn import nearest_songs, plain_title
from common.serving.name_search import HINT, HINTS, LIKE, LISTED, SHORT, shown
from common.serving.terminal.answers import BAR
from common.utils.errors import UserError, did_you_mean
from common.utils.terminal import bar, cell, columns, fitting, json_text, lines, plain


@dataclass(frozen=True)
class Songs:
    """Songs with a title and all audio features: track_id, name, artist, [popularity], [release_year], features."""

    table: pd.DataFrame

    @staticmethod
    def of(data: Dataset) -> "Songs":
        """The songs of a data set."""
        table = data.tables.songs
        if table is None and set(AUDIO_FEATURES) <= set(data.tables.items.columns):
            table = data.tables.items.rename(columns={"item_id": "track_id"})
        if table is None:
            raise UserError(f"--song: {data.name} has no songs with audio features; ask with --similar instead")
        known = table[table[["name", *AUDIO_FEATURES]].notna().all(axis=1)].reset_index(drop=True)
        if "artist" not in known:
            known = known.assign(artist="")
        if known.empty:
            raise UserError(f"--song: no song of {data.name} has a title and all audio features")
        return Songs(known.astype({"track_id": str, "name": str}).assign(artist=known["artist"].fillna("")))

    def find(self, typed: str) -> pd.Series:
        """The song that is meant: by title, or "Title - Artist"; of its versions the most popular."""
        if not typed.strip():
            raise UserError("--song '': an empty title is no song; give one as it is written")
        titles = self.table["name"].map(plain_title).map(loose_key)
        full = titles + " " + self.table["artist"].map(loose_key)
        keys = {loose_key(typed), loose_key(re.sub(r"\s+by\s+", " ", typed)), loose_key(plain_title(typed))}
        for column in (full, titles):
            if (column.isin(keys)).any():
                return self._choose(typed, self.table[column.isin(keys)])
        from rapidfuzz import fuzz, process

        key, known = loose_key(typed), pd.concat([titles, full]).drop_duplicates().tolist()
        near = process.extract(key, known, scorer=fuzz.ratio, limit=LISTED, score_cutoff=HINT)
        if near and len(key) > SHORT and near[0][1] >= LIKE:
            return self._choose(typed, self.table[(titles == near[0][0]) | (full == near[0][0])])
        rows = [_best_known(self.table[(titles == key) | (full == key)]).iloc[0] for key, _, _ in near[:HINTS]]
        hint = did_you_mean((shown(label(row)) for row in rows), "check the spelling")
        raise UserError(f"no song is called {shown(typed)}; {hint}")

    def _choose(self, typed: str, found: pd.DataFrame) -> pd.Series:
        found = _best_known(found)
        artists = found.drop_duplicates("artist")
        if len(artists) > 1:
            listed = ", ".join(shown(label(row)) for _, row in artists.head(LISTED).iterrows())
            more = f" and {len(artists) - LISTED} more" if len(artists) > LISTED else ""
            raise UserError(f"{shown(typed)} may be {listed}{more}; name one with its artist")
        return found.iloc[0]

    def nearest(self, song: pd.Series, k: int) -> pd.DataFrame:
        """The k songs that sound most like one."""
        return nearest_songs(self.table, str(song["track_id"]), k)

    def as_text(self, song: pd.Series, near: pd.DataFrame) -> str:
        """A list of songs: rank, title and artist, a bar, and where there is room year and genres."""
        rank = len(str(len(near)))
        free = columns() - rank - BAR - 3
        name = free if free < 40 else free * 3 // 5
        rows = [*lines(f"sounds like {plain(label(song))}", columns()), ""]
        for place, (_, row) in enumerate(near.iterrows()):
            cells = [cell(str(place + 1), rank, right=True), cell(label(row), name), bar(row["cosine"], BAR)]
            cells += [cell(_about(row, free - name - 1), free - name - 1)] if name < free else []
            rows.append((" " + " ".join(cells)).rstrip())
        basis = f"why: cosine of nine audio features, standardised over {len(self.table):,} songs; an empty bar is 0"
        return "\n".join([*rows, *lines(basis, columns(), "  ")])

    def as_json(self, song: pd.Series, near: pd.DataFrame) -> str:
        """The same for programs."""
        names = ["track_id", "name", "artist"]
        ranked = near.assign(rank=range(1, len(near) + 1))[["rank", *names, "cosine"]]
        return json_text({"song": song[names].to_dict(), "sounds_like": ranked.to_dict("records")})


def _about(song: pd.Series, size: int) -> str:
    """Year and genres, as many as fit."""
    year = [] if pd.isna(song.get("release_year")) else [str(int(song["release_year"]))]
    genres = song.get("genres")
    return fitting(year + (str(genres).split("|") if isinstance(genres, str) else []), size)


def _best_known(songs: pd.DataFrame) -> pd.DataFrame:
    """Songs in the order of their popularity, where that is known."""
    by = ["popularity"] if "popularity" in songs else []
    return songs.sort_values([*by, "track_id"], ascending=[False] * len(by) + [True])


def label(song: pd.Series) -> str:
    """Title and artist."""
    return f"{song['name']} - {song['artist']}" if song["artist"] else str(song["name"])
