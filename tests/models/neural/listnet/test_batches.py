"""Lists of candidates, cut into batches."""

from typing import Any

import numpy as np

from common.models.neural.listnet.batches import ListBatches
from common.models.two_stage.training_data import TrainingData


def data_by_hand(copies: int = 1) -> TrainingData:
    """List 0 has a positive and two negative candidates and a target that was not proposed; 1 no positive; 2 only
    positives; 3 one of each. And so on for each copy."""
    lists = np.array([0, 0, 0, 0, 1, 1, 2, 3, 3])
    candidate = np.array([True, True, True, False, True, True, True, True, True])
    target = np.array([True, False, False, True, False, False, True, False, True])
    plays = np.where(target, np.arange(9.0), np.nan).astype(np.float32)
    features = np.arange(18, dtype=np.float32).reshape(9, 2)
    arrays = [features, lists, 10 + lists, 100 + np.arange(9), candidate, target, plays]
    arrays = [np.concatenate([array] * copies) for array in arrays]
    arrays[1] += 4 * np.repeat(np.arange(copies), len(lists))
    train: Any = None
    return TrainingData(train, {"user": ["a", "b"]}, *arrays)


def test_a_batch_holds_whole_lists():
    batches = ListBatches.of(data_by_hand(), np.arange(9.0, dtype=np.float32), size=5, seed=0)
    assert batches.usable.tolist() == [0, 3], "those with a positive and a negative"
    epoch = batches.epoch(1)
    assert (epoch.n_batches, epoch.n_examples, epoch.weight(0)) == (1, 2, 2.0)
    batch = epoch.batch(0, 0, 1)
    assert batch["n_lists"] == 2
    assert sorted(batch["items"]) == [100, 101, 102, 103, 107, 108]
    own = batch["lists"] == batch["lists"][batch["items"] == 103]
    assert set(batch["items"][own]) == {100, 101, 102, 103}
    assert 103 not in batch["items"][batch["ranked"]], "not proposed, so in no list"
    assert batch["labels"].sum() == 2
    assert batch["plays"][batch["items"] == 103] == 3.0
    np.testing.assert_array_equal(batch["expected"], batch["items"] - 100)
    assert np.isnan(batch["plays"][batch["items"] == 101])
    np.testing.assert_array_equal(batch["features"][:, 0], 2 * (batch["items"] - 100))
    assert "2 lists of 6 pairs" in epoch.describe(0)


def test_processes_share_the_lists_and_epochs_shuffle_them():
    many = data_by_hand(copies=9)
    batches = ListBatches.of(many, np.zeros(len(many.lists), np.float32), size=7, seed=0)
    epoch = batches.epoch(1)
    assert epoch.n_batches == 3
    whole, parts = epoch.batch(1, 0, 1), [epoch.batch(1, rank, 2) for rank in range(2)]
    assert whole["n_lists"] == 7 == sum(part["n_lists"] for part in parts)
    assert sorted(whole["items"]) == sorted(np.concatenate([part["items"] for part in parts]))
    assert not np.array_equal(batches.epoch(2).order, epoch.order)
    np.testing.assert_array_equal(batches.epoch(1).order, epoch.order)
