import pytest

from common.serving.interleaving.comparison import LIST, compare
from common.serving.store.impressions import Shown

PICKS = [("x", "als"), ("y", "ease"), ("z", "random")]


def shown(number: int, session: str, *clicked: str) -> Shown:
    return Shown(f"r{number}", session, PICKS, set(clicked))


def test_votes_of_a_session_are_added_up():
    lists = [shown(1, "s", "x"), shown(2, "s", "y"), shown(3, "s", "x"), shown(4, "t", "y"), shown(5, "u")]
    (pair,) = compare(("als", "ease"), lists)
    assert (pair.wins, pair.losses, pair.ties, pair.silent) == (1, 1, 0, 1)
    (pair,) = compare(("als", "ease"), lists, LIST)
    assert (pair.wins, pair.losses, pair.ties, pair.silent) == (2, 2, 0, 1)
    (pair,) = compare(("als", "ease"), [shown(1, "s", "x", "y")])
    assert (pair.ties, pair.share, pair.p) == (1, None, 1.0)


def test_every_pair_is_corrected_for_all():
    lists = [shown(n, f"s{n}", "x") for n in range(10)] + [shown(n, f"s{n}", "y") for n in range(10, 12)]
    pairs = compare(("als", "ease", "random"), lists)
    assert [(pair.ranker, pair.other) for pair in pairs] == [("als", "ease"), ("als", "random"), ("ease", "random")]
    assert [(pair.wins, pair.losses) for pair in pairs] == [(10, 2), (10, 0), (2, 0)]
    assert pairs[1].p_holm == pytest.approx(3 * 2 / 2**10)
    assert pairs[1].preferred == "als"
    assert pairs[0].p < 0.05 < pairs[0].p_holm
    assert pairs[0].preferred is None


def test_the_loser_is_named_where_it_is_the_first():
    (pair,) = compare(("als", "ease"), [shown(n, f"s{n}", "y") for n in range(8)])
    assert pair.preferred == "ease"
    assert pair.share == 0


def test_nothing_is_no_preference():
    (pair,) = compare(("als", "ease"), [])
    assert (pair.wins, pair.p, pair.low, pair.high, pair.preferred) == (0, 1.0, 0.0, 1.0, None)
