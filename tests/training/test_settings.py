"""Settings of the loop: their defaults make sense, and what does not is refused by the flag's name."""

import dataclasses

import pytest

from common.training.settings import TrainingSettings
from common.utils.errors import UserError
from common.utils.settings import check_ranges


def test_defaults_make_sense():
    check_ranges("sasrec", TrainingSettings())


@pytest.mark.parametrize(
    "changed", [{"epochs": 0}, {"patience": 0}, {"learning_rate": 0.0}, {"warmup": -1.0}, {"schedule": "linear"}]
)
def test_what_makes_no_sense_is_refused(changed):
    [name] = changed
    with pytest.raises(UserError, match=f"--sasrec.{name.replace('_', '-')}"):
        check_ranges("sasrec", dataclasses.replace(TrainingSettings(), **changed))
