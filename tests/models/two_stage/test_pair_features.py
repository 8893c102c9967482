"""Features of pairs, by hand."""

import re

import numpy as np

from common.models.two_stage.candidates import (
    Proposals,
)
from common.models.two_stage.feature_inputs import feature_tables
from tests.models.two_stage.test_feature_builder import check, made, tiny


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
    proposals = Proposals(["als"], np.zeros(3, np.int64), np.array([1, 2, 3]), scores, np.array([[4.0]], np.float32))
    ranks = proposals.ranks(np.zeros(4, np.int64), np.array([0, 1, 2, 3]))
    assert ranks[:, 0].tolist() == [3, 0, 1, 1], "a pair that is no candidate stands behind all that are better"
    rest = proposals.order_of_the_rest()[0]
    assert rest.argsort(kind="stable").tolist() == [0, 4, 2, 3, 1]
    assert ((rest >= -1) & (rest <= 0)).all()
