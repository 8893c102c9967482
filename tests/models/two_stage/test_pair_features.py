"""Features of pairs by hand, and none that sees the pair it describes."""

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

from common.models.baselines import Popularity
from common.models.two_stage.candidates import KINDS, CandidateGenerator, CandidateSettings, Proposals, available
from common.models.two_stage.feature_inputs import feature_tables
from common.models.two_stage.feature_names import FEATURES
from common.models.two_stage.pair_features import CONTEXT, Pairs, make_features
from common.splits.histories import Histories, Query
from tests.models.two_stage.tiny_world import DAY, check, generator_of, made, tiny


def test_users_items_and_plays_by_hand():
    found = made(tiny(), [0, 0, 1], [2, 4, 1])
    two, logs = np.log(2), [np.log([4, 2]), np.log([8, 8]), np.log([2, 2, 3])]
    means: list[Any] = [values.mean() for values in logs]
    check(
        found,
        user_items=[np.log(3)] * 3,
        user_mainstream=[two, two, two],
        item_listeners=[two, 0, two],  # one listener and none share one popularity
        item_popularity_rank=[0, 3 / 5, 0],
        popularity_gap=[0, -two, 0],
        user_log_plays=[means[0], means[0], means[1]],
        user_total_plays=[np.log(5), np.log(5), np.log(15)],
        user_top_share=[3 / 4, 3 / 4, 1 / 2],
        user_concentration=[10 / 16, 10 / 16, 1 / 2],
        item_log_plays=[np.log([8, 2]).mean(), np.nan, np.log([2, 3]).mean()],
        item_intensity=[
            np.log([8, 2]).mean() - np.mean([means[1], means[2]]),
            np.nan,
            np.log([2, 3]).mean() - np.mean([means[0], means[2]]),
        ],
        relative_activity=[
            means[0] - np.mean([means[1], means[2]]),
            np.nan,
            means[1] - np.mean([means[0], means[2]]),
        ],
    )


def test_friends_and_people_by_hand():
    found = made(tiny(), [0, 1, 2], [2, 1, 0])
    check(
        found,
        friends_listening=[2, 1, 1],
        friends_share=[1, 1, 1],
        user_friends=[np.log(3), np.log(2), np.log(2)],
        user_age=[20, 30, np.nan],
        age_gap=[20 - 30, 30 - 20, np.nan],  # of the listeners of item 2 and 1 one does not say
        gender_share=[1 / 2, 0, 1 / 2],
    )


def test_content_by_hand():
    found = made(tiny(), [0, 0, 1], [3, 4, 3])
    check(
        found,
        genre_max=[np.sqrt(0.5), np.nan, np.sqrt(0.5)],
        genre_mean=[np.sqrt(0.5), np.nan, np.sqrt(0.5)],
        user_genre_entropy=[0, 0, np.log(2)],
        year_gap=[2002 - 1991, np.nan, 2002 - 1995],
    )
    spread = np.std([0, 1, 2, 3])
    check(found, audio_distance=[2.5 / spread * 3, np.nan, 2 / spread * 3])  # nine features alike: sqrt(9) times one
    check(found, audio_max=[-1, np.nan, 1], audio_mean=[-1, np.nan, 0])


def test_tags_by_hand():
    found = made(tiny(), [0, 1], [3, 3])
    x, y = np.log(5 / 3), np.log(5 / 2)  # idf of tags at 3 and 2 of 5 items
    vector = np.array([(1 + np.log(3)) * x, y])
    to_x, to_y = vector / np.linalg.norm(vector)
    check(
        found,
        tag_max=[to_x, max(to_x, to_y)],
        tag_mean=[to_x, (to_x + to_y) / 2],
        tag_overlap=[3 / 4, 1],
        user_tag_entropy=[0, -(2 / 3) * np.log(2 / 3) - (1 / 3) * np.log(1 / 3)],
        user_tag_diversity=[np.log(2), np.log(3)],
    )


def test_times_by_hand():
    found = made(tiny("next"), [0, 1], [2, 1])
    check(
        found,
        days_since_last=[40 - 5, 0],
        events_of_last_day=[np.log(2), np.log(2)],
        item_time_gap=[(40 + 3) / 2 - 5, (5 + 9) / 2 - 40],
        item_newest_gap=[40 - 5, 9 - 40],
        item_now_share=[1 / 2, 1 / 2],  # days 3 and 40 seen from 5; days 5 and 9 seen from 40, 31 days around
        item_later_share=[1 / 2, 0],
    )


def test_an_item_is_lifted_at_the_hour_of_the_request():
    train = tiny("next")
    query = Query(np.arange(3), train.histories, np.array([72 + 5, 4 * 24 + 5, 0]))
    pairs = np.array([0, 1]), np.array([2, 1])
    tables = feature_tables(train, context=True)
    found = make_features(Pairs(tables, generator_of(train).propose(query), *pairs))["context"]
    lifts = tables.arrays["hour_lift"], tables.arrays["weekday_lift"]
    check(found, hour_lift=lifts[0][[2, 1], 5].tolist(), weekday_lift=[lifts[1][2, 3], lifts[1][1, 4]])
    nobody_knows = Pairs(tables, generator_of(train).propose(Query(query.users, query.given)), *pairs)
    check(make_features(nobody_knows)["context"], hour_lift=[0, 0], weekday_lift=[0, 0])
    assert "context" not in make_features(Pairs(feature_tables(train), generator_of(train).propose(query), *pairs))


