"""Derived columns, each by hand."""

from typing import Any

import numpy as np
import pytest

from common.features.preprocessing.preprocessor import MusicPreprocessor
from tests.features.preprocessing.frames import LINE, fitted, frame, noted

NUMERIC_OF_ITEMS = [
    "release_year", "music_age", "duration_log", "tempo_log", "danceability", "energy", "loudness", "speechiness",
    "acousticness", "instrumentalness", "liveness", "valence", "energy_loudness", "dance_valence", "key_sin", "key_cos",
    "featured_count",
]  # fmt: skip


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("plays_log", np.log([1, 2, 4, 8, 16])),
        ("hour_sin", [0, 1, 0, -1, -1]),  # midnight, 6, 12, 18, and 18 of the day before 1970
        ("hour_cos", [1, 0, -1, 0, 0]),
        ("release_year", LINE),
        ("music_age", LINE[::-1]),
        ("duration_log", LINE),
        ("tempo_log", LINE),
        ("energy", LINE),
        ("loudness", LINE),
        ("energy_loudness", (np.array([0, 0.1, 0.3, 0.6, 1]) - 0.3) / 0.5),
        ("dance_valence", [-0.2 / 0.1, 0, 0.1 / 0.1, 0.1 / 0.1, 0]),  # 0, 0.2, 0.3, 0.3, 0.2
        ("key_sin", [0, 0.5, np.sqrt(0.75), 1, np.sqrt(0.75)]),  # C, G, D, A, E: an hour each on the circle of fifths
        ("key_cos", [1, np.sqrt(0.75), 0.5, 0, -0.5]),
        ("mode", [1, 1, 0, 1, 0]),
        ("featured_count", np.log([1, 2, 1, 1, 3])),
        ("age", (np.array([17, 18, 34, 64, 65]) - 34) / 46),
        ("explicit", [1, 0, 1, 0, 0]),
        ("time_signature_3", [1, 0, 0, 0, 1]),
        ("gender", [2, 1, 2, 1, 1]),
        ("country", [1, 1, 2, 1, 2]),
        ("artist", [1, 2, 1, 2, 3]),
        ("age_group", [1, 2, 3, 6, 7]),
        ("year", [1, 2, 3, 4, 5]),
    ],
)
def test_every_derived_column_by_hand(column, expected):
    assert fitted()[1][column].to_numpy() == pytest.approx(np.asarray(expected, float), abs=1e-6)


def test_columns_are_listed_by_part_and_typed():
    preprocessor, ready = fitted()
    assert preprocessor.target == {"interactions": ["plays_log"], "items": [], "users": []}
    assert preprocessor.numeric == {
        "interactions": ["hour_sin", "hour_cos"], "items": NUMERIC_OF_ITEMS, "users": ["age"],
    }  # fmt: skip
    assert preprocessor.binary == {"interactions": [], "items": ["explicit", "time_signature_3", "mode"], "users": []}
    assert preprocessor.categories == {
        "interactions": {},
        "items": {"artist": 4, "year": 6},
        "users": {"gender": 3, "country": 3, "age_group": 8},
    }
    kinds: list[Any] = [preprocessor.target, preprocessor.numeric, preprocessor.binary, preprocessor.categories]
    assert set(ready) == {name for kind in kinds for part in kind.values() for name in part}
    assert set(map(str, ready.dtypes)) == {"float32", "int8", "int32"}
    assert preprocessor.columns_left_out == {}


def test_a_product_of_which_no_row_has_both_is_left_out():
    preprocessor, ready = fitted(energy=[0.5, 0.4, None, None, None], loudness=[None, None, -3, -4, -5])
    assert preprocessor.columns_left_out == {"energy_loudness": "no row has both energy and loudness"}
    assert "energy_loudness" not in ready


def test_days_without_a_time_have_no_hour():
    preprocessor, ready = fitted(timestamp=[0, 86_400, 0, 172_800, 86_400])
    assert preprocessor.columns_left_out == {"timestamp": "days without a time"}
    assert "hour_sin" not in ready


def test_the_reference_year_is_the_latest_release_or_the_given_one_never_the_clock():
    given = frame(release_year=[1980, 1985, 1990, 1995, 2000])
    default, other = MusicPreprocessor(), MusicPreprocessor(reference_year=1995)
    default.fit_transform(given)
    ready = other.fit_transform(given)
    ages = other.transform(frame(release_year=[1995, 1996, 2001, 1990, 1985]))["music_age"].to_numpy()
    assert ages == pytest.approx((np.array([0, 0, 0, 5, 10]) - 5) / 10)  # ages at fit: 15, 10, 5, 0, 0
    assert ready["music_age"].iloc[4] == ready["music_age"].iloc[3]
    assert noted(other, "music age") == {"music_age": 1}
    assert default.transform(given)["music_age"].to_numpy() == pytest.approx(LINE[::-1])
