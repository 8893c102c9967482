"""Every model of the registry keeps the contract."""

import importlib
import pkgutil

import tests.models
from common.models.registry import MODELS
from tests.models.contract_tests import ContractTests


def test_every_model_keeps_the_contract():
    for module in pkgutil.walk_packages(tests.models.__path__, "tests.models."):
        importlib.import_module(module.name)
    tests_of = [*ContractTests.__subclasses__()]
    tests_of += [test for family in tests_of for test in family.__subclasses__()]
    tested = {test.kind for test in tests_of if hasattr(test, "kind")}
    missing = {name for name, kind in MODELS.items() if kind not in tested}
    assert not missing, f"add a subclass of ContractTests for {missing}"