def test_order_counts_only_where_the_protocol_has_one():
    assert not any(re.search(r"_last_\d", name) for name in made(tiny("listen"), [0], [2]))
    found = made(tiny("next"), [2], [0])
    vectors = feature_tables(tiny("next")).matrices["tag_vectors"].toarray()
    history = [2, 3, 1]
    assert tiny("next").histories[2].tolist() == history
    cosines = vectors[history] @ vectors[0]
    check(found, tag_last_1=[cosines[-1]], tag_last_5=[cosines.mean()], tag_last_15=[cosines.mean()])


def test_ranks_and_scores_of_sources_by_hand():
    scores = np.array([[[0.9, 4.0, 2.0, 2.0, 1.0]]], np.float32)
    generator = CandidateGenerator(CandidateSettings(), 0)
    generator.sources = {"als": Popularity()}
    query = Query(np.array([-1]), Histories.from_lists([[]], 5))
    candidates = np.zeros(3, np.int64), np.array([1, 2, 3])
    proposals = Proposals(generator, query, *candidates, scores, np.array([[4.0]], np.float32))
    ranks = proposals.ranks(np.zeros(4, np.int64), np.array([0, 1, 2, 3]))
    assert ranks[:, 0].tolist() == [3, 0, 1, 1], "a pair that is no candidate stands behind all that are better"
    rest = proposals.order_of_the_rest()[0]
    assert rest.argsort(kind="stable").tolist() == [0, 4, 2, 3, 1]
    assert ((rest >= -1) & (rest <= 0)).all()


def test_somebody_unknown_has_no_friends_and_no_age():
    train = tiny("next")
    times = np.array([7 * DAY])
    history = Histories(np.array([0, 1]), np.array([0], np.int32), np.array([2.0], np.float32), 5, times)
    found = made(train, [0], [2], Query(np.array([-1]), history))
    for name in ("friends_listening", "friends_share", "user_friends", "user_age", "age_gap", "gender_share"):
        assert np.isnan(found[name]).all(), name
    check(found, user_items=[np.log(2)], item_newest_gap=[33])


def test_an_empty_history_leaves_nothing_but_what_the_item_says():
    empty = Histories.from_lists([[]], 5)
    found = made(tiny(), [0, 0], [2, 4], Query(np.array([-1]), empty))
    for name in ("user_mainstream", "tag_max", "genre_mean", "audio_distance", "interaction_strength"):
        assert np.isnan(found[name]).all(), name
    check(found, item_listeners=[np.log(2), 0], user_items=[0, 0])


def test_counts_at_the_floor_are_not_told_apart():
    """Item 3 has one listener, item 4 none: nothing that is said of listeners may tell them apart."""
    found = made(tiny("next"), [0, 0], [3, 4])
    of_listeners = ["popularity_gap", "mainstream_gap", "relative_activity", "age_gap", "gender_share"]
    collaborative = ("als", "ease", "item", "user_knn", "friends_", "interaction", "listening_last", "popularity")
    of_listeners += [name for name in found if name.startswith(collaborative)]
    assert len(of_listeners) >= 33
    for name in of_listeners:
        one, none = found[name]
        assert one == none or (np.isnan(one) and np.isnan(none)), name


def test_a_pair_is_described_alike_whatever_else_is_asked():
    train = tiny("next")
    together = made(train, [0, 0, 1, 2], [2, 4, 1, 0])
    for place, (row, item) in enumerate([(0, 2), (0, 4), (1, 1), (2, 0)]):
        alone = made(train, [row], [item])
        for name, values in alone.items():
            np.testing.assert_allclose(values[0], together[name][place], rtol=1e-6, err_msg=name)


@pytest.mark.parametrize(
    ("changed", "group", "source"),
    [
        ({"user_item_tags": None, "item_tags": None}, "tags", "tag_knn"),
        ({"social": None}, "friends", "friends"),
        ({"users": pd.DataFrame({"user_id": list("uvw")})}, "people", None),
        ({"items": pd.DataFrame({"item_id": list("abcde")})}, "content", "content_knn"),
    ],
)
def test_what_the_data_lack_is_left_out(changed, group, source):
    train = tiny(**changed)
    generator = generator_of(train)
    query = Query(np.arange(3), train.histories)
    groups = make_features(Pairs(feature_tables(train), generator.propose(query), np.array([0]), np.array([2])))
    assert group not in groups
    assert set(groups) == FEATURES.keys() - {group, "order", CONTEXT}
    assert set(KINDS) - set(available(train)) == ({source} if source else set())
    assert (source in generator.sources) is False
