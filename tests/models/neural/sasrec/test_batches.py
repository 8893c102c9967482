"""Windows of histories, packed into batches."""

from typing import Any

import numpy as np

from common.models.neural.sasrec.batches import SequenceBatches, all_windows, last_windows, pack, reorder
from tests.models.neural.sasrec.test_model import histories


def test_orders_by_hand():
    given = histories([3, 1, 4], [1, 5], times=[7, 7, 8, 2, 2])
    rng = np.random.default_rng(0)
    assert reorder(given, "kept", rng).items.tolist() == [3, 1, 4, 1, 5]
    assert reorder(given, "plays", None).items.tolist() == [4, 1, 3, 5, 1]
    assert reorder(given, "shuffled", None).items.tolist() == [3, 1, 4, 1, 5]
    ties = {tuple(reorder(given, "ties", rng).items) for _ in range(50)}
    assert ties == {(a, b, 4, c, d) for a, b in ((3, 1), (1, 3)) for c, d in ((1, 5), (5, 1))}
    shuffled = {tuple(reorder(given, "shuffled", rng).items) for _ in range(500)}
    assert len(shuffled) == 6 * 2
    moved = reorder(given, "plays", None)
    assert moved.weights.tolist() == [3, 4, 5, 1, 2]
    assert moved.timestamps is not None
    assert moved.timestamps.tolist() == [8, 7, 7, 2, 2]


def test_windows_make_every_event_but_the_first_a_target_once():
    rng = np.random.default_rng(1)
    given = histories(list(range(11)), [1], [], [4, 5], list(range(20)))
    for _ in range(20):
        starts, ends = all_windows(given, 5, rng)
        assert (ends - starts <= 5).all()
        assert (ends - starts >= 2).all()
        targets = np.concatenate([np.arange(start + 1, end) for start, end in zip(starts, ends, strict=True)])
        assert len(set(targets)) == len(targets)
        assert set(targets) == {*range(1, 11), 13, *range(15, 34)}
    cuts = {tuple(all_windows(given, 5, rng)[0][:3]) for _ in range(50)}
    assert len(cuts) == 4, "the newest window of 11 events has 2, 3, 4 or 5"
    starts, ends = last_windows(given, 5)
    assert [tuple(pair) for pair in zip(starts, ends, strict=True)] == [(6, 11), (11, 12), (12, 12), (12, 14), (29, 34)]


def test_packing_by_hand():
    given = histories([3, 1, 4], [1, 5], [9, 2, 6, 5])
    packed = pack(given, np.array([0, 3, 6]), np.array([3, 5, 9]), length=4)
    assert packed["items"].tolist() == [3, 1, 4, 1, 5, 2, 6, 5]
    assert packed["positions"].tolist() == [1, 2, 3, 2, 3, 1, 2, 3]
    assert packed["cells"].tolist() == [0, 1, 2, 3, 4, 6, 7, 8]
    assert (packed["windows"], packed["width"]) == (3, 3)


def batches(size: int, draw: Any = lambda rng: {}) -> SequenceBatches:
    given = histories([3, 1, 4, 2], [1, 5], [9, 2, 6, 5, 3], [7], [8, 9, 1])
    return SequenceBatches(given, 3, "kept", "last", size, 0, draw)


def test_a_batch_predicts_the_next_event_and_processes_share_it():
    epoch = batches(3).epoch(1)
    assert (epoch.n_examples, epoch.n_batches) == (4, 2)
    pairs = []
    for step in range(2):
        alone = epoch.batch(step, 0, 1)
        assert len(alone["targets"]) == epoch.weight(step)
        pairs += list(zip(alone["items"], alone["targets"], strict=True))
        shared = [epoch.batch(step, rank, 2) for rank in (0, 1)]
        assert sum(share["windows"] for share in shared) == alone["windows"]
        together = np.concatenate([share["targets"] for share in shared])
        assert sorted(together) == sorted(alone["targets"])
    wanted = [(3, 1), (1, 4), (4, 2), (1, 5), (2, 6), (6, 5), (5, 3), (8, 9), (9, 1)]
    assert sorted(pairs) == sorted(wanted)
    assert batches(4).epoch(1).describe(0) == "4 sequences of 2 to 4 events, 9 targets"


def test_an_epoch_depends_on_its_number_alone_and_negatives_on_the_step():
    one, again, other = (batches(4, lambda rng: {"negatives": rng.integers(0, 20, 9)}).epoch(n) for n in (3, 3, 4))
    np.testing.assert_array_equal(one.order, again.order)
    assert any(not np.array_equal(one.order, batches(4).epoch(n).order) for n in range(4, 9))
    np.testing.assert_array_equal(one.batch(0, 0, 2)["negatives"], again.batch(0, 1, 2)["negatives"])
    assert not np.array_equal(one.batch(0, 0, 1)["negatives"], other.batch(0, 0, 1)["negatives"])
