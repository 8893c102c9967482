"""Networks in numpy score as those of torch do; the contract tests compare whole models setting by setting."""

import numpy as np
import torch

from common.models.inference.numpy_layers import Weights
from common.models.inference.numpy_networks import NumpyItemTower, NumpySASRec
from common.models.neural.sasrec.model import SASRecSettings
from common.models.neural.sasrec.network import SASRecNetwork
from common.models.neural.two_tower.network import ItemTower


def weights_of(network: torch.nn.Module) -> Weights:
    return Weights({name: value.detach().numpy() for name, value in network.state_dict().items()})


def test_item_tables_of_sasrec():
    side = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    for tied in (True, False):
        torch.manual_seed(0)
        settings = SASRecSettings(width=4, heads=2, layers=1, tied=tied)
        network = SASRecNetwork(settings, 6, side, np.full(6, 1 / 6, np.float32)).eval()
        ours = NumpySASRec(weights_of(network), side, settings)
        for output in (False, True):
            np.testing.assert_allclose(ours.table(output), network.table(output).detach(), rtol=1e-5, atol=1e-6)
        codes = np.array([4, 0, 4])
        np.testing.assert_allclose(ours.look_up(codes), network.look_up(torch.from_numpy(codes)).detach(), atol=1e-6)


def test_the_item_tower():
    rng = np.random.default_rng(0)
    features, heard = rng.normal(size=(5, 3)).astype(np.float32), np.array([True, False, True, True, False])
    torch.manual_seed(0)
    tower = ItemTower(features, heard, 4, 8, 0.1).eval()
    codes = np.array([1, 3])
    ours = NumpyItemTower(weights_of(tower), features, heard)
    np.testing.assert_allclose(ours(codes), tower(torch.from_numpy(codes)).detach(), rtol=1e-5, atol=1e-6)
