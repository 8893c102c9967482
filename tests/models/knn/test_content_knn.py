"""Neighbours by content: the contract, and what they do without content."""

from typing import ClassVar

from common.models.knn.content_knn import ContentKNN, TagKNN
from tests.models.contract_tests import ContractTests


class TestContentKNN(ContractTests):
    kind = ContentKNN
    folds_as_it_scores = True
    other_settings: ClassVar = {"neighbours": 2, "power": 3.0, "popularity": 0.5, "history": "log"}


class TestTagKNN(ContractTests):
    kind = TagKNN
    folds_as_it_scores = True
    other_settings: ClassVar = {"neighbours": 2, "power": 3.0, "popularity": 0.5, "history": "log", "shrinkage": 5.0}
