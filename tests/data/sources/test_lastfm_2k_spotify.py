"""Last.fm artists get the songs that bear their names."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.data.sources.lastfm_2k_spotify import read_lastfm_2k, read_lastfm_spotify
from common.data.tables import AUDIO_FEATURES
from common.utils.errors import UserError
from tests.data.handwritten import LASTFM, song, write_lastfm, write_songs


@pytest.fixture
def real_folder() -> Path:
    folder = Path(os.environ.get("MUSIC_DATA", "data/raw"))
    if not (folder / "spotify" / "spotify_songs.csv").is_file() or not (folder / "hetrec2011-lastfm-2k").is_dir():
        pytest.skip("the real files are not here")
    return folder


def joined(folder: Path, *songs: dict[str, str], artists: list[tuple[str, str, int]] | None = None) -> Any:
    """The joined tables of songs and (id, name, listeners) artists; the handwritten ones where none are given."""
    replaced = {}
    if artists:
        replaced["artists"] = "id\tname\turl\tpictureURL\n" + "".join(f"{i}\t{name}\tu\tp\n" for i, name, _ in artists)
        listens = [f"{user}\t{i}\t10\n" for i, _, listeners in artists for user in (2, 3, 5, 8)[:listeners]]
        replaced["user_artists"] = "userID\tartistID\tweight\n" + "".join(listens)
    write_songs(folder / "spotify_songs.csv", *songs)
    return read_lastfm_spotify(write_lastfm(folder, **replaced), folder / "spotify_songs.csv")


def owners(tables) -> dict[str, str | None]:
    matched = tables.songs["item_id"].astype(object)
    return dict(zip(tables.songs["artist"], matched.where(matched.notna(), None), strict=True))


def test_artists_get_the_content_of_their_distinct_tracks(tmp_path):
    items = joined(tmp_path).items.set_index("item_id")
    assert items.loc["1", "genres"] == "pop|r&b|rock"
    assert items.loc["1", "release_year"] == 2002  # between 2001 and 2004, the earlier year
    assert items.loc["1", "tempo"] == 110  # 120 and 100: the track in two playlists counts once
    assert items.loc["1", "duration_ms"] == 200000
    assert items.loc["2", "genres"] == "rock"  # a bare quote is no part of the name's key
    assert items.loc["4", ["genres", "release_year", "tempo"]].isna().all()
    assert list(items.columns) == ["name", "artist", "genres", "release_year", "duration_ms", *AUDIO_FEATURES]


def test_the_notes_say_what_was_matched(tmp_path):
    notes = joined(tmp_path).notes
    assert set(notes["sources"]) == {*LASTFM, "spotify_songs.csv"}
    matching = notes["matching"]
    assert (matching["artists_matched"], matching["artists_matched_by_identical_name"]) == (2, 1)
    assert matching["tracks_matched"] == 3
    assert matching["share_of_interactions"] == pytest.approx(5 / 9)
    assert matching["share_of_plays"] == pytest.approx(477 / 535)
    assert matching["ambiguous"] == []
    assert notes["tagged_artists_outside_items"] == 1
    assert len(notes["warnings"]) == 6


def test_nothing_matched_leaves_all_content_missing(tmp_path):
    tables = joined(tmp_path, song(track_artist="Nobody We Know"))
    assert tables.items[["genres", "release_year", "duration_ms", *AUDIO_FEATURES]].isna().all(axis=None)
    assert tables.songs["item_id"].isna().all()
    assert tables.items.dtypes["tempo"] == np.float64
    assert tables.items.dtypes["release_year"] == "Int64"


def test_names_of_punctuation_and_of_other_scripts_match_only_themselves(tmp_path):
    songs = [
        song(track_id=str(i), track_artist=name) for i, name in enumerate(["!!!", "???", "夜の海", "夜の山", "NA"])
    ]
    assert owners(joined(tmp_path, *songs)) == {"!!!": "10", "???": None, "夜の海": "7", "夜の山": None, "NA": "11"}


def test_the_identical_spelling_gets_the_songs_and_the_ambiguity_is_listed(tmp_path):
    artists = [("1", "Velvet Ottérs", 4), ("2", "Velvet Otters", 1)]
    tables = joined(tmp_path, song(), artists=artists)
    assert owners(tables) == {"Velvet Otters": "2"}
    assert tables.notes["matching"]["ambiguous"] == [
        {
            "key": "velvet otters",
            "artists": [
                {"item_id": "1", "name": "Velvet Ottérs", "listeners": 4},
                {"item_id": "2", "name": "Velvet Otters", "listeners": 1},
            ],
            "songs_given_to": {"Velvet Otters": "2"},
        }
    ]


def test_without_identical_spelling_the_artist_with_most_listeners_gets_the_songs(tmp_path):
    artists = [("1", "Vélvet Otters", 1), ("2", "The Velvet Otters", 3), ("3", "Velvet-Otters", 2)]
    assert owners(joined(tmp_path, song(), artists=artists)) == {"Velvet Otters": "2"}


def test_an_artist_with_an_identical_spelling_leaves_other_spellings_alone(tmp_path):
    songs = [
        song(),
        song(track_id="t2", track_artist="VELVET OTTERS"),
        song(track_id="t3", track_artist="Velvet-Otters"),
    ]
    tables = joined(tmp_path, *songs)
    assert owners(tables) == {"Velvet Otters": "1", "VELVET OTTERS": None, "Velvet-Otters": None}
    assert tables.notes["matching"]["ambiguous"][0]["songs_given_to"]["VELVET OTTERS"] is None


def test_songs_with_guests_belong_to_the_main_artist(tmp_path):
    tables = joined(tmp_path, song(), song(track_id="t2", track_artist="Velvet Otters feat. Élan Vitále"))
    assert set(owners(tables).values()) == {"1"}
    assert tables.notes["matching"]["ambiguous"] == []


@pytest.mark.real_data
def test_the_real_files(real_folder):
    tables: Any = read_lastfm_spotify(
        real_folder / "hetrec2011-lastfm-2k", real_folder / "spotify" / "spotify_songs.csv"
    )
    assert tables.notes["warnings"] == []
    assert all(source["matches_reference"] for source in tables.notes["sources"].values())
    assert {repair.what: repair.rows for repair in tables.repairs} == {
        "name and artist of a track without artist set missing": 4,
        "audio features of an all-zero track set missing": 1,
    }
    assert len(tables.songs) == 28_356
    assert tables.songs["release_year"].notna().all()
    assert len(tables.items) == 17_632
    assert tables.items["item_id"].is_monotonic_increasing
    assert tables.notes["tagged_artists_outside_items"] == 390
    matching = tables.notes["matching"]
    assert matching["artists_matched"] >= 1_985
    assert tables.items["genres"].notna().sum() == matching["artists_matched"]
    assert 0.51 < matching["share_of_interactions"] < 0.53
    assert 0.64 < matching["share_of_plays"] < 0.66


def test_archives_that_are_not_unpacked_are_named(tmp_path, monkeypatch):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "hetrec.zip").write_bytes(b"PK")
    monkeypatch.setenv("MUSIC_DATA", str(tmp_path / "raw"))
    with pytest.raises(UserError, match=r"hetrec\.zip is there, but packed: unpack it to .*hetrec2011-lastfm-2k/"):
        read_lastfm_2k(tmp_path)
