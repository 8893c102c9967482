from collections import Counter

import numpy as np
import pytest

from common.serving.interleaving.team_draft import NOBODY, Pick, credits, draft_rng, team_draft
from common.utils.errors import UserError


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_each_round_takes_the_best_new_item_of_every_ranker():
    """Whoever begins, the draft of two lists is one of those that can be written down by hand."""
    lists = {"A": ["a", "b", "c"], "B": ["b", "d", "a"]}
    possible = {
        (("a", "A"), ("b", "B"), ("c", "A"), ("d", "B")),
        (("a", "A"), ("b", "B"), ("d", "B"), ("c", "A")),
        (("b", "B"), ("a", "A"), ("c", "A"), ("d", "B")),
        (("b", "B"), ("a", "A"), ("d", "B"), ("c", "A")),
    }
    found = {tuple(tuple(pick) for pick in team_draft(lists, 4, rng(seed))) for seed in range(60)}
    assert found == possible


def test_the_same_seed_gives_the_same_list():
    lists = {"A": range(10), "B": range(5, 15)}
    drafts = [team_draft(lists, 10, draft_rng(3, request)) for request in ("x", "x", "y", "z", "w")]
    assert drafts[0] == drafts[1]
    assert len({tuple(draft) for draft in drafts}) > 1


@pytest.mark.parametrize("k", [1, 3, 7, 10, 50])
def test_teams_are_even_and_no_item_comes_twice(k):
    lists = {"A": [*range(20)], "B": [*range(10, 30)], "C": [*range(20, 40)]}
    for seed in range(20):
        picks = team_draft(lists, k, rng(seed))
        sizes = Counter(pick.team for pick in picks if pick.team != NOBODY)
        items = [pick.item for pick in picks]
        assert len(items) == len(set(items)) == min(k, 40)
        assert not sizes or max(sizes.values()) - min([*sizes.values(), *[0] * (3 - len(sizes))]) <= 1


def test_a_repeated_item_counts_where_it_stands_first():
    picks = team_draft({"A": ["a", "a", "b"], "B": ["c", "c", "d"]}, 10, rng())
    assert sorted(picks) == [("a", "A"), ("b", "A"), ("c", "B"), ("d", "B")]


def test_what_follows_the_end_of_a_shorter_list_counts_for_nobody():
    picks = team_draft({"short": ["a"], "long": [*"bcdef"]}, 10, rng())
    assert {pick.team for pick in picks[:2]} == {"short", "long"}
    assert [*map(tuple, picks[2:])] == [(item, NOBODY) for item in "cdef"]
    assert {pick.team for pick in team_draft({"none": [], "long": [*"abc"]}, 3, rng())} == {NOBODY}
    assert team_draft({"none": [], "nothing": []}, 3, rng()) == []


def test_a_round_that_cannot_be_ended_counts_for_nobody_even_where_k_cuts_it():
    """Else the first of the round would have one item more than the other could ever have."""
    for seed in range(20):
        picks = team_draft({"A": ["a", "c"], "B": ["b", "c"]}, 3, rng(seed))
        assert picks[2] == Pick("c", NOBODY)


def test_identical_lists_and_a_careless_click_favour_nobody():
    """Clicks that ignore who gave the item go to either team half of the time (within 4 standard errors)."""
    lists = {"A": [*range(10)], "B": [*range(10)]}
    drawn = rng(5)
    votes = Counter(team_draft(lists, 9, drawn)[int(drawn.geometric(0.4) - 1) % 9].team for _ in range(2000))
    assert abs(votes["A"] - 1000) < 4 * np.sqrt(500)


@pytest.mark.parametrize("lists", [{}, {"A": [1]}, {"A": [1], "": [2]}])
def test_it_takes_two_named_rankers(lists):
    with pytest.raises(UserError, match="two named rankers"):
        team_draft(lists, 3, rng())


@pytest.mark.parametrize("k", [0, -1, 2.5, True])
def test_k_is_a_whole_number(k):
    with pytest.raises(UserError, match="k"):
        team_draft({"A": [1], "B": [2]}, k, rng())


def test_a_ranker_without_a_click_has_no_vote_and_items_of_nobody_give_none():
    picks = [Pick("a", "A"), Pick("b", "B"), Pick("c", "A"), Pick("d", NOBODY)]
    assert credits(picks, {"a", "c", "d", "elsewhere"}) == {"A": 2, "B": 0}
    assert credits([], {"a"}) == {}
