import numpy as np
import pytest

from common.splits.histories import Histories, history_matrix

LISTS = [[4, 1, 2], [], [3], [0, 0, 4]]


@pytest.fixture
def timed() -> Histories:
    users = np.array([2, 0, 0, 2, 1, 2])
    items = np.array([5, 1, 3, 0, 4, 2])
    weights = np.array([1, 2, 3, 4, 5, 6], float)
    return Histories.from_events(users, items, weights, n_users=4, n_items=6, timestamps=10 * np.arange(6))


def test_lists_come_back_as_they_were():
    histories = Histories.from_lists(LISTS, 5)
    assert [histories[row].tolist() for row in range(len(histories))] == LISTS
    assert histories.lengths.tolist() == [3, 0, 1, 3]
    assert (histories.indptr.dtype, histories.items.dtype) == (np.int64, np.int32)


@pytest.mark.parametrize("lists", [[], [[]], [[], []]])
def test_nobody_and_nothing_are_histories_too(lists):
    histories = Histories.from_lists(lists, 3)
    assert len(histories) == len(lists)
    assert histories.matrix().shape == (len(lists), 3)
    assert histories.take(np.arange(len(lists))).lengths.sum() == 0
    assert len(histories.first(np.full(len(lists), 2))) == len(lists)


@pytest.mark.parametrize("item", [-1, 5])
def test_a_code_outside_the_catalogue_is_refused(item):
    with pytest.raises(ValueError, match=r"0\.\.4"):
        Histories.from_lists([[0, item]], 5)


def test_events_keep_their_order_within_a_user(timed):
    assert [timed[row].tolist() for row in range(4)] == [[1, 3], [4], [5, 0, 2], []]
    assert timed.timestamps.tolist() == [10, 20, 40, 0, 30, 50]
    assert timed.weights.tolist() == [2, 3, 5, 1, 4, 6]


def test_take_gives_users_in_the_order_asked_for_even_twice(timed):
    taken = timed.take(np.array([2, 3, 0, 2]))
    assert [taken[row].tolist() for row in range(4)] == [[5, 0, 2], [], [1, 3], [5, 0, 2]]
    assert taken.timestamps.tolist() == [0, 30, 50, 10, 20, 0, 30, 50]
    assert taken.weights.tolist() == [1, 4, 6, 2, 3, 1, 4, 6]


@pytest.mark.parametrize("length", [0, 1, 2, 9])
def test_first_cuts_every_history(timed, length):
    cut = timed.first(np.full(4, length))
    assert [cut[row].tolist() for row in range(4)] == [timed[row].tolist()[:length] for row in range(4)]
    assert len(cut.timestamps) == len(cut.weights) == len(cut.items)


def test_every_history_may_be_cut_elsewhere_and_nobody_has_an_empty_one(timed):
    cut = timed.take(np.array([2, -1, 2, 0])).first(np.array([2, 5, 1, 0]))
    assert [cut[row].tolist() for row in range(4)] == [[5, 0], [], [5], []]
    assert cut.timestamps.tolist() == [0, 30, 0]


def test_events_know_their_user_and_their_place_from_the_end(timed):
    assert timed.rows.tolist() == [0, 0, 1, 2, 2, 2]
    assert timed.from_end.tolist() == [1, 0, 0, 2, 1, 0]
    kept = timed.keep(timed.from_end == 1)
    assert [kept[row].tolist() for row in range(4)] == [[1], [], [0], []]
    assert (kept.timestamps.tolist(), kept.weights.tolist()) == ([10, 30], [2, 4])


def test_the_matrix_sums_weights(timed):
    expected = np.zeros((4, 6), np.float32)
    expected[[0, 0, 1, 2, 2, 2], [1, 3, 4, 5, 0, 2]] = [2, 3, 5, 1, 4, 6]
    assert (timed.matrix().toarray() == expected).all()
    twice = Histories.from_lists([[0, 0, 4]], 5).matrix()
    assert twice.toarray().tolist() == [[2, 0, 0, 0, 1]]
    assert twice.has_sorted_indices
    assert twice.nnz == 2


def test_the_matrix_does_not_share_memory(timed):
    timed.matrix().data[:] = -1
    assert (timed.weights > 0).all()


def test_the_past_fades_from_its_end():
    faded = history_matrix(Histories.from_lists([[2, 0, 1], []], 3), "binary", decay=np.log(2)).toarray()
    np.testing.assert_allclose(faded, [[0.5, 1.0, 0.25], [0.0, 0.0, 0.0]])
