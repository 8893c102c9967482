"""The generated listening: sessions, drift, plays and the cut at each user's most played tracks."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from common.data.synthetic.generator import END_OF_TIME, generate
from common.data.synthetic.listening import DAY, GOLDEN, at_their_hour
from common.data.synthetic.settings import SyntheticSettings
from common.data.tables import Tables
from common.utils.settings import kept_values
from tests.data.synthetic.measured import codes, small

REAL_EXPLAINED = 0.716  # held-out variance of log plays; mean of two seeds


REAL_LOG_PLAYS = (5.47, 1.53)  # mean and standard deviation


def ceiling(tables: Tables) -> float:
    value = tables.notes["explainable_variance"]
    assert isinstance(value, float)
    return value


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


def test_log_plays_are_as_predictable_as_on_lastfm(tables):
    log_plays = np.log(tables.interactions["weight"])
    assert (log_plays.mean(), log_plays.std()) == pytest.approx(REAL_LOG_PLAYS, abs=0.15)
    assert np.mean([explained(tables.interactions, seed) for seed in (0, 1)]) == pytest.approx(REAL_EXPLAINED, abs=0.03)


def test_the_generator_knows_its_noise(tables):
    assert explained(tables.interactions) < ceiling(tables) < explained(tables.interactions) + 0.1
    assert ceiling(small(noise=0.0)) > 0.97
    assert ceiling(generate(SyntheticSettings(users=300, items=1000, noise=3.0))) < ceiling(tables) - 0.1
    assert tables.notes["generator"] == kept_values(SyntheticSettings())


def one_hour(tables: Tables) -> float:
    """How far the events of an item are at one time of day: length of their mean on the clock's circle, 0 to 1."""
    angle = 2 * np.pi * (tables.interactions["timestamp"] % DAY) / DAY
    means = pd.DataFrame({"sin": np.sin(angle), "cos": np.cos(angle)}).groupby(tables.interactions["item_id"])
    often = means.size() >= 10
    return float(np.hypot(*means.mean()[often].to_numpy().T).mean())


def test_a_rhythm_moves_sessions_to_the_hour_of_their_scene():
    even: Any
    regular: Any
    even, half, regular = (small(daily_rhythm=share) for share in (0.0, 0.5, 1.0))
    assert one_hour(even) < 0.3 < one_hour(half) < 0.7 < one_hour(regular)
    assert "daily_rhythm" not in even.notes["generator"], "the name and the hash of the data are those of before"
    assert regular.notes["generator"]["daily_rhythm"] == 1.0
    days = [(tables.interactions["timestamp"] // DAY).max() for tables in (even, regular)]
    assert days[0] == days[1] < END_OF_TIME // DAY, "nobody listens after the period"


def test_a_session_keeps_its_day():
    rng = np.random.default_rng(0)
    start, scene = rng.uniform(0, 30 * DAY - 2_000, (5, 40)), rng.integers(0, 8, (5, 40))
    moved = at_their_hour(start, scene, 30, 1.0, rng)
    assert (moved // DAY == start // DAY).all()
    apart = np.abs(moved % DAY - DAY * (scene * GOLDEN % 1)) / 3_600
    assert np.minimum(apart, 24 - apart).std() < 2
    assert (at_their_hour(start, scene, 30, 0.0, rng) == start).all()


def test_without_a_cut_the_noise_is_the_one_asked_for():
    tables = generate(SyntheticSettings(users=800, items=2000, max_items_per_user=0, noise=1.2))
    log_plays = np.log(tables.interactions["weight"])
    noise = np.sqrt((1 - ceiling(tables)) * log_plays.var())
    assert noise == pytest.approx(1.2, rel=0.03)


def test_users_tag_some_of_what_they_play_after_they_heard_it(tables):
    assert not tables.user_item_tags.duplicated(["user_id", "item_id", "tag"]).any()
    rows = tables.user_item_tags.merge(tables.interactions, on=["user_id", "item_id"], suffixes=("", "_heard"))
    assert len(rows) == len(tables.user_item_tags)
    assert (rows["timestamp"] >= rows["timestamp_heard"]).all()
    pairs = len(rows.drop_duplicates(["user_id", "item_id"]))
    assert pairs / len(tables.interactions) == pytest.approx(0.3, abs=0.02)


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
