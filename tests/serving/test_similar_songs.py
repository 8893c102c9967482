import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from common.data.tables import AUDIO_FEATURES
from common.serving.similar_songs import Songs
from common.utils.errors import UserError

TITLES = [
    ("Creep", "Radiohead"),
    ("Creep - Acoustic", "Radiohead"),
    ("Hurt", "NIN"),
    ("Hurt", "Cash"),
    ("Jóga", "Björk"),
]


def data(rows=TITLES, **columns):
    """A data set of songs, the first and the third of the same sound."""
    features = np.arange(len(rows) * len(AUDIO_FEATURES), dtype=float).reshape(len(rows), -1) ** 1.5
    features[2:3] = features[0] + 0.01
    table = pd.DataFrame(features, columns=list(AUDIO_FEATURES))
    table = table.assign(track_id=[f"t{n}" for n in range(len(rows))], name=[name for name, _ in rows], **columns)
    songs = table.assign(artist=[artist for _, artist in rows])
    return SimpleNamespace(name="songs", tables=SimpleNamespace(songs=songs, items=pd.DataFrame({"item_id": []})))


def test_a_song_is_found_by_title_or_title_and_artist():
    songs = Songs.of(data(popularity=[1, 5, 3, 2, 0]))
    assert songs.find("CREEP")["track_id"] == "t1", "the most popular version"
    assert songs.find("joga")["name"] == "Jóga"
    assert songs.find("Hurt by Cash")["track_id"] == songs.find("Hurt - Cash")["track_id"] == "t3"


def test_what_is_unclear_is_said():
    songs = Songs.of(data())
    with pytest.raises(UserError, match=r"'hurt' may be 'Hurt - .*', 'Hurt - .*'; name one with its artist"):
        songs.find("hurt")
    with pytest.raises(UserError, match="no song is called 'Cryyp'; "):
        songs.find("Cryyp")
    with pytest.raises(UserError, match="empty title"):
        songs.find(" ")


def test_the_nearest_song_is_that_of_the_same_sound():
    songs = Songs.of(data(popularity=[5, 4, 3, 2, 1]))
    song = songs.find("Creep - Radiohead")
    near = songs.nearest(song, 2)
    assert near["track_id"].tolist()[:1] == ["t2"]
    content = json.loads(songs.as_json(song, near))
    assert [row["rank"] for row in content["sounds_like"]] == [1, 2]
    assert "sounds like Creep" in songs.as_text(song, near)


def test_data_without_songs_says_so():
    none = SimpleNamespace(name="bare", tables=SimpleNamespace(songs=None, items=pd.DataFrame({"item_id": ["a"]})))
    with pytest.raises(UserError, match="bare has no songs with audio features"):
        Songs.of(none)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="no song of songs has a title"):
        Songs.of(data([(None, "x"), (None, "y")]))
