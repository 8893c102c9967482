"""The flags that every script has, and the ranges of all flags."""

import dataclasses
import importlib
import math
import pkgutil
import sys
import typing

import pytest

import common
from common.data.synthetic.settings import SyntheticSettings
from common.experiments.settings import DataSettings, ModelSettings
from common.utils.errors import UserError
from common.utils.settings import check_ranges, number_ranges
from tests.conftest import ROOT
from tests.stages import stage
from tests.test_architecture import STAGES


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (DataSettings(wandb="onlin"), "did you mean 'online'"),
        (DataSettings(missing="dropp"), "did you mean 'drop'"),
        (DataSettings(split_seed=-1), "--split-seed -1: give 0 to 2,147,483,647"),
        (ModelSettings(seed=-1), "--seed -1: give 0 to 2,147,483,647"),
        (ModelSettings(protocol="lisen"), "did you mean 'listen'"),
        (ModelSettings(phase="tset"), "known are select, final"),
        (ModelSettings(device="gpu"), "known are auto, cpu, cuda"),
        (ModelSettings(tune=-1), "--tune -1"),
        (ModelSettings(artifact_mb=-1), "--artifact-mb -1"),
        (ModelSettings(seed=2**70), "--seed 1180591620717411303424: give 0 to 2,147,483,647"),
        (ModelSettings(split_seed=2**65), "--split-seed 36893488147419103232: give 0 to 2,147,483,647"),
        (ModelSettings(synthetic=SyntheticSettings(users=10**12)), "--synthetic.users 10+: give 2 to 10,000,000"),
    ],
)
def test_a_flag_that_makes_no_sense_is_named(settings, message):
    with pytest.raises(UserError, match=message):
        settings.check()


def test_select_scores_validation_alone():
    assert ModelSettings(phase="select").parts == ("valid",)
    assert ModelSettings(phase="final").parts == ("valid", "test")


def test_a_split_of_another_seed_has_a_folder_of_its_own():
    assert ModelSettings(protocol="next").split_folder == "next"
    assert ModelSettings(protocol="next", split_seed=2).split_folder == "next-s2"


def settings_classes() -> dict[str, type]:
    """Every class that flags or presets are made of, by the name of its module and its own."""
    modules = [info.name for info in pkgutil.walk_packages(common.__path__, "common.") if "__main__" not in info.name]
    found = [vars(importlib.import_module(name)).values() for name in modules]
    found += [vars(sys.modules[stage(path.name).__module__]).values() for path in (*STAGES, ROOT / "recommend.py")]
    kinds = {kind for values in found for kind in values if isinstance(kind, type) and dataclasses.is_dataclass(kind)}
    named = ("Settings", "Reranking")
    return {f"{kind.__module__}.{kind.__name__}": kind for kind in kinds if kind.__name__.endswith(named)}


def test_every_number_that_can_be_given_has_a_range():
    classes = settings_classes()
    assert len(classes) > 30, "the stages, the commands, the models"
    lacking, endless = [], set()
    for name, kind in classes.items():
        ranges = number_ranges(kind)
        for field, hint in typing.get_type_hints(kind).items():
            if {int, float} & {hint, *typing.get_args(hint)} and field not in ranges:
                lacking.append(f"{name}.{field}")
            elif field in ranges and not math.isfinite(ranges[field].largest):
                endless.add(field)
        check_ranges("", kind())
    assert lacking == []
    assert endless == {"neighbours"}, "more than there are means all of them, and takes no more than these"
