"""Hand-computed values for the neighbour models; the contract is tested beside them in test_baselines.py."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.metrics.pairwise import cosine_similarity

from common.data.tables import AUDIO_FEATURES
from common.models.baselines import Popularity, Trending, TrendingSettings
from common.models.knn.base import shrunk_cosines
from common.models.knn.content_knn import ContentKNN, ContentKNNSettings, TagKNN, dense_cosines, nearest_songs
from common.models.knn.hybrid_knn import HybridKNN, HybridKNNSettings
from common.models.knn.item_knn import ItemKNN
from common.models.knn.user_knn import UserKNN, UserKNNSettings
from common.splits.histories import Histories, history_matrix
from common.splits.split import Split
from common.splits.train_view import TrainView, make_train_view
from common.utils.errors import UserError
from tests.data.worlds import dataset, pairs

RNG = np.random.default_rng(5)


def seen_in_full(folder, interactions: pd.DataFrame, **tables) -> TrainView:
    """Everything visible: a split that hides nothing."""
    data = dataset(folder, interactions, **tables)
    nothing = interactions.iloc[:0]
    negatives = pd.DataFrame({"user_id": [], "item_id": [], "negative_id": []}, dtype=object)
    return make_train_view(data, Split(interactions, nothing, nothing, negatives), "listen", "final")


def test_shrunk_cosines_by_the_formula():
    matrix = sparse.csr_array((RNG.random((7, 5)) < 0.6).astype(float))
    dense = matrix.toarray()
    found = shrunk_cosines(matrix, keep=5, shrinkage=2.0, asymmetry=0.3, block=2).toarray()
    norm = (dense**2).sum(axis=0)
    expected = dense.T @ dense / (norm[:, None] ** 0.3 * norm[None, :] ** 0.7 + 2.0)
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(found, expected)


def test_dense_cosines_equal_scikit_learns_and_leave_featureless_items_out():
    vectors = RNG.standard_normal((9, 4))
    vectors[[2, 6]] = 0
    found = dense_cosines(vectors, keep=9, block=4).toarray()
    expected = cosine_similarity(vectors)
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(found, np.maximum(expected, 0), atol=1e-6)
    assert not dense_cosines(np.zeros((3, 2)), keep=2).nnz
    assert (np.diff(dense_cosines(vectors, keep=2, block=3).indptr) <= 2).all()


def test_the_past_fades_from_its_end():
    faded = history_matrix(Histories.from_lists([[2, 0, 1], []], 3), "binary", decay=np.log(2)).toarray()
    np.testing.assert_allclose(faded, [[0.5, 1.0, 0.25], [0.0, 0.0, 0.0]])


def test_trending_halves_with_the_half_life(tmp_path):
    day = 86_400
    rows = pairs(a=f"old@0 new@{10 * day} once@{10 * day}", b=f"old@0 new@{10 * day} mid@{5 * day}", c=f"mid@{5 * day}")
    train = seen_in_full(tmp_path, rows)
    model = Trending(TrendingSettings(half_life_days=5.0)).fit(train)
    scores = dict(zip(train.items["item_id"], model.score(np.array([0]))[0], strict=True))
    assert scores == {"new": 2.0, "mid": 1.0, "old": 0.5, "once": 0.0}  # one listener counts like none


def test_trending_refuses_data_without_times(tmp_path):
    with pytest.raises(UserError, match="needs times"):
        Trending().fit(seen_in_full(tmp_path, pairs(a="x y", b="x")))


def test_user_knn_by_hand(tmp_path):
    train = seen_in_full(tmp_path, pairs(a="p q", b="p q r", c="q s", d="t"))
    scores = UserKNN(UserKNNSettings(neighbours=2)).fit(train).score(np.array([0]))[0]
    by_item = dict(zip(train.items["item_id"], scores, strict=True))
    near_b, near_c = 2 / np.sqrt(2 * 3), 1 / 2  # cosines of a's {p, q} with {p, q, r} and {q, s}
    assert by_item["r"] == pytest.approx(near_b)
    assert by_item["s"] == pytest.approx(near_c)
    assert by_item["q"] == pytest.approx(near_b + near_c)  # nobody votes for themselves
    assert by_item["t"] <= 0
    only_nearest = UserKNN(UserKNNSettings(neighbours=1)).fit(train).score(np.array([0]))[0]
    assert dict(zip(train.items["item_id"], only_nearest, strict=True))["s"] <= 0


def items_that_sound(**features: float) -> pd.DataFrame:
    """Items whose audio features are all one number; NaN has no audio."""
    columns = {feature: list(features.values()) for feature in AUDIO_FEATURES}
    return pd.DataFrame({"item_id": list(features), **columns})


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


def test_the_hybrid_is_the_weighted_sum_of_its_scaled_parts(tmp_path):
    train = seen_in_full(tmp_path, pairs(a="p q", b="p q r", c="q s", d="r s t", e="p t"))
    weights: dict[str, Any] = {
        "collaborative_items": 0.6,
        "collaborative_users": 0.3,
        "tags": 0.0,
        "audio": 0.0,
        "popularity": 0.2,
    }
    hybrid = HybridKNN(HybridKNNSettings(**weights)).fit(train)
    assert set(hybrid.parts) == {"item_knn", "user_knn"}  # parts that weigh nothing are not fitted
    everybody = np.arange(train.n_users)
    items, users = ItemKNN().fit(train).score(everybody), UserKNN().fit(train).score(everybody)
    expected = 0.2 * np.log(train.counts) / np.log(train.counts).max().clip(1)
    for weight, scores in ((0.6, items), (0.3, users)):
        expected = expected + weight * np.maximum(scores, 0) / scores.max(axis=1).clip(0).mean()
    found = hybrid.score(everybody)
    np.testing.assert_allclose(found[expected > 0], expected[expected > 0], rtol=1e-5)


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
