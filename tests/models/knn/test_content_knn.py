"""Neighbours by content: the contract, and what they do without content."""

from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics.pairwise import cosine_similarity

from common.data.tables import AUDIO_FEATURES
from common.models.baselines import Popularity
from common.models.knn.content_knn import ContentKNN, ContentKNNSettings, TagKNN, dense_cosines, nearest_songs
from common.models.knn.hybrid_knn import HybridKNN, HybridKNNSettings
from tests.data.worlds import pairs
from tests.models.contract_tests import ContractTests
from tests.models.knn.worlds import seen_in_full


class TestContentKNN(ContractTests):
    kind = ContentKNN
    folds_as_it_scores = True
    other_settings: ClassVar = {"neighbours": 2, "power": 3.0, "popularity": 0.5, "history": "log"}


class TestTagKNN(ContractTests):
    kind = TagKNN
    folds_as_it_scores = True
    other_settings: ClassVar = {"neighbours": 2, "power": 3.0, "popularity": 0.5, "history": "log", "shrinkage": 5.0}


def items_that_sound(**features: float) -> pd.DataFrame:
    """Items whose audio features are all one number; NaN has no audio."""
    columns = {feature: list(features.values()) for feature in AUDIO_FEATURES}
    return pd.DataFrame({"item_id": list(features), **columns})


def test_dense_cosines_equal_scikit_learns_and_leave_featureless_items_out():
    vectors = np.random.default_rng(5).standard_normal((9, 4))
    vectors[[2, 6]] = 0
    found = dense_cosines(vectors, keep=9, block=4).toarray()
    expected = cosine_similarity(vectors)
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(found, np.maximum(expected, 0), atol=1e-6)
    assert not dense_cosines(np.zeros((3, 2)), keep=2).nnz
    assert (np.diff(dense_cosines(vectors, keep=2, block=3).indptr) <= 2).all()


def test_content_knn_scores_by_sound_and_the_silent_by_popularity(tmp_path):
    items = items_that_sound(high=1.0, higher=2.0, low=-2.0, loved=np.nan, liked=np.nan)
    rows = pairs(a="high", b="higher low loved liked", c="loved")
    train = seen_in_full(tmp_path, rows, items=items)
    scores = dict(zip(train.items["item_id"], ContentKNN().fit(train).score(np.array([0]))[0], strict=True))
    assert scores["higher"] == pytest.approx(1.0, abs=1e-6)  # same direction from the mean
    assert max(scores["low"], scores["loved"], scores["liked"]) <= 0
    assert scores["loved"] > scores["liked"]
    leaning = ContentKNN(ContentKNNSettings(popularity=1.0)).fit(train)
    assert leaning.similarity.max() == pytest.approx(1.0, abs=1e-6)  # one listener each: nothing to lean to


@pytest.mark.parametrize("model", [ContentKNN, TagKNN, HybridKNN])
def test_without_content_the_content_models_give_the_popular_list(tmp_path, model):
    train = seen_in_full(tmp_path, pairs(a="x y", b="x z", c="x y w"))
    settings = HybridKNNSettings(collaborative_items=0.0, collaborative_users=0.0) if model is HybridKNN else None
    scores = model(settings).fit(train).score(np.arange(3))
    popular = Popularity().fit(train).score(np.arange(3))
    np.testing.assert_array_equal(np.argsort(-scores, kind="stable"), np.argsort(-popular, kind="stable"))


def test_nearest_songs_are_the_nearest_by_sound_and_each_title_once():
    songs = pd.DataFrame(
        {
            "track_id": ["t0", "t1", "t2", "t3", "t4"],
            "name": ["Own", "Own", "Twin", "Twin", "Other"],
            "artist": ["A", "A", "B", "B", "C"],
            **{feature: [1.0, 1.0, 0.9, 0.9, -1.0] for feature in AUDIO_FEATURES},
        }
    )
    near = nearest_songs(songs, "t0", 5)
    assert near["name"].tolist() == ["Twin", "Other"]
    assert near["cosine"].iloc[0] > 0.9 > near["cosine"].iloc[1]


@pytest.mark.parametrize("rows", [1, 7, 64])
def test_the_memory_for_a_block_of_dense_cosines_changes_nothing(monkeypatch, rows):
    vectors = np.random.default_rng(5).standard_normal((150, 9))
    whole = dense_cosines(vectors, keep=11)
    monkeypatch.setattr("common.models.knn.content_knn.block_bytes", lambda: 20 * 150 * rows)
    parts = dense_cosines(vectors, keep=11)
    np.testing.assert_array_equal(parts.indices, whole.indices)
    np.testing.assert_allclose(parts.data, whole.data, rtol=1e-5, atol=1e-7)  # as sums of float32 are rounded


@pytest.mark.parametrize(("kind", "what"), [(ContentKNN, "audio features"), (TagKNN, "tags")])
def test_data_without_content_are_told(tmp_path, caplog, kind, what):
    train = seen_in_full(tmp_path, pairs(a="p q", b="p"))
    with caplog.at_level("INFO"):
        kind().fit(train)
    assert f"goes by {what}, and no two items share any: its lists are the popular one" in caplog.text
