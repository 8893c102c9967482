"""Every interaction once an epoch, each with an item that its user does not have."""

import numpy as np
import pytest

from common.models.neural.lightgcn.batches import PairBatches
from common.splits.histories import Histories

HISTORIES = Histories.from_lists([[0, 1, 2], [], [3], [1, 4]], 6)


def all_of(epoch, world=1):
    parts = [epoch.batch(step, rank, world) for step in range(epoch.n_batches) for rank in range(world)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


@pytest.mark.parametrize("world", [1, 2])
def test_an_epoch_has_each_interaction_once(world):
    epoch = PairBatches(HISTORIES, size=4, seed=0).epoch(1)
    found = all_of(epoch, world)
    pairs = sorted(zip(found["users"].tolist(), found["positives"].tolist(), strict=True))
    assert pairs == [(0, 0), (0, 1), (0, 2), (2, 3), (3, 1), (3, 4)]
    assert [epoch.weight(step) for step in range(epoch.n_batches)] == [4, 2]
    assert epoch.describe(1) == "2 interactions"
    assert {array.dtype for array in found.values()} == {np.dtype(np.int64)}


def test_what_is_to_be_beaten_is_not_in_the_history_and_drawn_from_the_whole_catalogue():
    batches = PairBatches(HISTORIES, size=100, seed=0)
    drawn: dict[int, set[int]] = {0: set(), 2: set(), 3: set()}
    for number in range(1, 60):
        found = all_of(batches.epoch(number))
        for user, item in zip(found["users"].tolist(), found["negatives"].tolist(), strict=True):
            drawn[user].add(item)
    assert drawn == {0: {3, 4, 5}, 2: {0, 1, 2, 4, 5}, 3: {0, 2, 3, 5}}


def test_epochs_depend_on_the_seed_and_their_number_alone():
    one, again = (all_of(PairBatches(HISTORIES, 4, seed=3).epoch(2)) for _ in range(2))
    assert all(np.array_equal(one[name], again[name]) for name in one)
    other = all_of(PairBatches(HISTORIES, 4, seed=3).epoch(3))
    assert any(not np.array_equal(one[name], other[name]) for name in one)


def test_one_who_has_everything_is_no_endless_search():
    found = all_of(PairBatches(Histories.from_lists([[0, 1]], 2), 4, seed=0).epoch(1))
    assert len(found["negatives"]) == 2
