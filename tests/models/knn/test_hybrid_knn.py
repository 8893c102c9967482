"""Hybrid kNN: the contract."""

from typing import ClassVar

from common.models.knn.hybrid_knn import HybridKNN
from common.models.knn.item_knn import ItemKNNSettings
from tests.models.contract_tests import ContractTests


class TestHybridKNN(ContractTests):
    kind = HybridKNN
    other_settings: ClassVar = {
        **{"collaborative_items": 1.0, "collaborative_users": 0.0, "tags": 1.0, "audio": 1.0, "popularity": 1.0},
        "item_knn": ItemKNNSettings(neighbours=2),
    }
