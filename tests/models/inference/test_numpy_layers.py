"""Layers in numpy are those of torch."""

import numpy as np
import torch
from torch import nn

from common.models.inference.numpy_layers import Weights, gelu, normalise, pooled, relu, softmax
from common.models.neural.listnet.network import Norm

ROWS = torch.from_numpy(np.random.default_rng(0).normal(size=(7, 5)).astype(np.float32))


def weights_of(module: nn.Module) -> Weights:
    return Weights({f"layer.{name}": value.detach().numpy() for name, value in module.state_dict().items()})


def same(ours: np.ndarray, theirs: torch.Tensor) -> None:
    np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=1e-5, atol=1e-6)


def test_linear_layers_and_norms():
    torch.manual_seed(0)
    for layer in (nn.Linear(5, 3), nn.Linear(5, 3, bias=False)):
        same(weights_of(layer).linear("layer", ROWS.numpy()), layer(ROWS))
    norm = nn.LayerNorm(5)
    nn.init.normal_(norm.weight)
    same(weights_of(norm).layer_norm("layer", ROWS.numpy()), norm(ROWS))
    batch = Norm(5)
    batch(ROWS)  # moves the running figures
    same(weights_of(batch.eval()).batch_norm("layer", ROWS.numpy()), batch(ROWS))


def test_functions():
    same(relu(ROWS.numpy()), torch.relu(ROWS))
    same(gelu(ROWS.numpy()), nn.functional.gelu(ROWS))
    same(softmax(ROWS.numpy()), torch.softmax(ROWS, -1))
    same(normalise(ROWS.numpy()), nn.functional.normalize(ROWS))
    assert not normalise(np.zeros((1, 3))).any()


def test_sums_by_row():
    found = pooled(np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), np.array([0, 2, 0]), 3)
    np.testing.assert_array_equal(found, [[6, 8], [0, 0], [3, 4]])


def test_parts_are_found_by_prefix():
    weights = Weights({"users.out.weight": np.ones((1, 2)), "users.scale": np.zeros(1)})
    assert "out" in weights.below("users")
    assert "scale" not in weights.below("users"), "no layer"
    assert weights.below("users")["scale"].shape == (1,)
