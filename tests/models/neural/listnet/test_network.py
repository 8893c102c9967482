"""The layers of the hybrid network."""

import numpy as np
import torch

from common.models.neural.listnet.network import Layer, Norm


def test_a_batch_of_one_is_normalised_by_what_was_seen_before():
    norm = Norm(2)
    norm(torch.tensor([[1.0, 5.0], [3.0, 5.0]]))
    np.testing.assert_allclose(norm.mean, [0.2, 0.5])
    alone = norm(torch.tensor([[1.0, 1.0]]))
    assert torch.isfinite(alone).all()
    np.testing.assert_allclose(norm.mean, [0.2, 0.5])


def test_a_layer_keeps_what_comes_in():
    torch.manual_seed(0)
    rows, layer = torch.randn(6, 4), Layer(4, 4, 0.0, residual=True)
    for weight in layer.made.parameters():
        torch.nn.init.zeros_(weight)
    np.testing.assert_array_equal(layer(rows).detach(), rows)
    assert Layer(4, 3, 0.0, residual=True)(rows).shape == (6, 3)
    layer.residual = False
    assert not layer(rows).any()
