"""The quality report of a fit."""

import numpy as np
import pandas as pd
import pytest

from common.features.preprocessing.preprocessor import MusicPreprocessor
from common.features.preprocessing.quality import COLUMNS, as_text
from tests.features.preprocessing.frames import fitted, frame


def test_moments_before_and_after_missing_values_and_outliers():
    often = pd.concat([frame(energy=[0.2, 0.4, None, 0.6, 50.0])] * 2, ignore_index=True)
    preprocessor = MusicPreprocessor("none")
    ready = preprocessor.fit_transform(often)
    energy = preprocessor.quality.set_index("column").loc["energy"]
    known = np.array([0.2, 0.4, 0.6, 50.0])
    assert energy[["from", "rows", "missing", "outliers"]].tolist() == ["energy", 5, 1, 1]  # each item once
    assert energy["mean_before"] == pytest.approx(known.mean(), rel=1e-3)
    assert energy["std_before"] == pytest.approx(known.std(), rel=1e-3)
    assert energy["skew_before"] == pytest.approx(1.1545, abs=1e-3)
    assert energy["mean_after"] == pytest.approx(ready["energy"].head(5).mean(), rel=1e-3)
    assert list(preprocessor.quality) == list(COLUMNS)


def test_known_values_are_standardised_and_a_log_lessens_the_skew():
    preprocessor = MusicPreprocessor("none")
    preprocessor.fit_transform(frame(weight=[1, 1, 1, 1, 4000]))
    rows = preprocessor.quality.set_index("column")
    assert rows.loc["tempo_log", "mean_after"] == pytest.approx(0, abs=1e-6)
    assert rows.loc["tempo_log", "std_after"] == pytest.approx(1, rel=1e-3)
    assert rows.loc["plays_log", "rows"] == 5
    assert rows.loc["duration_log", "skew_after"] < rows.loc["duration_log", "skew_before"]
    assert rows.loc["mode", "mean_before"] == rows.loc["mode", "mean_after"] == pytest.approx(0.6)


def test_the_report_is_kept_with_the_preprocessor_and_can_be_read(tmp_path):
    preprocessor, _ = fitted(liveness=0.5)
    preprocessor.save_preprocessors(tmp_path)
    again = MusicPreprocessor.load_preprocessors(tmp_path)
    pd.testing.assert_frame_equal(again.quality, preprocessor.quality)
    liveness = next(line for line in as_text(preprocessor.quality).splitlines() if "liveness" in line).split()
    assert liveness == ["liveness", "liveness", "5", "0", "0", "0.5", "0", "-", "0", "0", "-"]
