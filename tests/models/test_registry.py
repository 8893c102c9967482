"""Every model of the registry keeps the contract."""

import importlib
import pkgutil
import sys

import tests.models
from common.models.registry import BY_DEFAULT, ENTRIES, MODELS, STAGES
from tests.models.contract_tests import ContractTests
from tests.stages import stage


def test_every_model_keeps_the_contract():
    for module in pkgutil.walk_packages(tests.models.__path__, "tests.models."):
        importlib.import_module(module.name)
    tests_of = [*ContractTests.__subclasses__()]
    tests_of += [test for family in tests_of for test in family.__subclasses__()]
    tested = {test.kind for test in tests_of if hasattr(test, "kind")}
    missing = {name for name, kind in MODELS.items() if kind not in tested}
    assert not missing, f"add a subclass of ContractTests for {missing}"


def test_models_that_have_to_be_named_are_trained_by_their_script_and_not_by_default():
    named = {entry.name for entry in ENTRIES if entry.named_only}
    assert named == {"kernel_ridge", "graph_filter", "lightgcn", "rank_fusion"}
    for name, models in STAGES.items():
        assert BY_DEFAULT[name] == tuple(model for model in models if model not in named)
    for name in ("2_als", "5_two_tower"):
        assert set(STAGES[name]) & named
        assert sys.modules[stage(f"{name}.py").__module__].Settings().models == BY_DEFAULT[name]
