"""The generated data keep the table contract, resemble Last.fm-2K and carry a taste that models can find."""

import dataclasses
import time

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from pandas.testing import assert_frame_equal

from common.data.synthetic.generator import SyntheticSettings, generate
from common.data.tables import AUDIO_FEATURES, Tables
from common.utils.errors import UserError

# Measured on user_artists.dat of HetRec 2011 Last.fm-2K with the functions of this file.
REAL_ROWS = 92_834
REAL_FULL_LISTS = 1_829  # users with exactly 50 artists
REAL_GINI = 0.730  # of listener counts over artists
REAL_SINGLE = 0.606  # share of artists with one listener
REAL_TEN_OR_MORE = 1_530  # artists with ten listeners or more
REAL_EXPLAINED = 0.716  # held-out variance of log plays; mean of two seeds
REAL_LOG_PLAYS = (5.47, 1.53)  # mean and standard deviation
REAL_POPULARITY, REAL_ITEM_KNN = 0.080, 0.212  # NDCG@10, a fifth of each list hidden
REAL_FRIENDS = 1.9  # artists shared by friends, as a multiple of those shared by strangers


@pytest.fixture(scope="module")
def tables() -> Tables:
    return generate(SyntheticSettings())


def ceiling(tables: Tables) -> float:
    value = tables.notes["explainable_variance"]
    assert isinstance(value, float)
    return value


def small(**changes) -> Tables:
    return generate(SyntheticSettings(users=60, items=80, **changes))


