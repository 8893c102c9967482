"""What owns a network: random numbers from a seed, and weights on disk."""

import os

import numpy as np
import pytest
import torch

from common.models import SASRec
from common.models.neural.base import WEIGHTS, read_weights, seeded, training_memory, write_arrays
from common.models.saved_files import seal
from common.utils import manifests
from common.utils.errors import UserError
from common.utils.io import read_json, sha256_file, write_json
from tests.models.contract_tests import block_visible


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


@pytest.fixture
def weights(tmp_path):
    """Arrays as `write_arrays` keeps them."""
    arrays = {"network/a": np.arange(6, dtype=np.float32).reshape(2, 3)[:, ::2], "scalar": np.array(1.5)}
    write_arrays(tmp_path / WEIGHTS, arrays)
    return arrays


def last_bit_flipped(path) -> None:
    """The last weight is another, of the same size and time."""
    content, written = path.read_bytes(), path.stat().st_mtime_ns
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    os.utime(path, ns=(written, written))


def test_weights_are_read_as_written_or_refused(tmp_path, weights):
    write_json(tmp_path / "model.json", {})
    seal(tmp_path)
    read = read_weights(tmp_path)
    np.testing.assert_array_equal(read["network/a"], weights["network/a"])
    assert read["scalar"].item() == 1.5
    (tmp_path / WEIGHTS).write_bytes((tmp_path / WEIGHTS).read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"."):
        read_weights(tmp_path)


def test_weights_of_an_earlier_version_have_a_hash_of_their_own(tmp_path, weights):
    write_json(tmp_path / "model.json", {"sha256": sha256_file(tmp_path / WEIGHTS)})
    np.testing.assert_array_equal(read_weights(tmp_path)["network/a"], weights["network/a"])
    last_bit_flipped(tmp_path / WEIGHTS)
    with pytest.raises(ValueError, match="its hash is not the one noted"):
        read_weights(tmp_path)


def test_a_saved_model_has_the_hash_of_its_weights_once_and_large_ones_are_not_hashed_at_every_load(
    tmp_path, monkeypatch
):
    model = SASRec(epochs=1, width=8, heads=1, layers=1).fit(block_visible(tmp_path / "data"))
    model.save(folder := tmp_path / "model")
    about = read_json(folder / "model.json")
    assert [key for key in about if "sha256" in key] == ["catalogue_sha256"]
    assert list(about["files"]) == [WEIGHTS]
    last_bit_flipped(folder / WEIGHTS)
    with pytest.raises(UserError, match=r"model\.safetensors is not the file that was written there"):
        SASRec.load(folder)
    monkeypatch.setattr(manifests, "ALWAYS_HASHED", 16)
    SASRec.load(folder)
    monkeypatch.setitem(manifests._settings, "everything", True)
    with pytest.raises(UserError, match=r"model\.safetensors is not the file that was written there"):
        SASRec.load(folder)
    write_json(folder / "model.json", model.description() | {"sha256": sha256_file(folder / WEIGHTS)})
    SASRec.load(folder)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_an_average_of_the_weights_counts_as_memory(device):
    plain, averaged = (training_memory(device, 100, 1e6, 0.0, decay)["state"] for decay in (0.0, 0.99))
    assert averaged - plain == 2 * 4 * 1e6, "itself and its checkpoint"
