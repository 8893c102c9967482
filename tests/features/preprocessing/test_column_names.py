"""Tables in the columns that people have."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from common.features.preprocessing.column_names import STANDARD, find_columns, names_of, names_table
from common.features.preprocessing.preprocessor import MusicPreprocessor
from common.utils.errors import UserError
from tests.features.preprocessing.frames import fitted, frame, noted

DOCS = Path(__file__).parents[3] / "docs/features.md"


def peoples() -> pd.DataFrame:
    """The same songs as `frame` has, as people's tables have them."""
    given = frame()
    seconds = given["duration_ms"] / 1000
    return pd.DataFrame(
        {
            "User": given["user_id"],
            "music": ["One", "Two", "Three", "Four", "Five"],
            "artist_name": given["artist"],
            "genre": ["rock, hard rock", "rock", "pop", "pop, rock", "Rock"],
            "plays": given["weight"],
            "duration": [f"{s // 60:.0f}:{s % 60:09.6f}" if s >= 60 else s for s in seconds],
            "featured_artists": [None, "Ann Lee", "", None, "Ann Lee, Bo"],
            "release_date": given["release_date"],
            "Key": ["C", "G", "D", "A", "E"],
            "mode": ["Major", "major", "Minor", "Major", "minor"],
            "bpm": given["tempo"],
        }
    )


def test_a_table_of_people_gives_the_same_columns():
    preprocessor, ready = fitted(artist_names=["X", "Y|Ann Lee", "X", "Y", "Z|Ann Lee|Bo"])
    own = MusicPreprocessor()
    made = own.fit_transform(peoples())
    shared = [
        "plays_log",
        "release_year",
        "music_age",
        "duration_log",
        "tempo_log",
        "featured_count",
        "key_sin",
        "mode",
    ]
    for column in (*shared, "artist", "year"):
        assert made[column].to_numpy() == pytest.approx(ready[column].to_numpy(), abs=1e-5), column
    assert np.array_equal(own.text(peoples())["genres"], preprocessor.text(frame())["genres"])
    assert noted(own, "column names").keys() == {
        *("user_id", "item_id", "name", "artist", "genres", "weight", "duration_ms", "featured_artists", "key", "tempo")
    } - {"featured_artists"}


def test_a_song_without_an_id_is_its_artist_and_its_name():
    twice = pd.concat([peoples(), peoples()], ignore_index=True)
    own = MusicPreprocessor("none")
    own.fit_transform(twice)
    assert own.quality.set_index("column").loc["tempo_log", "rows"] == 5
    standard = peoples().rename(columns={"music": "name", "artist_name": "artist"})
    assert MusicPreprocessor().fit(standard).links(standard)["item_id"].tolist() == ["Y\tTwo", "Z\tFive", "Z\tFive"]
    nameless = peoples().assign(music=pd.Series(["One", None, "Three", "Four", "Five"], dtype=object))
    with pytest.raises(UserError, match="column 'item_id', row 1: the id is missing"):
        MusicPreprocessor().fit(nameless)


def test_featured_artists_are_links(tmp_path):
    own = MusicPreprocessor().fit(peoples())
    own.save_preprocessors(tmp_path)
    for preprocessor in (own, MusicPreprocessor.load_preprocessors(tmp_path)):
        links = preprocessor.links(peoples())
        assert links[["artist", "featured_artist"]].to_numpy().tolist() == [
            ["Y", "Ann Lee"], ["Z", "Ann Lee"], ["Z", "Bo"],
        ]  # fmt: skip
    assert fitted()[0].links(frame())["featured_artist"].tolist() == ["Ann Lee", "Ann Lee", "Bo"]
    alone = frame(artist_names=None).drop(columns="artist_names")
    assert MusicPreprocessor().fit(alone).links(alone).to_numpy().tolist() == [["b", "Y", "Ann Lee"]]
    nobody = alone.assign(name="Song")
    assert MusicPreprocessor().fit(nobody).links(nobody).empty


def test_units_and_separators_stay_those_of_the_fit():
    own = MusicPreprocessor().fit(peoples().assign(duration=[100, 200, 300, 400, 500]))
    later = own.transform(peoples().assign(duration=[300_000] * 5))
    assert later["duration_log"].iloc[0] > 5  # as seconds, although milliseconds would be more plausible
    in_ms = MusicPreprocessor().fit(peoples().assign(duration=[100_000, 200_000, 300_000, 400_000, 500_000]))
    assert in_ms.quality.set_index("column").loc["duration_log", "mean_before"] == 300_000
    items = peoples().drop(columns=["User", "plays"])
    assert own.transform(items.assign(duration=[300] * 5), ("items",))["duration_log"].to_numpy() == pytest.approx(0)


def test_named_columns_come_before_known_names():
    named = frame().rename(columns={"energy": "power", "name": "title"}).assign(song="other")
    preprocessor = MusicPreprocessor(columns={"energy": "power", "name": "title"})
    ready = preprocessor.fit_transform(named)
    assert ready["energy"].tolist() == fitted()[1]["energy"].tolist()
    assert noted(preprocessor, "column names") == {"energy": 5, "name": 5}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MusicPreprocessor(columns={"enrgy": "e"}).fit(frame()), "column in columns 'enrgy': did you mean"),
        (
            lambda: MusicPreprocessor(columns={"energy": "powr"}).fit(frame()),
            "columns names 'powr' for 'energy', which the frame lacks; correct",
        ),
        (lambda: MusicPreprocessor(columns=["e"]).fit(frame()), "columns must map names"),  # type: ignore[arg-type]
        (
            lambda: MusicPreprocessor().fit(frame().drop(columns="tempo").assign(bpm=1, beats_per_minute=2)),
            "columns 'bpm', 'beats_per_minute' may all be 'tempo'; choose with columns=.'tempo': 'bpm'",
        ),
        (lambda: MusicPreprocessor().fit(peoples().assign(duration="long")), "column 'duration', row 0: 'long'"),
        (lambda: MusicPreprocessor().fit(peoples().assign(Key="H")), "column 'Key', row 0: 'H' is not a number"),
    ],
)
def test_mistakes_in_the_names(make, message):
    with pytest.raises(UserError, match=message):
        make()


def test_no_name_stands_for_two_columns_and_standard_frames_are_left_alone():
    names = [{name.replace("_", "") for name in (column, *names_of(column))} for column in STANDARD]
    assert len(set.union(*names)) == sum(map(len, names))
    assert find_columns(frame(), {}, {}) == {column: column for column in STANDARD if column in frame()}


def test_the_documented_mapping_is_the_one_in_use():
    assert names_table() in DOCS.read_text(encoding="utf-8")
