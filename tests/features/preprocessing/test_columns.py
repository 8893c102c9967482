"""Columns with their types, mistakes told apart from gaps."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from common.features.preprocessing.preprocessor import MusicPreprocessor
from common.utils.errors import UserError
from tests.features.preprocessing.frames import LINE, fitted, frame, noted


def test_rows_are_dropped_by_column_and_counted():
    preprocessor = MusicPreprocessor(missing={"energy": "drop", "genres": "drop", "age": "impute"})
    given = frame(energy=[0.2, None, 0.4, 0.6, 0.8], genres=["a", None, "", "b", "b"], age=[20, 30, 40, None, 50])
    ready = preprocessor.fit_transform(given)
    assert ready.index.tolist() == [0, 3, 4]
    assert noted(preprocessor, "rows dropped") == {"energy": 1, "genres": 1}
    assert "energy_missing" not in ready
    assert preprocessor.transform(given, ("items",)).index.tolist() == [0, 3, 4]
    assert len(preprocessor.transform(given, ("users",))) == 5


def test_time_signatures_other_than_3_and_4_become_missing():
    preprocessor, ready = fitted(time_signature=[3, 4, 5, 4, 3.5])
    assert ready["time_signature_3"].tolist() == [1, 0, 0, 0, 0]
    assert ready["time_signature_missing"].tolist() == [0, 0, 1, 0, 1]
    assert noted(preprocessor, "time signatures") == {"time_signature": 2}


def test_infinite_and_impossible_values_become_missing():
    preprocessor, ready = fitted(
        loudness=[-20, np.inf, -10, -np.inf, 0], tempo=[100, 0, 100, 120, 1e300], age=[20, 30, 40, 999, -1],
        weight=[1, 2, np.inf, 4, 5],
    )  # fmt: skip
    assert np.isfinite(ready.to_numpy()).all()
    assert noted(preprocessor, "infinite values") == {"weight": 1, "loudness": 2, "tempo": 1}
    assert noted(preprocessor, "impossible values") == {"tempo": 1, "age": 2}
    assert ready["plays_log"].iloc[2] == pytest.approx((np.log(3) + np.log(5)) / 2)


def test_a_column_that_dropped_rows_leave_empty_is_left_out():
    preprocessor = MusicPreprocessor(missing={"energy": "drop"})
    ready = preprocessor.fit_transform(frame(energy=[None, None, 0.1, 0.2, 0.3], age=[20, 30, None, None, None]))
    assert preprocessor.columns_left_out == {"age": "no value in any row"}
    assert "age_group" not in ready


def test_columns_that_the_data_lack_are_left_out():
    bare = frame()[["user_id", "item_id", "weight"]]
    preprocessor = MusicPreprocessor()
    assert list(preprocessor.fit_transform(bare)) == ["plays_log"]
    assert preprocessor.columns_left_out["age"] == "not in the data"
    assert preprocessor.columns_left_out["text of genres"] == "no item has any"
    assert preprocessor.text(bare) == {}


def test_columns_without_any_value_are_left_out():
    preprocessor, ready = fitted(energy=np.nan, gender=None, tempo=0)
    for column in ("energy", "gender", "tempo"):
        assert preprocessor.columns_left_out[column] == "no value in any row"
    assert not {"energy", "energy_loudness", "gender", "tempo_log", "energy_missing"} & set(ready)
    assert "loudness" in ready


def test_release_years_are_taken_from_dates_where_they_are_missing():
    preprocessor, ready = fitted(release_year=[1980, None, 1990, None, 2000])
    assert ready["release_year"].to_numpy() == pytest.approx(LINE)
    assert noted(preprocessor, "release dates") == {"release_year": 2}
    only_dates = MusicPreprocessor().fit_transform(frame().drop(columns="release_year"))
    assert only_dates["release_year"].to_numpy() == pytest.approx(LINE)


def test_numbers_may_be_spelled_and_words_may_be_numbers():
    preprocessor, ready = fitted(energy=["0.2", "0.4", " 0.6", "", "1"], country=[1, 2, 1, 2, 2])
    assert ready["energy_missing"].tolist() == [0, 0, 0, 1, 0]
    again = preprocessor.transform(frame(country=[1.0, 2.0, np.nan, 7.0, 1.0]), ("users",))
    assert again["country"].tolist() == [1, 2, 0, 0, 1]


@pytest.mark.parametrize("column", ["user_id", "item_id", "weight"])
def test_a_fit_needs_its_columns(column):
    with pytest.raises(UserError, match=f"no column '{column}'.*add it"):
        MusicPreprocessor().fit_transform(frame().drop(columns=[column, "name"]))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"weight": [1, 2, -3, 4, 5]}, "column 'weight', row 2: -3 plays"),
        ({"weight": [1, 2, -np.inf, 4, -5]}, "column 'weight', row 4: -5 plays"),
        ({"weight": np.nan}, "'weight' holds no plays in any row"),
        ({"energy": [1, 2, 3, "loud", 5]}, "column 'energy', row 3: 'loud' is not a number"),
        ({"explicit": [True, "maybe", None, False, False]}, "column 'explicit', row 1: 'maybe' is not true or false"),
        ({"timestamp": pd.to_datetime(["2020-01-01"] * 5)}, "column 'timestamp', row 0: .* is not a number"),
        ({"item_id": ["a", None, "c", "d", "e"]}, "column 'item_id', row 1: the id is missing"),
        ({"release_year": [80, 85, 90, 95, 99], "release_date": None}, "reference_year cannot be derived.*'80'"),
        (
            {"release_year": None, "release_date": "spring"},
            "reference_year cannot be derived.*'release_date'.*'spring'",
        ),
    ],
)
def test_mistakes_in_the_rows(columns, message):
    with pytest.raises(UserError, match=message):
        MusicPreprocessor().fit_transform(frame(**columns))


def test_unreadable_years_are_left_out_where_a_reference_year_is_given():
    preprocessor = MusicPreprocessor(reference_year=2020)
    preprocessor.fit_transform(frame(release_year=[80, 85, 90, 95, 99], release_date=None))
    assert preprocessor.columns_left_out == {"release_year": "no value in any row"}


def test_two_columns_of_one_name_are_refused():
    with pytest.raises(UserError, match="two columns 'weight'"):
        MusicPreprocessor().fit_transform(pd.concat([frame(), frame()[["weight"]]], axis=1))


def test_what_is_no_frame_and_cells_that_are_lists_are_refused():
    nothing: Any = None
    with pytest.raises(UserError, match="give a pandas data frame, not NoneType"):
        MusicPreprocessor().fit_transform(nothing)
    for column in ("genres", "artist"):
        with pytest.raises(UserError, match=f"column '{column}' holds lists; give words"):
            MusicPreprocessor().fit_transform(frame(**{column: [["a", "b"]] * 5}))
