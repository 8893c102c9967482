"""Item vectors of SASRec: tied or not, with side features or without."""

import numpy as np
import torch

from common.models.neural.sasrec.model import SASRecSettings
from common.models.neural.sasrec.network import SASRecNetwork


def network_of(side: np.ndarray, **changed: object) -> SASRecNetwork:
    torch.manual_seed(0)
    settings = SASRecSettings(**{"width": 4, "heads": 2, "layers": 1} | changed)  # type: ignore[arg-type]
    return SASRecNetwork(settings, 5, side, np.full(5, 0.2, np.float32)).eval()


def test_tied_items_have_one_vector_and_others_two():
    nothing = np.zeros((5, 0), np.float32)
    tied, untied = network_of(nothing), network_of(nothing, tied=False)
    assert torch.equal(tied.table(), tied.table(output=True))
    assert not torch.equal(untied.table(), untied.table(output=True))


def test_side_features_add_a_projection_and_a_look_up_is_a_row_of_the_table():
    side = np.eye(5, 3, dtype=np.float32)
    network = network_of(side)
    assert network.from_side is not None
    added = network.table() - network.items
    torch.testing.assert_close(added[:3], network.from_side.weight.T)
    assert not added[3:].any()
    codes = torch.tensor([4, 1, 1])
    torch.testing.assert_close(network.look_up(codes), network.table()[codes])
