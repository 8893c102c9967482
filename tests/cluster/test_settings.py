"""Flags of the engine that make no sense."""

import pytest

from common.cluster.settings import EngineSettings
from common.utils.errors import UserError


def test_flags_that_make_sense():
    EngineSettings().check_engine()
    EngineSettings("spark", "spark://127.0.0.1:7077", "800m").check_engine()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (EngineSettings("sparc"), "did you mean 'spark'"),
        (EngineSettings("spark", executor_memory="1.5g"), "--executor-memory '1.5g': give whole m or g"),
        (EngineSettings(master="local[2]"), "are for --engine spark: add it"),
    ],
)
def test_flags_that_make_none(settings, said):
    with pytest.raises(UserError) as error:
        settings.check_engine()
    assert said in str(error.value)
