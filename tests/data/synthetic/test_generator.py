"""The generated data keep the table contract, resemble Last.fm-2K and carry a taste that models can find."""

import time

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from pandas.testing import assert_frame_equal

from common.data.synthetic.generator import generate
from common.data.synthetic.settings import SyntheticSettings
from common.data.tables import AUDIO_FEATURES
from tests.data.synthetic.measured import codes, small

# Measured on user_artists.dat of HetRec 2011 Last.fm-2K with the functions of this file.
REAL_ROWS = 92_834


REAL_FULL_LISTS = 1_829  # users with exactly 50 artists


REAL_GINI = 0.730  # of listener counts over artists


REAL_SINGLE = 0.606  # share of artists with one listener


REAL_TEN_OR_MORE = 1_530  # artists with ten listeners or more


REAL_POPULARITY, REAL_ITEM_KNN = 0.080, 0.212  # NDCG@10, a fifth of each list hidden


REAL_FRIENDS = 1.9  # artists shared by friends, as a multiple of those shared by strangers


def matrix(interactions: pd.DataFrame) -> sp.csr_matrix:
    return sp.csr_matrix((np.ones(len(interactions)), codes(interactions)))


def gini(counts: np.ndarray) -> float:
    n = len(counts)
    return float(2 * (np.arange(1, n + 1) * np.sort(counts)).sum() / (n * counts.sum()) - (n + 1) / n)


