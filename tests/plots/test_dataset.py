import numpy as np
import pandas as pd

from common.data.tables import AUDIO_FEATURES
from common.plots import dataset
from tests.plots.pictures import texts

ROWS = pd.DataFrame({"user_id": list("aab"), "item_id": list("xyx"), "weight": [1.0, 5.0, 20.0]})
RNG = np.random.default_rng(0)
SONGS = pd.DataFrame({name: RNG.random(30) for name in AUDIO_FEATURES}).assign(genres=["rock|pop", "jazz"] * 15)


def test_bins_lie_between_whole_numbers():
    edges = dataset.log_edges(1, 100)
    assert edges[0] == 0.5 and edges[-1] == 100.5
    assert ((edges + 0.5) % 1 == 0).all()


def test_activity_and_popularity(monkeypatch, tmp_path):
    assert "median 5" in texts(monkeypatch, tmp_path, dataset.activity, ROWS, "toy")
    curves = {"listeners": (np.array([0, 1.0]), np.array([0, 1.0]))}
    said = texts(monkeypatch, tmp_path, dataset.popularity, np.array([1, 2]), curves, 0.25, "toy")
    assert "Lorenz curve, Gini 0.25" in said and "listeners" in said


def test_events_without_dates_have_tags_with_dates_or_nothing(monkeypatch, tmp_path):
    tags = ROWS.assign(timestamp=[0, 10**8, 2 * 10**8])
    assert dataset.dated(ROWS, None) is None
    assert dataset.dated(ROWS, tags) is dataset.dated(tags, ROWS) is tags
    assert "interactions per month" in texts(monkeypatch, tmp_path, dataset.timeline, tags, "toy")
    unweighted = tags.drop(columns="weight")
    assert "tag assignments per month" in texts(monkeypatch, tmp_path, dataset.timeline, unweighted, "toy")


def test_the_first_table_with_sound_is_taken():
    assert dataset.sounding(None, ROWS, SONGS) is not None
    assert dataset.sounding(SONGS.assign(energy=np.nan)) is None
    assert dataset.sounding(None, ROWS) is None


def test_sound_is_drawn_where_there_is_some(monkeypatch, tmp_path):
    assert "Audio features of 30 tracks" in texts(monkeypatch, tmp_path, dataset.audio, SONGS, "toy")
    assert "1.00" in texts(monkeypatch, tmp_path, dataset.audio_correlations, SONGS, "toy")
    assert {"rock", "pop", "jazz"} <= {*texts(monkeypatch, tmp_path, dataset.audio_by_genre, SONGS, "toy").splitlines()}


def test_content_friends_tags_splits_and_quality(monkeypatch, tmp_path):
    shares = {"genres": {"items": 0.5, "interactions": 0.75, "plays": 1.0}}
    assert "75%" in texts(monkeypatch, tmp_path, dataset.content, shares, "toy")
    said = texts(monkeypatch, tmp_path, dataset.friends_and_tags, ROWS, [pd.Series(["rock", "rock"])], "toy")
    assert "2 users have friends, 2 in the median" in said and "rock" in said
    splits = {"next": {"test_pairs_of_unseen_items": 0.25, "test_pairs_of_unseen_users": 0.0, "split_sha256": "a"}}
    assert "25%" in texts(monkeypatch, tmp_path, dataset.unseen_pairs, splits, "toy")
    quality = pd.DataFrame({"missing": 0.1, "outliers": 0.0}, index=[f"items.{place}" for place in range(21)])
    said = texts(monkeypatch, tmp_path, dataset.quality, quality, "toy")
    assert "items.19" in said and "items.20" not in said, "the worst twenty"