def codes(interactions: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    return pd.factorize(interactions["user_id"], sort=True)[0], pd.factorize(interactions["item_id"], sort=True)[0]


def matrix(interactions: pd.DataFrame) -> sp.csr_matrix:
    return sp.csr_matrix((np.ones(len(interactions)), codes(interactions)))


def gini(counts: np.ndarray) -> float:
    n = len(counts)
    return float(2 * (np.arange(1, n + 1) * np.sort(counts)).sum() / (n * counts.sum()) - (n + 1) / n)


def explained(interactions: pd.DataFrame, seed: int = 0) -> float:
    """R2 of global mean + shrunk user mean + shrunk item mean for a random fifth of the log plays."""
    user, item = codes(interactions)
    y = np.log(interactions["weight"].to_numpy())
    shown = np.random.default_rng(seed).random(len(y)) < 0.8
    rest = y - y[shown].mean()
    for group, shrinkage in ((user, 1), (item, 5)):
        total = np.bincount(group[shown], rest[shown], group.max() + 1)
        rest = rest - (total / (np.bincount(group[shown], minlength=len(total)) + shrinkage))[group]
    return float(1 - (rest[~shown] ** 2).sum() / ((y[~shown] - y[~shown].mean()) ** 2).sum())


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


# --- the contract ---------------------------------------------------------------------------------------------------


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


def test_audio_features_are_plausible_and_some_tracks_have_none(tables):
    audio = tables.items[list(AUDIO_FEATURES)]
    assert audio.isna().any(axis=1).mean() == pytest.approx(0.15, abs=0.02)
    assert (audio.isna().any(axis=1) == audio.isna().all(axis=1)).all()
    zero_to_one = audio.drop(columns=["loudness", "tempo"])
    assert zero_to_one.min().min() >= 0
    assert zero_to_one.max().max() <= 1
    assert -45 < audio["loudness"].min() < audio["loudness"].mean() < -4
    assert 50 < audio["tempo"].min() < 100 < audio["tempo"].mean() < 130 < audio["tempo"].max() < 215


def test_sleeves_are_filled_in(tables):
    items = tables.items
    assert items["name"].is_unique
    assert set(items["time_signature"]) == {1, 3, 4, 5}
    assert (items["time_signature"] == 4).mean() > 0.8
    assert 0.05 < items["explicit"].mean() < 0.4
    assert (items["release_date"].str[:4].astype(int) == items["release_year"]).all()
    has_guest = items["artist_names"].str.contains("|", regex=False)
    assert 0.02 < has_guest.mean() < 0.2
    assert items.loc[has_guest, "name"].str.contains("(feat. ", regex=False).all()
    first_listen = pd.to_datetime(tables.interactions["timestamp"].min(), unit="s")
    assert pd.to_datetime(items["release_date"]).max() < first_listen


def test_users_say_who_they_are_with_gaps(tables):
    assert tables.users["age"].dropna().between(13, 80).all()
    assert set(tables.users["gender"].dropna()) == {"f", "m"}
    assert tables.users["country"].nunique() > 5
    assert tables.users.drop(columns="user_id").isna().mean().between(0.005, 0.2).all()


def test_versions_share_the_group_and_the_artist_of_their_original(tables):
    items = tables.items.set_index("item_id")
    versions = items[items["group_id"] != items.index]
    originals = items.loc[versions["group_id"]]
    assert len(versions) / len(items) == pytest.approx(0.06, abs=0.01)
    assert (originals["group_id"] == originals.index).all()
    assert (originals["artist"].to_numpy() == versions["artist"].to_numpy()).all()
    assert (originals["release_year"].to_numpy() <= versions["release_year"].to_numpy()).all()
    assert versions["name"].str.contains(r"\((?:Live|Remix|Remastered|Acoustic)\)$").all()
    distance = np.abs(originals["valence"].to_numpy() - versions["valence"].to_numpy())
    assert np.nanmean(distance) < 0.5 * np.nanmean(np.abs(np.diff(items["valence"])))


# --- time -----------------------------------------------------------------------------------------------------------


def test_a_users_times_are_distinct_and_come_in_sessions(tables):
    gaps = tables.interactions.sort_values(["user_id", "timestamp"]).groupby("user_id")["timestamp"].diff().dropna()
    assert (gaps > 0).all()
    assert 0.3 < (gaps < 3600).mean() < 0.7
    assert (gaps > 86_400).mean() > 0.2
    assert tables.interactions["timestamp"].between(1_704_067_200 - 730 * 86_400, 1_704_067_200).all()


def scene_change(tables: Tables) -> float:
    """Distance between the scenes of the first and of the last ten tracks, as a multiple of odd against even ones."""
    rows = tables.interactions.merge(tables.items[["item_id", "genres"]], on="item_id")
    rows = rows.sort_values(["user_id", "timestamp"])
    place, size = rows.groupby("user_id").cumcount(), rows.groupby("user_id")["item_id"].transform("size")

    def distance(one: pd.Series, other: pd.Series) -> float:
        def shares(part: pd.Series) -> pd.DataFrame:
            return pd.crosstab(rows.loc[part, "user_id"], rows.loc[part, "genres"], normalize="index")

        return float(shares(one).sub(shares(other), fill_value=0).abs().sum(axis=1).mean())

    full = size == 50
    by_session = (rows.groupby("user_id")["timestamp"].diff().fillna(1e9) > 3600).groupby(rows["user_id"]).cumsum() % 2
    return distance(full & (place < 25), full & (place >= 25)) / distance(full & (by_session == 0), full & by_session)


def test_taste_drifts(tables):
    still = generate(SyntheticSettings(drift=0.0))
    assert scene_change(still) == pytest.approx(1.0, abs=0.05)
    assert scene_change(tables) > 1.1


# --- resemblance ----------------------------------------------------------------------------------------------------


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


def test_log_plays_are_as_predictable_as_on_lastfm(tables):
    log_plays = np.log(tables.interactions["weight"])
    assert (log_plays.mean(), log_plays.std()) == pytest.approx(REAL_LOG_PLAYS, abs=0.15)
    assert np.mean([explained(tables.interactions, seed) for seed in (0, 1)]) == pytest.approx(REAL_EXPLAINED, abs=0.03)


def test_the_generator_knows_its_noise(tables):
    assert explained(tables.interactions) < ceiling(tables) < explained(tables.interactions) + 0.1
    assert ceiling(small(noise=0.0)) > 0.97
    assert ceiling(generate(SyntheticSettings(users=300, items=1000, noise=3.0))) < ceiling(tables) - 0.1
    assert tables.notes["generator"] == dataclasses.asdict(SyntheticSettings())


def test_without_a_cut_the_noise_is_the_one_asked_for():
    tables = generate(SyntheticSettings(users=800, items=2000, max_items_per_user=0, noise=1.2))
    log_plays = np.log(tables.interactions["weight"])
    noise = np.sqrt((1 - ceiling(tables)) * log_plays.var())
    assert noise == pytest.approx(1.2, rel=0.03)


# --- signal ---------------------------------------------------------------------------------------------------------


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


def test_tracks_of_one_genre_sound_more_alike_and_those_of_one_artist_even_more(tables):
    items = tables.items.dropna(subset=["energy"])
    audio = items[list(AUDIO_FEATURES)]
    audio = (audio - audio.mean()) / audio.std()
    spread = {
        column: float(audio.groupby(items[column].str.split("|").str[0].to_numpy()).transform("mean").var().mean())
        for column in ("genres", "artist")
    }
    assert spread["genres"] > 0.15  # share of the variance that lies between groups; 0.001 if there were no signal
    assert spread["artist"] > spread["genres"] + 0.2


def test_tags_tell_the_scene_and_the_sound(tables):
    tagged = tables.item_tags.merge(tables.items, on="item_id")
    tags = tagged.groupby("item_id")["tag"].agg(set)
    assert 0.85 < len(tags) / len(tables.items) < 0.95
    genre = tables.items.set_index("item_id")["genres"].str.split("|").str[0].reindex(tags.index).to_numpy()
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, len(tags), (2, 20_000))
    values = tags.to_numpy()
    jaccard = np.array([len(values[i] & values[j]) / len(values[i] | values[j]) for i, j in zip(a, b, strict=True)])
    assert jaccard[genre[a] == genre[b]].mean() > 3 * jaccard[genre[a] != genre[b]].mean()
    energy = tagged.groupby("tag")["energy"].mean()
    assert energy["energetic"] > energy["mellow"] + 0.3