def ndcg_10(scores: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    gain = 1 / np.log2(np.arange(2, 12))
    top = np.argsort(-scores, axis=1, kind="stable")[:, :10]
    ideal = np.cumsum(gain)[np.minimum(hidden.sum(axis=1), 10).astype(int) - 1]
    return (np.take_along_axis(hidden, top, axis=1) @ gain) / ideal


def popularity_and_item_knn(interactions: pd.DataFrame, users: int) -> tuple[float, float]:
    """NDCG@10 of both for some users, the whole catalogue ranked, the visible history masked."""
    rng = np.random.default_rng(0)
    shuffled = interactions.sample(frac=1, random_state=0)
    place = shuffled.groupby("user_id").cumcount() / shuffled.groupby("user_id")["item_id"].transform("size")
    is_hidden = (place < 0.2).reindex(interactions.index).to_numpy()
    both = matrix(interactions)
    user, item = codes(interactions)
    train = sp.csr_matrix((~is_hidden * 1.0, (user, item)), shape=both.shape)
    chosen = rng.choice(both.shape[0], users, replace=False)
    counts = np.asarray(train.sum(axis=0)).ravel()
    unit = train @ sp.diags_array(1 / np.sqrt(np.maximum(counts, 1)))
    similar = (unit.T @ unit).tocsr()
    masked, hidden = train[chosen].toarray() > 0, (both - train)[chosen].toarray()
    popularity = np.where(masked, -1.0, counts)
    neighbours = np.where(masked, -1.0, (train[chosen] @ similar).toarray())
    return float(ndcg_10(popularity, hidden).mean()), float(ndcg_10(neighbours, hidden).mean())


def test_interactions_have_one_row_per_pair_and_whole_positive_plays(tables):
    frame = tables.interactions
    assert list(frame.columns) == ["user_id", "item_id", "weight", "timestamp"]
    assert frame["weight"].dtype == np.float64
    assert frame["timestamp"].dtype == np.int64
    assert not frame.duplicated(["user_id", "item_id"]).any()
    assert (frame["weight"] >= 1).all()
    assert (frame["weight"] % 1 == 0).all()


def test_every_id_is_a_unique_string_and_every_reference_is_known(tables):
    for frame, column in ((tables.users, "user_id"), (tables.items, "item_id")):
        assert frame[column].is_unique
        assert all(isinstance(value, str) for value in frame[column])
        assert frame[column].is_monotonic_increasing
    for frame in tables.frames().values():
        for column, known in (("user_id", tables.users), ("friend_id", tables.users), ("item_id", tables.items)):
            if column in frame:
                assert frame[column].isin(known[column.replace("friend", "user")]).all()
    assert tables.items["group_id"].isin(tables.items["item_id"]).all()


def test_all_tables_have_the_contracts_columns(tables):
    assert list(tables.users.columns) == ["user_id", "age", "gender", "country"]
    assert list(tables.social.columns) == ["user_id", "friend_id"]
    assert list(tables.item_tags.columns) == ["item_id", "tag", "weight"]
    assert list(tables.user_item_tags.columns) == ["user_id", "item_id", "tag", "timestamp"]
    wanted = "name artist artist_names genres release_year release_date duration_ms explicit time_signature group_id"
    assert set(tables.items.columns) == {"item_id", *wanted.split(), *AUDIO_FEATURES}


def test_ids_do_not_follow_popularity(tables):
    listeners = tables.interactions["item_id"].value_counts().reindex(tables.items["item_id"])
    assert abs(np.corrcoef(np.arange(len(listeners)), listeners)[0, 1]) < 0.03


def test_friendships_stand_in_both_directions(tables):
    pairs = set(tables.social.itertuples(index=False, name=None))
    assert len(pairs) == len(tables.social)
    assert {(b, a) for a, b in pairs} == pairs
    assert all(a != b for a, b in pairs)


def test_users_say_who_they_are_with_gaps(tables):
    assert tables.users["age"].dropna().between(13, 80).all()
    assert set(tables.users["gender"].dropna()) == {"f", "m"}
    assert tables.users["country"].nunique() > 5
    assert tables.users.drop(columns="user_id").isna().mean().between(0.005, 0.2).all()


def test_the_sizes_are_those_of_lastfm(tables):
    assert (len(tables.users), len(tables.items)) == (1892, 17632)
    assert len(tables.interactions) == pytest.approx(REAL_ROWS, rel=0.01)
    per_user = tables.interactions["user_id"].value_counts()
    assert per_user.max() == 50
    assert (per_user == 50).sum() == pytest.approx(REAL_FULL_LISTS, abs=30)
    assert len(per_user) == 1892


def test_the_long_tail_is_that_of_lastfm(tables):
    listeners = tables.interactions["item_id"].value_counts().to_numpy()
    assert len(listeners) == 17632  # every track has a listener
    assert gini(listeners) == pytest.approx(REAL_GINI, abs=0.02)
    assert (listeners == 1).mean() == pytest.approx(REAL_SINGLE, abs=0.03)
    assert (listeners >= 10).sum() == pytest.approx(REAL_TEN_OR_MORE, rel=0.15)


def test_neighbours_beat_popularity_as_on_lastfm(tables):
    popularity, item_knn = popularity_and_item_knn(tables.interactions, users=400)
    assert 0.5 * REAL_POPULARITY < popularity < 1.25 * REAL_POPULARITY
    assert item_knn == pytest.approx(REAL_ITEM_KNN, rel=0.2)
    assert item_knn > 1.5 * popularity


def test_neighbours_beat_popularity_in_a_small_world():
    popularity, item_knn = popularity_and_item_knn(
        generate(SyntheticSettings(users=500, items=1500, tracks_per_user=60, max_items_per_user=30)).interactions, 500
    )
    assert item_knn > 1.5 * popularity


def test_friends_share_more_than_strangers(tables):
    plays = matrix(tables.interactions)
    row = {user: k for k, user in enumerate(sorted(tables.interactions["user_id"].unique()))}
    one, other = (tables.social[column].map(row).to_numpy() for column in ("user_id", "friend_id"))
    strangers = np.random.default_rng(0).permutation(other)
    shared = [np.asarray(plays[one].multiply(plays[them]).sum(axis=1)).mean() for them in (other, strangers)]
    assert 0.8 * REAL_FRIENDS < shared[0] / shared[1] < 1.5 * REAL_FRIENDS


@pytest.mark.parametrize(("users", "items"), [(2, 1), (60, 80), (5, 2000), (3000, 40)])
def test_any_size_works(users, items):
    tables = generate(SyntheticSettings(users=users, items=items))
    assert (len(tables.users), len(tables.items)) == (users, items)
    assert tables.interactions["user_id"].nunique() == users
    assert tables.items["name"].is_unique
    heard = tables.interactions["item_id"].nunique()
    assert heard == items or heard > 25 * users  # half of each list guarantees listeners; the rest is free


def test_the_same_settings_give_identical_tables_and_another_seed_others():
    one, same, other = small(), small(), small(seed=1)
    for name, frame in one.frames().items():
        assert_frame_equal(frame, same.frames()[name])
        assert not frame.equals(other.frames()[name])
    assert one.notes == same.notes


def test_empty_tables_are_absent():
    assert small(tagged_share=0.0).user_item_tags is None


def test_the_full_size_takes_under_ten_seconds():
    begin = time.process_time()
    generate(SyntheticSettings(seed=7))
    assert time.process_time() - begin < 10
