"""Ranges that settings declare, what they refuse, and settings inside settings."""

from dataclasses import asdict, dataclass, field
from typing import Annotated, Literal

import pytest

from common.utils.errors import UserError
from common.utils.settings import (
    NOT_SEARCHED,
    SearchRange,
    build_settings,
    check_ranges,
    not_searched,
    search_ranges,
    setting_parts,
)


@dataclass(frozen=True)
class Inner:
    neighbours: Annotated[int, SearchRange(5, 100, least=1)] = 20


@dataclass(frozen=True)
class Outer:
    damping: Annotated[float, SearchRange(0.1, 100.0, log=True, most=1e6)] = 1.0
    weighting: Annotated[Literal["binary", "log"], NOT_SEARCHED] = "log"
    inner: Inner = field(default_factory=Inner)


def test_ranges_and_what_is_not_searched_are_read_from_the_fields():
    assert search_ranges(Outer) == {"damping": SearchRange(0.1, 100.0, log=True, most=1e6)}
    assert not_searched(Outer) == {"weighting"}
    assert setting_parts(Outer) == {"inner": Inner}


def test_settings_survive_their_dictionary():
    settings = Outer(damping=3.0, inner=Inner(7))
    assert build_settings(Outer, asdict(settings)) == settings


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (Outer(damping=0.0), r"--knn.damping 0.0: give 0.1 to 1e\+06"),
        (Outer(weighting="idf"), "--knn.weighting 'idf': give binary or log"),  # type: ignore[arg-type]
        (Inner(0), "--knn.neighbours 0: give 1 or more"),
    ],
)
def test_a_setting_out_of_range_names_its_flag(settings, message):
    check_ranges("knn", type(settings)())
    with pytest.raises(UserError, match=message):
        check_ranges("knn", settings)
