"""What a fit learns: scales over distinct items and users, outliers, missing values, categories."""

import logging

import numpy as np
import pandas as pd
import pytest

from common.features.preprocessing.preprocessor import MusicPreprocessor
from tests.features.preprocessing.frames import LINE, fitted, frame, noted


def test_items_and_users_are_scaled_over_distinct_ones_not_over_interactions():
    often = pd.concat([frame(), *[frame(weight=1.0).iloc[[4]]] * 20], ignore_index=True)
    ready = MusicPreprocessor().fit_transform(often)
    assert ready["energy"].head(5).to_numpy() == pytest.approx(LINE)
    assert ready["age"].iloc[2] == 0


@pytest.mark.parametrize(
    ("strategy", "energy", "plays"),
    [
        ("robust", [-1, -0.5, 0, 0.5, (50 - 0.6) / 0.4], np.log(1e6)),
        ("cap", (np.array([0.2, 0.4, 0.6, 0.8, 1.4]) - 0.68) / np.sqrt(0.1696), np.log(8) + 1.5 * np.log(4)),
        ("none", None, np.log(1e6)),
    ],
)
def test_outliers_are_scaled_capped_or_left(strategy, energy, plays):
    given = frame(energy=[0.2, 0.4, 0.6, 0.8, 50.0], weight=[0.0, 1.0, 3.0, 7.0, 1e6 - 1])
    preprocessor = MusicPreprocessor(strategy)
    ready = preprocessor.fit_transform(given)
    if energy is None:
        energy = (given["energy"] - given["energy"].mean()) / given["energy"].std(ddof=0)
    assert ready["energy"].to_numpy() == pytest.approx(np.asarray(energy), abs=1e-5)
    assert ready["plays_log"].iloc[4] == pytest.approx(plays)
    touched = noted(preprocessor, "outliers")
    assert touched["energy"] == 1
    assert touched["plays_log"] == 1


def test_a_column_without_an_interquartile_range_is_not_capped_flat():
    ready = MusicPreprocessor("cap").fit_transform(frame(speechiness=[0.1, 0.1, 0.1, 0.1, 0.9]))
    assert ready["speechiness"].nunique() == 2


def test_missing_values_are_imputed_flagged_and_counted():
    gaps = {
        "energy": [0.2, np.nan, 0.6, 1.0, 0.6], "gender": ["m", None, " ", "f", "f"],
        "timestamp": [21_600, None, 0, 0, 0], "explicit": [None, False, 0, "no", 1], "age": [20, 40, 30, None, None],
    }  # fmt: skip
    preprocessor, ready = fitted(**gaps)
    assert ready["energy"].iloc[1] == 0  # the median of 0.2, 0.6, 0.6, 1
    assert ready["energy_missing"].tolist() == [0, 1, 0, 0, 0]
    assert ready["energy_loudness"].iloc[1] == 0
    assert ready["gender"].tolist() == [2, 0, 0, 1, 1]
    assert ready["gender_missing"].tolist() == [0, 1, 1, 0, 0]
    assert ready["explicit"].tolist() == [0, 0, 0, 0, 1]
    assert ready[["hour_sin", "hour_cos", "timestamp_missing"]].to_numpy()[1].tolist() == [0, 0, 1]
    assert ready["age"].iloc[3] == 0
    assert ready["age_group"].iloc[3] == 0
    assert preprocessor.binary["users"] == ["age_missing", "gender_missing"]
    expected = {"timestamp": 1, "explicit": 1, "energy": 1, "age": 2, "gender": 2}
    assert noted(preprocessor, "missing values") == expected


def test_a_tiny_spread_stays_finite():
    preprocessor = MusicPreprocessor()
    preprocessor.fit_transform(frame(liveness=[0, 1e-14, 2e-14, 3e-14, 4e-14]))
    later = preprocessor.transform(frame(liveness=1e29))
    assert np.isfinite(later.to_numpy()).all()


def test_categories_never_seen_get_code_0_and_are_told(caplog):
    preprocessor, _ = fitted()
    with caplog.at_level(logging.INFO, "common"):
        ready = preprocessor.transform(frame(gender=["x", "m", "f", "y", None], artist="new"))
    assert ready["gender"].tolist() == [0, 2, 1, 0, 0]
    assert ready["artist"].tolist() == [0] * 5
    assert "unseen categories: artist 5 (code 0); unseen categories: gender 2 (code 0)" in caplog.text
