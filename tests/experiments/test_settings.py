"""The flags that every script has."""

import pytest

from common.experiments.settings import DataSettings, ModelSettings
from common.utils.errors import UserError


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (DataSettings(wandb="onlin"), "did you mean 'online'"),
        (DataSettings(split_seed=-1), "--split-seed -1: give 0 to 2,147,483,647"),
        (ModelSettings(seed=-1), "--seed -1: give 0 to 2,147,483,647"),
        (ModelSettings(protocol="lisen"), "did you mean 'listen'"),
        (ModelSettings(phase="tset"), "known are select, final"),
        (ModelSettings(device="gpu"), "known are auto, cpu, cuda"),
        (ModelSettings(tune=-1), "--tune -1"),
        (ModelSettings(artifact_mb=-1), "--artifact-mb -1"),
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
