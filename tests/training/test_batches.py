"""Batches on their way to the device."""

import numpy as np
import torch

from common.training.batches import to_device


def test_arrays_become_tensors_and_all_else_stays():
    batch = {"items": np.array([3, 1]), "n_lists": 2}
    moved = to_device(batch, "cpu")
    assert torch.equal(moved["items"], torch.tensor([3, 1]))
    assert moved["n_lists"] == 2
    assert isinstance(batch["items"], np.ndarray), "what was given is not changed"
