"""Histories split into what is shown and what is to be found, among a pool of negatives."""

from typing import Any

import numpy as np
import pytest

from common.models.neural.two_tower.batches import FEW, PooledBatches, ages
from common.splits.histories import Histories
from tests.models.neural.two_tower.test_model import HISTORIES


def batches(histories: Histories, **changed: Any) -> PooledBatches:
    wanted: dict[str, Any] = {
        "task": "complete",
        "least": 0.5,
        "ahead": 2,
        "size": 3,
        "uniform": 6,
        "seed": 0,
    } | changed
    return PooledBatches(histories, **wanted | changed)


@pytest.mark.parametrize("task", ["complete", "continue", "few"])
def test_what_is_shown_and_what_is_to_be_found_never_overlap(task):
    for number in range(1, 40):
        epoch = batches(HISTORIES, task=task).epoch(number)
        assert not (epoch.shown & epoch.targets).any()
        assert set(epoch.order) <= {0, 1, 3, 4}
        assert len(set(epoch.order)) == len(epoch.order)
        for step in range(epoch.n_batches):
            batch = epoch.batch(step, 0, 1)
            assert epoch.weight(step) == len(batch["rows"]) > 0
            for row, user in enumerate(batch["users"]):
                shown = batch["items"][batch["shown"][batch["shown_rows"] == row]]
                asked = batch["items"][batch["pool"][batch["places"][batch["rows"] == row]]]
                assert not set(shown) & set(asked)
                assert set(shown) | set(asked) <= set(HISTORIES[user])
                if task != "continue":
                    assert sorted([*shown, *asked]) == sorted(HISTORIES[user])


def test_of_few_items_the_rest_is_to_be_found():
    long = Histories.from_lists([list(range(12))] * 40, 12)
    shown = np.stack([batches(long, task="few").epoch(n).shown.reshape(40, 12) for n in range(25)])
    numbers, times = np.unique(shown.sum(axis=2), return_counts=True)
    assert tuple(numbers) == FEW == (0, 1, 2, 5, 10)
    np.testing.assert_allclose(times / times.sum(), 1 / len(FEW), atol=0.05)
    assert shown.mean(axis=(0, 1)) == pytest.approx(np.mean(FEW) / 12, abs=0.06), "no place is shown more than another"


def test_a_history_is_continued_by_what_came_next():
    for number in range(1, 40):
        epoch = batches(HISTORIES, task="continue", ahead=2, size=9).epoch(number)
        batch = epoch.batch(0, 0, 1)
        for row, user in enumerate(batch["users"]):
            shown = batch["items"][batch["shown"][batch["shown_rows"] == row]].tolist()
            asked = batch["items"][batch["pool"][batch["places"][batch["rows"] == row]]].tolist()
            assert HISTORIES[user].tolist()[: len(shown) + 2] == shown + asked


def test_everything_is_to_be_found_at_some_time():
    for task in ("complete", "continue", "few"):
        found = np.zeros(len(HISTORIES.items), bool)
        for number in range(1, 60):
            found |= batches(HISTORIES, task=task).epoch(number).targets
        assert found.all()


def test_the_pool_holds_targets_and_draws_once_each_and_what_people_have_is_marked():
    epoch = batches(HISTORIES, size=5, uniform=40).epoch(1)
    batch = epoch.batch(0, 0, 1)
    pool = batch["items"][batch["pool"]]
    assert len(set(pool)) == len(pool) > 10
    known = set(zip(batch["known_rows"], batch["known_places"], strict=True))
    for row, user in enumerate(batch["users"]):
        for place, item in enumerate(pool):
            assert ((row, place) in known) == (item in HISTORIES[user])


def test_the_share_of_an_item_in_the_pool_is_right_on_average():
    """Averaged over epochs, exp(log_share) of an item, counted 0 where it is not there, is 1 for every item: the sum
    over the pool estimates that over the catalogue without a bias (Yi et al. 2019). Asked for are 5 of 10 items."""
    alike = Histories.from_lists([[i, (i + 1) % 10] for i in range(10)] * 3, 12)
    total, epochs = np.zeros(12), 3000
    made = batches(alike, task="complete", least=0.0, size=30, uniform=24)
    for number in range(epochs):
        batch = made.epoch(number).batch(0, 0, 1)
        total[batch["items"][batch["pool"]]] += np.exp(batch["log_share"])
    np.testing.assert_allclose(total / epochs, 1, atol=0.05)


@pytest.mark.parametrize("task", ["complete", "continue", "few"])
def test_a_target_is_each_item_as_often_as_said(task):
    """Of histories of very different lengths, whose first items are rarely asked for when they are to be continued."""
    uneven = Histories.from_lists([[0, 1], [2, 3, 4, 5, 6, 7, 8, 9], [1, 0, 9]], 10)
    made, counts = batches(uneven, task=task, least=0.0, ahead=2, size=3), np.zeros(10)
    for number in range(4000):
        np.add.at(counts, uneven.items[made.epoch(number).targets], 1)
    np.testing.assert_allclose(counts / counts.sum(), made.chances, atol=0.006)


def test_two_processes_share_the_pool_and_the_histories():
    epoch = batches(HISTORIES, size=4).epoch(3)
    whole, parts = epoch.batch(0, 0, 1), [epoch.batch(0, rank, 2) for rank in range(2)]
    assert sorted(np.concatenate([part["users"] for part in parts])) == sorted(whole["users"])
    pools = [batch["items"][batch["pool"]].tolist() for batch in (whole, *parts)]
    assert pools[0] == pools[1] == pools[2]
    assert sum(len(part["rows"]) for part in parts) == len(whole["rows"]) == epoch.weight(0)


def test_epochs_depend_on_the_seed_and_their_number_alone():
    one, again, other = (batches(HISTORIES, seed=seed).epoch(2) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.batch(0, 0, 1)["items"], again.batch(0, 0, 1)["items"])
    assert not np.array_equal(one.targets, other.targets)
    assert not np.array_equal(one.targets, batches(HISTORIES).epoch(3).targets)


def test_ages_count_from_the_end_of_each_history():
    assert ages(np.array([0, 0, 2, 2, 2])).tolist() == [1, 0, 2, 1, 0]
