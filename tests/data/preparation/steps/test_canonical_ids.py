import polars as pl
import pytest

from common.data.preparation.steps.canonical_ids import bucket_count, canonical_ids, most_played
from common.utils.errors import UserError
from tests.data.preparation.raw_logs import START, columns, workspace, written

TEXTS = ("track_id", "track", "artist_id", "artist", "album", "genre")


def events(rows):
    """Rows of texts, each followed by the number of events in train and in test."""
    kinds = dict.fromkeys(("user_id", *TEXTS), pl.String)
    table = []
    for row in rows:
        *texts, train, test = row
        table += [(*texts, START, 0)] * train + [(*texts, START + 9, 2)] * test
    return pl.DataFrame(table, kinds | {"timestamp": pl.Int64, "part": pl.Int8}, orient="row")


def made(folder, table, memory=10**9):
    known = [name for name in TEXTS if table[name].null_count() < len(table)]
    notes = {"validate": {"columns": known, "plays": "plays" in table.columns}}
    work = workspace(folder, notes, events=table)
    work.memory = memory
    return canonical_ids(work), work


def named(user, artist, track, train=1, test=0, album=None, genre=None):
    return (user, None, track, None, artist, album, genre, train, test)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    rows = [
        named("Zoé", "The Beatles", "Help!", 2),
        named("Zoe\u0301", "beatles", "HELP", 1),  # the same user, artist and track
        named("a", "Beatles", "help", 0, 9),  # many plays, but none in train
        named("a", "Rihanna feat. Drake", "Work", 1),
        named("a", "Rihanna", "Work (feat. Drake)", 1),  # titles keep their guests: another track
        named("b", "Drake", "Work", 1),  # another artist's
        named("b", "Egg", "Song", 1),
        named("b", "The Egg", "Song", 1),  # short names: two bands
    ]
    return made(tmp_path_factory.mktemp("canonical"), events(rows))


def test_users_of_one_text_are_one(done):
    assert columns(written(done[1], "users"), "user_id") == ["Zoé", "a", "b"]
    assert done[0].notes["users"] == {"spellings": 4, "ids": 3}


def test_artists_go_by_their_key_under_the_name_most_played_in_train(done):
    assert columns(written(done[1], "artists"), "id", "name", "key", "has_id", "plays") == [
        ("beatles", "The Beatles", "beatles", False, 3),
        ("drake", "Drake", "drake", False, 1),
        ("egg", "Egg", "egg", False, 1),
        ("rihanna", "Rihanna", "rihanna", False, 2),
        ("the egg", "The Egg", "the egg", False, 1),
    ]
    assert done[0].notes["artists"] == {"spellings": 8, "ids": 5}


def test_tracks_go_by_artist_and_title(done):
    tracks = written(done[1], "tracks")
    assert columns(tracks, "item_id", "name", "artist", "featured", "plays") == [
        ("beatles | help", "Help!", 0, None, 3),
        ("drake | work", "Work", 1, None, 1),
        ("egg | song", "Song", 2, None, 1),
        ("rihanna | work", "Work", 3, "Drake", 1),
        ("rihanna | work feat drake", "Work (feat. Drake)", 3, None, 1),
        ("the egg | song", "Song", 4, None, 1),
    ]
    assert columns(tracks, "title_key") == ["help", "work", "song", "work", "work feat drake", "song"]


def test_events_hold_codes(done):
    found = written(done[1], "events")
    assert found.schema == {
        "user": pl.Int32,
        "track": pl.Int32,
        "timestamp": pl.Int64,
        "part": pl.Int8,
    }
    counted = found.group_by("user", "track", "part").len().sort("user", "track", "part").rows()
    assert counted == [(0, 0, 0, 3), (1, 0, 2, 9), (1, 3, 0, 1), (1, 4, 0, 1), (2, 1, 0, 1), (2, 2, 0, 1), (2, 5, 0, 1)]
    assert done[0].rows_in == done[0].rows_out == len(found) == 17


