"""Ranges that settings declare, what they refuse, and settings inside settings."""

import json
from dataclasses import asdict, dataclass, field
from typing import Annotated, Literal

import numpy as np
import pytest

from common.utils.errors import UserError
from common.utils.settings import (
    ADDED,
    NOT_SEARCHED,
    Range,
    SearchRange,
    build_settings,
    check_ranges,
    kept_values,
    not_searched,
    plain_value,
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
    layers: Annotated[tuple[int, ...], Range(1, 4096)] = (8,)
    tied: bool = True
    share: Annotated[float | None, Range(0.0, 1.0)] = None
    without: tuple[str, ...] = ()
    inner: Inner = field(default_factory=Inner)


def test_ranges_and_what_is_not_searched_are_read_from_the_fields():
    assert search_ranges(Outer) == {"damping": SearchRange(0.1, 100.0, log=True, most=1e6)}
    assert not_searched(Outer) == {"weighting"}
    assert setting_parts(Outer) == {"inner": Inner}


def test_settings_survive_their_dictionary():
    settings = Outer(damping=3.0, inner=Inner(7))
    assert build_settings(Outer, asdict(settings)) == settings
    assert build_settings(Outer, json.loads(json.dumps(asdict(settings)))) == settings, "a list is a tuple again"
    with pytest.raises(UserError, match="damping -3"):
        build_settings(Outer, asdict(settings) | {"damping": -3.0})


def test_an_added_setting_is_kept_only_where_it_is_used():
    @dataclass(frozen=True)
    class Grown(Outer):
        context: Annotated[bool, ADDED] = False

    assert kept_values(Grown()) == asdict(Outer()), "so the hash of older results is theirs"
    assert kept_values(Grown(context=True)) == asdict(Outer()) | {"context": True}
    assert build_settings(Grown, kept_values(Grown())) == Grown()
    assert kept_values(Outer()) == asdict(Outer()), "a setting at its default that was always there is kept"


def test_settings_hold_numbers_of_python_and_tuples():
    values = (np.int64(3), np.float32(0.5), [1, np.int8(2)], "word", None)
    plain = [plain_value(value) for value in values]
    assert plain == [3, 0.5, (1, 2), "word", None]
    assert [type(value) for value in plain] == [int, float, tuple, str, type(None)]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (Inner(True), "--knn.neighbours True: give a whole number, 1 or more"),
        (Inner(10**5000 * -1), "--knn.neighbours a number of 5001 digits: give 1 or more"),
        (Inner(2.0), "--knn.neighbours 2.0: give a whole number"),  # type: ignore[arg-type]
        (Outer(damping=float("nan")), "--knn.damping nan: give 0.1"),
        (Outer(damping=None), "--knn.damping None: give a number"),  # type: ignore[arg-type]
        (Outer(inner=Inner(0)), "--inner.neighbours 0: give 1 or more"),
        (Outer(layers=(8, 0)), "--knn.layers 0: give 1 to 4,096"),
        (Outer(layers=[8]), r"--knn.layers \[8\]: give a list"),  # type: ignore[arg-type]
        (Outer(tied="no"), "--knn.tied 'no': give True or False"),  # type: ignore[arg-type]
        (Outer(share=1.5), "--knn.share 1.5: give 0 to 1"),
        (Outer(without=(3,)), "--knn.without .*: give words"),  # type: ignore[arg-type]
        (Outer(damping=0.0), r"--knn.damping 0.0: give 0.1 to 1e\+06"),
        (Outer(weighting="idf"), "--knn.weighting 'idf': give binary or log"),  # type: ignore[arg-type]
        (Inner(0), "--knn.neighbours 0: give 1 or more"),
    ],
)
def test_a_setting_out_of_range_names_its_flag(settings, message):
    check_ranges("knn", type(settings)())
    with pytest.raises(UserError, match=message):
        check_ranges("knn", settings)
