"""Cells of people's tables as numbers."""

import pandas as pd
import pytest

from common.features.preprocessing.cells import KEYS, joined_by_bars, milliseconds, numbers, split_guests
from common.utils.errors import UserError


def test_every_spelling_of_the_twelve_keys():
    assert sorted({int(v) for v in KEYS.values()}) == list(range(12))
    assert numbers(pd.Series(["C#", "Db", "B", "cb", "E#", "f"]), KEYS).tolist() == [1, 1, 11, 11, 5, 5]


@pytest.mark.parametrize(
    ("cells", "unit", "expected", "found"),
    [
        ([200, None, 240], "", [200_000, None, 240_000], "s"),
        ([200_000, 240_000], "", [200_000, 240_000], "ms"),
        ([200_000, 240_000], "s", [2e8, 2.4e8], "s"),
        (["3:20", "1:00:01.5"], "", [200_000, 3_601_500], "s"),
        ([None, None], "", [None, None], "s"),
    ],
)
def test_durations(cells, unit, expected, found):
    values, read_as = milliseconds(pd.Series(cells), unit)
    assert values.tolist() == pytest.approx(pd.Series(expected, dtype=float).tolist(), nan_ok=True)
    assert read_as == found


def test_a_duration_that_is_none_is_named():
    with pytest.raises(UserError, match="column 'length', row 1: '3 min' is not a number"):
        milliseconds(pd.Series(["3:20", "3 min"], name="length"))


def test_names_of_a_cell_and_of_a_credit():
    assert joined_by_bars(pd.Series(["A; B", "C, D"]), ";").tolist() == ["A|B", "C, D"]
    assert joined_by_bars(pd.Series(["['A']", "nan"]), "").tolist() == ["A", None]
    assert split_guests("Ann and Bo x Cy") == ["Ann", "Bo", "Cy"]
    assert split_guests("Sandra") == ["Sandra"]