def test_what_has_an_id_keeps_it(tmp_path):
    rows = [
        ("1.0", "7.0", "Help!", "b1", "Beatles", None, None, 1, 0),
        ("2.0", "8.0", "Help!", "b2", "Beatles", None, None, 1, 0),
        ("2.0", "8.0", "HELP!!", "b2", "The Beatles", None, None, 2, 0),
        ("2.0", None, "Help!", None, "Beatles", None, None, 1, 0),
        ("2.0", "9.0", None, None, None, None, None, 1, 0),
    ]
    outcome, work = made(tmp_path, events(rows))
    assert outcome.notes["repaired"] == {
        "user_id: 7.0 read as 7, spellings": 2,
        "track_id: 7.0 read as 7, spellings": 3,
    }
    assert columns(written(work, "users"), "user_id") == ["1", "2"]
    assert columns(written(work, "tracks"), "item_id", "name", "artist", "title_key") == [
        ("7", "Help!", 0, None),
        ("8", "HELP!!", 1, None),
        ("9", "9", -1, None),
        ("beatles | help", "Help!", 2, "help"),
    ]
    assert columns(written(work, "artists"), "id", "name", "has_id") == [
        ("b1", "Beatles", True),
        ("b2", "The Beatles", True),
        ("beatles", "Beatles", False),
    ]


def test_ids_with_and_without_points_are_refused(tmp_path):
    rows = [(user, "t", None, None, None, None, None, 1, 0) for user in ("7", "7.0")]
    with pytest.raises(UserError, match=r"column user_id of the raw files: '7.0' stands beside '7'"):
        made(tmp_path, events(rows))


def test_json_objects_are_no_ids(tmp_path):
    rows = [(user, "t", None, None, None, None, None, 1, 0) for user in ("7", '{"id": "7"}')]
    with pytest.raises(UserError, match="is a JSON object and no id; save ids as text or whole numbers"):
        made(tmp_path, events(rows))


def test_albums_and_genres_come_in_their_most_played_spelling(tmp_path):
    rows = [
        named("u", "Muse", "Uprising", 3, 0, "The Resistance", "Rock | alternative"),
        named("u", "Muse", "Uprising", 1, 0, "the resistance!", "rock"),
        named("u", "Muse", "Resistance", 1, 0, "The  resistance", "rock||ROCK"),
        named("u", "Other", "Uprising", 2, 0, "the resistance", "Alternative"),
    ]
    outcome, work = made(tmp_path, events(rows))
    assert columns(written(work, "tracks"), "item_id", "album", "genres") == [
        ("muse | resistance", "The Resistance", "Rock"),
        ("muse | uprising", "The Resistance", "Rock|alternative"),
        ("other | uprising", "the resistance", "alternative"),
    ]
    assert outcome.notes["albums"] == {"spellings": 4, "ids": 2}
    assert outcome.notes["missing"]["genre"] == 0


def test_ties_go_to_the_first_by_code_point():
    table = pl.DataFrame({"id": ["a"] * 4, "name": ["é", "z", "Z", None], "plays": [2, 2, 2, 5]})
    assert most_played(table, "id", "name").rows() == [("a", "Z")]


def test_what_is_in_train_takes_nothing_from_later_events(tmp_path):
    table = pl.DataFrame({"id": ["a", "a", "b"], "name": [None, "late", "late"], "plays": [1, 0, 0]})
    assert most_played(table, "id", "name").rows() == [("b", "late")]
    rows = [named("u", "Muse", "Uprising"), named("u", "Muse feat. You", "Uprising", 0, 1, "Late", "late")]
    _, work = made(tmp_path, events(rows))
    assert columns(written(work, "tracks"), "album", "genres", "featured") == [(None, None, None)]


def test_plays_count_where_the_log_has_them(tmp_path):
    table = events([named("u", "muse", "A", 3), named("u", "MUSE", "A", 1)]).with_columns(
        plays=pl.Series([1, 1, 1, 9], dtype=pl.Int32)
    )
    _, work = made(tmp_path, table)
    assert columns(written(work, "artists"), "name", "plays") == [("MUSE", 12)]
    assert written(work, "events")["plays"].sum() == 12


def test_buckets_hold_ranges_of_users(tmp_path):
    rows = [named(f"u{number:02}", "Muse", "A", 50) for number in range(20)]
    outcome, work = made(tmp_path, events(rows), memory=4 * 120 * 250)
    assert outcome.notes["buckets"] == bucket_count(1000, 4 * 120 * 250) == 4
    folders = sorted((work.fresh / "events").iterdir())
    users = [set(pl.read_parquet(folder, hive_partitioning=False)["user"]) for folder in folders]
    assert users == [set(range(start, start + 5)) for start in (0, 5, 10, 15)]


def test_a_missing_code_after_a_join_is_noticed(tmp_path, monkeypatch):
    broken = pl.DataFrame({"item_id": ["another"], "genres": ["rock"]})
    monkeypatch.setattr("common.data.preparation.steps.canonical_ids._tracks", lambda *_: broken)
    with pytest.raises(AssertionError, match="lack some: 0 without user, 1 without track,"):
        made(tmp_path, events([named("u", "Muse", "A")]))
