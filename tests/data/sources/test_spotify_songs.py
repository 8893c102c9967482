"""The songs file: a row per track, what is repaired, and what is refused with its line."""

import pandas as pd
import pytest

from common.data.sources.spotify_songs import read_songs
from common.data.tables import AUDIO_FEATURES, Repair
from common.utils.errors import UserError
from tests.data.handwritten import SONG_COLUMNS, song, songs_text, write_songs


def test_a_track_in_several_playlists_is_one_song(tmp_path):
    songs = read_songs(write_songs(tmp_path / "songs.csv"))
    assert songs.tracks["track_id"].tolist() == ["t1", "t2", "t3", "t4"]
    assert songs.tracks["genres"].tolist() == ["pop|rock", "r&b", "rock", "rock"]
    assert songs.source["rows"] == 5
    assert songs.repairs == []
    assert "5 rows instead of 32,833" in songs.warnings[0]


def test_quotes_commas_line_breaks_and_guests_stay_in_the_title(tmp_path):
    tracks = read_songs(write_songs(tmp_path / "songs.csv")).tracks.set_index("track_id")
    assert tracks.loc["t3", "name"] == 'Salt, "Pepper"\nand Rain'
    assert tracks.loc["t2", "name"] == "Rapids (feat. Élan Vitále)"
    assert tracks.loc["t2", "artist"] == "Velvet Otters"


def test_release_dates_of_every_length_give_a_year_and_odd_ones_none(tmp_path):
    dates = ["1987", "1987-05", "1987-05-31", "", "0000", "1987-13", "87", "1987-05-31T00", "NA", "1700"]
    rows = [song(track_id=f"t{i}", track_album_release_date=date) for i, date in enumerate(dates)]
    songs = read_songs(write_songs(tmp_path / "songs.csv", *rows))
    assert songs.tracks["release_year"].dtype == "Int64"
    assert songs.tracks["release_year"].tolist() == [1987] * 3 + [pd.NA] * 7
    assert songs.repairs == [Repair("songs", "year of a missing or odd release date set missing", 7)]


def test_an_all_zero_track_loses_its_audio_features(tmp_path):
    silent = dict.fromkeys(AUDIO_FEATURES, "0") | {"energy": "0.315", "loudness": "-26.1", "duration_ms": "4000"}
    songs = read_songs(write_songs(tmp_path / "songs.csv", song(**silent), song(track_id="t2")))
    assert songs.tracks[list(AUDIO_FEATURES)].isna().sum(axis="columns").tolist() == [9, 0]
    assert songs.tracks["duration_ms"].tolist() == [4000, 200000]
    assert songs.repairs == [Repair("songs", "audio features of an all-zero track set missing", 1)]


def test_na_is_missing_only_where_no_name_is_known(tmp_path):
    nameless = song(track_id="t2", track_name="NA", track_artist="NA", track_album_name="NA")
    songs = read_songs(write_songs(tmp_path / "songs.csv", song(track_artist="NA"), nameless))
    assert songs.tracks["artist"].isna().tolist() == [False, True]
    assert songs.repairs == [Repair("songs", "name and artist of a track without artist set missing", 1)]


def test_rows_that_contradict_a_track_are_counted(tmp_path):
    songs = read_songs(write_songs(tmp_path / "songs.csv", song(), song(tempo="60")))
    assert songs.tracks["tempo"].tolist() == [120]
    assert songs.repairs == [Repair("songs", "row that contradicts the track's first one passed over", 1)]


def test_columns_may_stand_in_any_order_and_line_endings_may_differ(tmp_path):
    plain = read_songs(write_songs(tmp_path / "a.csv"))
    other = tmp_path / "b.csv"
    other.write_bytes(("\ufeff" + songs_text(columns=["extra", *reversed(SONG_COLUMNS)])).encode())
    assert read_songs(other).tracks.equals(plain.tracks)
    other.write_bytes(songs_text(song()).replace("\n", "\r\n").encode())
    assert read_songs(other).source == read_songs(write_songs(tmp_path / "c.csv", song())).source


TWO_LINED = song(track_name="one\ntwo")


BAD = [
    (songs_text(columns=[c for c in SONG_COLUMNS if c != "tempo"]), ["line 1", "column 'tempo' is missing"]),
    (songs_text(columns=[*SONG_COLUMNS, "tempo"]), ["line 1", "column tempo comes 2 times"]),
    ("", ["line 1", "empty"]),
    (songs_text(song()).splitlines()[0], ["line 2", "no rows"]),
    (songs_text(TWO_LINED) + "t9,too,few\n", ["line 4", "3 columns instead of 23"]),
    (songs_text(song()) + 't9,"never closed\n', ["line 3", "never closed"]),
    (songs_text(song()).encode() + b"t9,caf\xe9\n", ["line 3", "0xe9"]),
    *[
        (
            songs_text(TWO_LINED, song(**{column: value})),
            ["line 4", f"column {column}", repr(value)[1:-1] or "nothing"],
        )
        for column, value in [
            ("energy", "loud"),
            ("energy", "nan"),
            ("energy", ""),
            ("energy", "1.5"),
            ("valence", "-0.1"),
            ("tempo", "inf"),
            ("tempo", "-1"),
            ("loudness", "-1e6"),
            ("duration_ms", "-5"),
            ("track_popularity", "101"),
            ("key", "2.5"),
            ("mode", "major"),
            ("track_id", ""),
            ("playlist_genre", ""),
        ]
    ],
]


@pytest.mark.parametrize(("content", "said"), BAD)
def test_a_bad_line_is_named(tmp_path, content, said):
    path = tmp_path / "songs.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError) as caught:
        read_songs(path)
    message = str(caught.value)
    assert all(part in message for part in ["songs.csv", *said]), message
    assert "\n" not in message
    assert ";" in message, "the remedy is missing"


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(UserError, match=r"songs\.csv is missing"):
        read_songs(tmp_path / "songs.csv")
    with pytest.raises(UserError, match="is a folder"):
        read_songs(tmp_path)
