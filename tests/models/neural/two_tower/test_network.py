"""The towers by hand."""

import numpy as np
import torch

from common.models.neural.two_tower.network import UserTower
from tests.models.neural.two_tower.test_model import item_tower


def test_an_item_is_its_id_and_its_content_and_without_an_id_its_content():
    tower = item_tower([True, False, True])
    codes = torch.tensor([0, 1, 2])
    content = tower.content(tower.features)
    torch.testing.assert_close(tower(codes)[0], tower.ids[0] + content[0])
    torch.testing.assert_close(tower(codes)[1], content[1])
    torch.testing.assert_close(tower(codes, drop=1.0), content)
    torch.manual_seed(0)
    of_first = tower(codes.repeat(1000), drop=0.25).reshape(1000, 3, 4)[:, 0]
    kept = (~torch.isclose(of_first, content[0])).any(1).float().mean()  # a large batch rounds in its own way
    assert 0.7 < kept < 0.8


def test_a_history_is_pooled_by_weight():
    """Two items [2, 0] and [0, 4] with weights 1 and 1/2: their weighted sum [2, 2] over sqrt(1 + 1/4)."""
    tower = UserTower(2, 1, np.zeros((1, 0), np.float32), 3, 0.0).eval()
    for weights in tower.mixed.parameters():
        torch.nn.init.zeros_(weights)
    found = tower(
        torch.tensor([[2.0, 0.0], [0.0, 4.0]]),
        torch.zeros(2, 1),
        torch.tensor([1, 1]),
        torch.tensor([1.0, 0.5]),
        torch.zeros(2, 0),
    )
    torch.testing.assert_close(found, torch.tensor([[0.0, 0.0], [2.0, 2.0]]) / 1.25**0.5)


def test_activity_and_diversity_by_hand():
    """Two items with nothing in common are as diverse as two; twice the same item as one; nothing is nothing."""
    tower = UserTower(2, 2, np.zeros((1, 0), np.float32), 3, 0.0)
    features = torch.tensor([[3.0, 0.0], [0.0, 1.0], [0.0, 5.0], [0.0, 5.0]])
    profile, measures = tower.about(features, torch.tensor([0, 0, 1, 1]), 3)
    np.testing.assert_allclose(profile, np.array([[1.5, 0.5], [0, 5], [0, 0]]))
    by_hand = np.log([[3.0, 2.0], [3.0, 1.0], [1.0, 1.0]])
    np.testing.assert_allclose(measures, by_hand, atol=1e-6)
