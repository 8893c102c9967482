"""What owns a network: random numbers from a seed, and weights on disk."""

import numpy as np
import pytest
import torch

from common.models.neural.base import WEIGHTS, read_weights, seeded, write_arrays
from common.utils.io import write_json


def test_random_numbers_come_from_the_seed_and_go_on_afterwards():
    torch.manual_seed(7)
    expected = torch.rand(2)
    torch.manual_seed(7)
    first = torch.rand(1)
    with seeded(3, "cpu"):
        inside = torch.rand(1)
    assert torch.equal(torch.cat([first, torch.rand(1)]), expected)
    torch.manual_seed(3)
    assert torch.equal(torch.rand(1), inside)


def test_weights_are_read_as_written_or_refused(tmp_path):
    arrays = {"network/a": np.arange(6, dtype=np.float32).reshape(2, 3)[:, ::2], "scalar": np.array(1.5)}
    write_json(tmp_path / "model.json", {"sha256": write_arrays(tmp_path / WEIGHTS, arrays)})
    read = read_weights(tmp_path)
    np.testing.assert_array_equal(read["network/a"], arrays["network/a"])
    assert read["scalar"].item() == 1.5
    (tmp_path / WEIGHTS).write_bytes((tmp_path / WEIGHTS).read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"."):
        read_weights(tmp_path)
