"""Hybrid kNN: the contract, and the formula by hand."""

from typing import Any, ClassVar

import numpy as np

from common.models.knn.hybrid_knn import HybridKNN, HybridKNNSettings
from common.models.knn.item_knn import ItemKNN, ItemKNNSettings
from common.models.knn.user_knn import UserKNN
from tests.data.worlds import pairs
from tests.models.contract_tests import ContractTests
from tests.models.knn.worlds import seen_in_full


class TestHybridKNN(ContractTests):
    kind = HybridKNN
    other_settings: ClassVar = {
        **{"collaborative_items": 1.0, "collaborative_users": 0.0, "tags": 1.0, "audio": 1.0, "popularity": 1.0},
        "item_knn": ItemKNNSettings(neighbours=2),
    }


def test_the_hybrid_is_the_weighted_sum_of_its_scaled_parts(tmp_path):
    train = seen_in_full(tmp_path, pairs(a="p q", b="p q r", c="q s", d="r s t", e="p t"))
    weights: dict[str, Any] = {
        "collaborative_items": 0.6,
        "collaborative_users": 0.3,
        "tags": 0.0,
        "audio": 0.0,
        "popularity": 0.2,
    }
    hybrid = HybridKNN(HybridKNNSettings(**weights)).fit(train)
    assert set(hybrid.parts) == {"item_knn", "user_knn"}  # parts that weigh nothing are not fitted
    everybody = np.arange(train.n_users)
    items, users = ItemKNN().fit(train).score(everybody), UserKNN().fit(train).score(everybody)
    expected = 0.2 * np.log(train.counts) / np.log(train.counts).max().clip(1)
    for weight, scores in ((0.6, items), (0.3, users)):
        expected = expected + weight * np.maximum(scores, 0) / scores.max(axis=1).clip(0).mean()
    found = hybrid.score(everybody)
    np.testing.assert_allclose(found[expected > 0], expected[expected > 0], rtol=1e-5)