def test_users_tag_some_of_what_they_play_after_they_heard_it(tables):
    assert not tables.user_item_tags.duplicated(["user_id", "item_id", "tag"]).any()
    rows = tables.user_item_tags.merge(tables.interactions, on=["user_id", "item_id"], suffixes=("", "_heard"))
    assert len(rows) == len(tables.user_item_tags)
    assert (rows["timestamp"] >= rows["timestamp_heard"]).all()
    pairs = len(rows.drop_duplicates(["user_id", "item_id"]))
    assert pairs / len(tables.interactions) == pytest.approx(0.3, abs=0.02)


# --- settings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("users", "items"), [(2, 1), (60, 80), (5, 2000), (3000, 40)])
def test_any_size_works(users, items):
    tables = generate(SyntheticSettings(users=users, items=items))
    assert (len(tables.users), len(tables.items)) == (users, items)
    assert tables.interactions["user_id"].nunique() == users
    assert tables.items["name"].is_unique
    heard = tables.interactions["item_id"].nunique()
    assert heard == items or heard > 25 * users  # half of each list guarantees listeners; the rest is free


def test_the_cap_keeps_the_most_played():
    free, capped = (
        generate(SyntheticSettings(users=300, items=3000, max_items_per_user=cap))
        .interactions.groupby("user_id")["weight"]
        .agg(["size", "median"])
        for cap in (0, 20)
    )
    assert capped["size"].max() == 20
    assert free["size"].median() > 70
    assert capped["median"].median() > 2 * free["median"].median()


def test_the_same_settings_give_identical_tables_and_another_seed_others():
    one, same, other = small(), small(), small(seed=1)
    for name, frame in one.frames().items():
        assert_frame_equal(frame, same.frames()[name])
        assert not frame.equals(other.frames()[name])
    assert one.notes == same.notes


def test_empty_tables_are_absent():
    assert small(tagged_share=0.0).user_item_tags is None


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        *[("users", 1), ("items", 0), ("seed", -1), ("max_items_per_user", -1), ("tracks_per_user", 0), ("days", 0)],
        *[("days", 20_000), ("noise", -0.1), ("noise", 9.0), ("noise", float("nan"))],
        *[("drift", 1.5), ("version_share", -0.1), ("missing_audio", 2.0), ("tagged_share", float("nan"))],
    ],
)
def test_bad_settings_name_the_flag_and_the_remedy(setting, value):
    with pytest.raises(UserError, match=rf"^--synthetic\.{setting} is {value}: give .*\.$"):
        generate(SyntheticSettings(**{setting: value}))


def test_the_full_size_takes_under_ten_seconds():
    begin = time.process_time()
    generate(SyntheticSettings(seed=7))
    assert time.process_time() - begin < 10
