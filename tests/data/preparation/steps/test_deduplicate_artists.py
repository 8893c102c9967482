import numpy as np
import polars as pl
import pytest

from common.data.preparation.settings import PreparationSettings
from common.data.preparation.steps.deduplicate_artists import NearPair, deduplicate_artists, merged, near_pairs
from tests.data.preparation.raw_logs import columns, workspace, written

# key, has_id, plays. Likeness: twice the letters in common, in order, of all letters of both.
ARTISTS = [
    ("radiohead", False, 100),  # 0
    ("radiohed", False, 3),  # 1: 2 * 8 / 17 = 94.1% like 0
    ("radiohaed", False, 30),  # 2: 2 * 8 / 18 = 88.9% like 0: listed, not merged
    ("daft punk", False, 50),  # 3
    ("daft punkk", True, 1),  # 4: 94.7%, but with an id
    ("blink 182 band", False, 50),  # 5
    ("blink 183 band", False, 1),  # 6: other digits
    ("coldplayer", False, 10),  # 7
    ("coldplayers", False, 3),  # 8: 95.2%, but more than 20% of the plays
    ("muse", False, 9),  # 9
    ("musee", False, 1),  # 10: 88.9%, but too short
    ("massive attack", False, 80),  # 11
    ("massive attak", False, 0),  # 12: not in train
    ("xassive attack", False, 2),  # 13: 92.9%; the beginning differs, the end does not
]


def artists():
    keys, ids, plays = zip(*ARTISTS, strict=True)
    return pl.DataFrame({"id": keys, "name": [key.title() for key in keys], "key": keys, "has_id": ids, "plays": plays})


TRACKS = [
    # item_id, artist, title_key, plays
    ("radiohead | creep", 0, "creep", 50),  # 0
    ("radiohead | nude", 0, "nude", 1),  # 1
    ("radiohed | creep", 1, "creep", 1),  # 2: is 0
    ("radiohed | lotus", 1, "lotus", 1),  # 3: stays
    ("radiohed | nude", 1, "nude", 1),  # 4: as often played as 1, whose id comes first
    ("t7", 1, None, 1),  # 5: has an id
    ("x", -1, "creep", 1),  # 6: has no artist
]


def tracks():
    return pl.DataFrame(TRACKS, ["item_id", "artist", "title_key", "plays"], orient="row")


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    work = workspace(tmp_path_factory.mktemp("near"), artists=artists(), tracks=tracks())
    return deduplicate_artists(work), work


def test_rare_near_spellings_become_the_artist_that_they_mean(done):
    same = columns(written(done[1], "artists"), "same_as")
    assert same == [0, 0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 11]
    assert (done[0].rows_in, done[0].rows_out, done[0].dropped) == (14, 12, {"near_spelling": 2})


def test_tracks_of_artists_that_are_one_are_one(done):
    assert columns(written(done[1], "tracks"), "same_as") == [0, 1, 0, 3, 1, 5, 6]
    assert done[0].notes == {"listed": 6, "tracks_merged": 2}


def test_all_pairs_are_listed_for_review(done):
    assert written(done[1], "near_spellings").rows() == [
        ("Coldplayers", "Coldplayer", 3, 10, 95.2, False),
        ("Daft Punkk", "Daft Punk", 1, 50, 94.7, False),
        ("Radiohed", "Radiohaed", 3, 30, 94.1, False),  # as near, but less played
        ("Radiohed", "Radiohead", 3, 100, 94.1, True),
        ("Xassive Attack", "Massive Attack", 2, 80, 92.9, True),
        ("Radiohaed", "Radiohead", 30, 100, 88.9, False),
    ]


def near(keys, plays, **settings):
    return near_pairs(keys, np.array(plays), PreparationSettings(**settings))


def test_the_threshold_counts_from_its_value_on():
    keys, plays = ["abcdefghij", "abcdefghijk"], [10, 2]
    score = 100 * 20 / 21
    (below,) = near(keys, plays, near_spelling=score - 1e-3)
    (above,) = near(keys, plays, near_spelling=score + 1e-3)
    assert below.score == above.score == pytest.approx(score)
    assert (below[:2], below.same, above.same) == ((1, 0), True, False)
    assert near(keys, plays, near_spelling=score + 4.1) == []


def test_the_rarer_one_must_be_rare_enough():
    keys = ["abcdefghij", "abcdefghijk"]
    assert [pair.same for pair in near(keys, [10, 2])] == [True]
    assert [pair.same for pair in near(keys, [2, 10])] == [True]
    assert [pair.same for pair in near(keys, [10, 3])] == [False]
    assert [pair.same for pair in near(keys, [10, 3], rarer=0.3)] == [True]


def test_a_chain_ends_at_one_artist():
    pairs = [NearPair(0, 1, 95.0, True), NearPair(1, 2, 93.0, True), NearPair(2, 3, 94.0, False)]
    assert merged(5, pairs).tolist() == [2, 2, 2, 3, 4]
    assert merged(2, []).tolist() == [0, 1]


def test_large_blocks_are_compared_in_pieces(monkeypatch):
    keys = [f"abcdefghij{letter}" for letter in "abcdefg"]
    whole = near(keys, [100, 1, 1, 1, 1, 1, 1])
    monkeypatch.setattr("common.data.preparation.steps.deduplicate_artists.AT_ONCE", 2)
    assert near(keys, [100, 1, 1, 1, 1, 1, 1]) == whole
    assert len(whole) == 21
