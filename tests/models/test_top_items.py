"""From scores to top lists: the order of equal scores, masks, and scores that are refused."""

from hashlib import blake2b

import numpy as np
import pandas as pd
import pytest

from common.models.top_items import check_scores, sort_keys, tie_places, top_items
from common.splits.histories import Histories

FLOAT32 = np.finfo(np.float32)


def tied_scores(shape, rng, values=4):
    """Scores of which most are equal, zeros of both signs among them."""
    scores = rng.integers(-1, values - 1, shape).astype(np.float32) / 4
    scores[rng.random(shape) < 0.1] = np.float32(-0.0)
    return scores


def item_ids(n):
    return np.array([f"{i:05d}" for i in range(n)], object)


def hash_of(item):
    return int.from_bytes(blake2b(item.encode(), digest_size=8).digest(), "big")


def test_places_follow_the_hash_of_the_id():
    ids = item_ids(200)
    assert list(np.argsort(tie_places(ids))) == sorted(range(200), key=lambda i: hash_of(ids[i]))


def test_places_are_fixed_for_ever():
    """Figures of two versions compare only if ties fall alike."""
    assert tie_places(pd.Series(["1", "2", "51", "abc", "夜の海"])).tolist() == [
        4,
        1,
        2,
        3,
        0,
    ]  # as `b2sum -l 64` orders them


def test_keys_order_like_the_floats():
    rng = np.random.default_rng(0)
    bits = rng.integers(2**32, size=5000, dtype=np.uint64).astype(np.uint32)
    scores = bits.view(np.float32)
    scores = np.concatenate(
        [
            scores[np.isfinite(scores)],
            [0.0, -0.0, FLOAT32.max, FLOAT32.min, FLOAT32.tiny, -FLOAT32.tiny],
            [FLOAT32.smallest_subnormal, -FLOAT32.smallest_subnormal, 1e-40, -1e-40],
        ]
    ).astype(np.float32)
    places = rng.permutation(len(scores))
    order = np.argsort(sort_keys(scores[None], places)[0])[::-1]
    np.testing.assert_array_equal(order, np.lexsort((places, -scores.astype(float))))


def test_keys_of_ties_order_by_place_and_all_differ():
    rng = np.random.default_rng(1)
    scores, places = tied_scores((20, 300), rng), rng.permutation(300)
    keys = sort_keys(scores, places)
    for row in range(20):
        expected = np.lexsort((places, -scores[row]))
        np.testing.assert_array_equal(np.argsort(keys[row])[::-1], expected)
        assert len(np.unique(keys[row])) == 300


def test_zero_and_minus_zero_are_equal():
    assert sort_keys(np.array([[0.0]], np.float32), np.array([0])) == sort_keys(
        np.array([[-0.0]], np.float32), np.array([0])
    )


def test_no_score_has_the_key_of_a_masked_item():
    assert sort_keys(np.array([[FLOAT32.min]], np.float32), np.array([0])).min() > 0


def test_scores_are_not_changed_in_place():
    scores = np.array([[-1.0, -0.0, 2.0]], np.float32)
    sort_keys(scores, np.arange(3))
    assert scores.tobytes() == np.array([[-1.0, -0.0, 2.0]], np.float32).tobytes()


def test_history_is_never_returned():
    rng = np.random.default_rng(6)
    histories = Histories.from_lists([rng.permutation(40)[: rng.integers(41)].tolist() for _ in range(50)], 40)
    scores = rng.normal(size=(50, 40)).astype(np.float32)
    scores[np.repeat(np.arange(50), histories.lengths), histories.items] = FLOAT32.max
    items, _ = top_items(scores, histories, tie_places(item_ids(40)), depth=40)
    for user in range(50):
        listed = items[user][items[user] >= 0]
        assert sorted([*listed, *histories[user]]) == list(range(40))


def test_more_asked_for_than_exists():
    scores = np.array([[1.0, 3.0, 2.0]], np.float32)
    items, values = top_items(scores, Histories.from_lists([[1]], 3), np.arange(3), depth=5)
    assert items.tolist() == [[2, 0, -1, -1, -1]]
    np.testing.assert_array_equal(values, [[2.0, 1.0, np.nan, np.nan, np.nan]])


def test_a_user_who_has_everything_gets_an_empty_list():
    items, values = top_items(np.ones((1, 3), np.float32), Histories.from_lists([[0, 1, 2]], 3), np.arange(3), depth=2)
    assert items.tolist() == [[-1, -1]]
    assert np.isnan(values).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_that_are_no_numbers_are_refused(bad):
    scores = np.ones((2, 3), np.float32)
    scores[1, 2] = bad
    with pytest.raises(ValueError, match="finite"):
        top_items(scores, Histories.from_lists([[], []], 3), np.arange(3))


def test_scores_too_large_for_float32_are_refused():
    with pytest.raises(ValueError, match="finite"):
        check_scores(np.array([[1e300]]), (1, 1))


@pytest.mark.parametrize("shape", [(2, 4), (3, 3), (3, 2), (6,)])
def test_scores_of_the_wrong_shape_are_refused(shape):
    with pytest.raises(ValueError, match="shape"):
        check_scores(np.zeros(shape, np.float32), (2, 3))


@pytest.mark.parametrize("kind", [np.float64, np.int64, np.float16])
def test_other_number_types_become_float32(kind):
    checked = check_scores(np.array([[1, 2]], kind).T.copy().T, (1, 2))
    assert checked.dtype == np.float32
    assert checked.flags.c_contiguous
