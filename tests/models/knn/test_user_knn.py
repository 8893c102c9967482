"""User kNN: the contract."""

from typing import ClassVar

from common.models.knn.user_knn import UserKNN
from tests.models.contract_tests import ContractTests


class TestUserKNN(ContractTests):
    kind = UserKNN
    other_settings: ClassVar = {"neighbours": 2, "shrinkage": 5.0, "power": 2.0, "rarity": 0.8, "weighting": "log"}
