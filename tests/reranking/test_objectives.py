import numpy as np
import pytest
from scipy import sparse

from common.evaluation import metrics
from common.reranking.item_facts import Reranking
from common.reranking.objectives import Quota
from common.reranking.rerank import rerank_candidates
from tests.reranking.cases import JAZZ, NONE, ROCK, facts_of, naive, one, random_case


def test_mmr_by_hand():
    facts = facts_of([ROCK, ROCK, JAZZ])  # relevance 1, 0.8, 0: rock again is worth 0.8 (1 - d) - d, jazz 0
    assert one(facts, [6.0, 5.0, 1.0], Reranking(diversity=0.44)) == [0, 1, 2]
    assert one(facts, [6.0, 5.0, 1.0], Reranking(diversity=0.45)) == [0, 2, 1]


def test_calibration_by_hand():
    facts = facts_of([ROCK, ROCK, JAZZ, ROCK, JAZZ])
    # After rock, jazz makes the mix exact; rock again leaves KL 1.9585 and is worth 0.8 (1 - c) - 1.9585 c.
    for share, expected in ((0.28, [0, 1, 2]), (0.30, [0, 2, 1])):
        assert one(facts, [6.0, 5.0, 1.0], Reranking(calibration=share), history=[3, 4]) == expected
    assert one(facts, [6.0, 5.0, 1.0], Reranking(calibration=0.9), history=[3]) == [0, 1, 2]


@pytest.mark.parametrize("settings", [{"diversity": 0.4}, {"calibration": 0.4}, {"diversity": 0.3, "calibration": 0.3}])
def test_the_choice_is_the_papers(settings):
    facts, items, scores, histories = random_case()
    found, _ = rerank_candidates(items, scores, histories, facts, Reranking(**settings), k=9)
    for user in range(len(items)):
        expected = naive(items[user], scores[user], histories[user], facts, Reranking(**settings), 9)
        assert found[user][found[user] >= 0].tolist() == expected


def test_a_cap_holds_and_ends_a_list():
    facts, items, scores, histories = random_case(users=20, candidates=30)
    settings = Reranking(per_artist=2, per_genre=3, diversity=0.2)
    lists, _ = rerank_candidates(items, scores, histories, facts, settings, k=20)
    for values, most in ((facts.artists, 2), (facts.genres, 3)):
        assert (metrics.indicator(lists, 60, 20) @ values).max() == most
    rock = facts_of([ROCK, ROCK, ROCK, NONE, JAZZ])
    assert one(rock, [5.0, 4.0, 3.0, 2.0, 1.0], Reranking(per_genre=1)) == [0, 3, 4]


def test_places_go_to_genres_in_proportion():
    facts = facts_of([ROCK] * 10 + [JAZZ] * 10 + [NONE] * 10 + [ROCK] * 6 + [JAZZ] * 2 + [NONE] * 2)
    falling = np.arange(30, 0, -1.0)
    found = one(facts, falling, Reranking(balance=True), history=range(30, 40), k=10)
    assert [sum(item // 10 == genre for item in found) for genre in range(3)] == [6, 2, 2]
    assert one(facts, falling, Reranking(balance=True), history=[], k=3) == [0, 1, 2]
    assert one(facts, falling[:12], Reranking(balance=True), history=[38], k=3) == [0, 1, 2]  # none without genre


def test_an_item_of_two_genres_takes_half_a_place_of_each():
    parts = sparse.csr_array(np.array([[0.5, 0.5], [1.0, 0.0], [0.0, 1.0]]))
    quota = Quota(np.array([[0, 1, 2]]), parts, sparse.csr_array(np.array([[0.6, 0.4]])))
    free = np.ones((1, 3), bool)
    assert quota.allowed(free).tolist() == [[True, True, False]]
    quota.update(np.array([0]), np.array([0]))
    assert quota.seats.tolist() == [[0.5, 0.5]]


def test_an_item_without_features_gains_nothing_by_it():
    facts = facts_of([ROCK, ROCK, NONE, ROCK])
    settings = Reranking(diversity=0.8)
    assert one(facts, [4.0, 3.0, 2.0, 1.0], settings) == [0, 1, 2, 3]
