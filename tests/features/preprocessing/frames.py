"""Small frames to fit on."""

from typing import Any

import numpy as np
import pandas as pd

from common.features.preprocessing.preprocessor import MusicPreprocessor


def frame(**columns: Any) -> pd.DataFrame:
    """Five interactions of five users with five items, complete and without outliers; `columns` replace or add."""
    rows = {
        "user_id": list("uvwxy"),
        "item_id": list("abcde"),
        "weight": [0.0, 1.0, 3.0, 7.0, 15.0],
        "timestamp": [0, 21_600, 43_200, 64_800, -21_600],
        "name": ["One", "Two (feat. Ann Lee)", "Three", "Four", "Five"],
        "artist": ["X", "Y", "X", "Y", "Z"],
        "artist_names": ["X Club", "Y Club|Ann Lee", "X Club", "Y Club", "Zed|Ann Lee|Bo"],
        "genres": ["rock|hard rock", "rock", "pop", "pop|rock", "Rock"],
        "release_year": [1980, 1985, 1990, 1995, 2000],
        "release_date": ["1980", "1985-02", "1990-01-01", "1995", "2000"],
        "duration_ms": [np.expm1(v) for v in (10.0, 11.0, 12.0, 13.0, 14.0)],
        "explicit": [True, False, True, False, False],
        "time_signature": [3, 4, 4, 4, 3],
        "key": [0, 7, 2, 9, 4],
        "mode": [1, 1, 0, 1, 0],
        "danceability": [0.0, 0.25, 0.5, 0.75, 1.0],
        "energy": [0.2, 0.4, 0.6, 0.8, 1.0],
        "loudness": [-20.0, -15.0, -10.0, -5.0, 0.0],
        **{name: [0.1, 0.2, 0.3, 0.4, 0.5] for name in ("speechiness", "acousticness", "instrumentalness", "liveness")},
        "valence": [1.0, 0.8, 0.6, 0.4, 0.2],
        "tempo": [np.expm1(v) for v in (4.0, 4.25, 4.5, 4.75, 5.0)],
        "age": [17.0, 18.0, 34.0, 64.0, 65.0],
        "gender": ["m", "f", "m", "f", "f"],
        "country": ["Chile", "Chile", "Peru", "Chile", "Peru"],
    }
    return pd.DataFrame(rows | columns)


def fitted(**columns: Any) -> tuple[MusicPreprocessor, pd.DataFrame]:
    preprocessor = MusicPreprocessor()
    return preprocessor, preprocessor.fit_transform(frame(**columns))


def noted(preprocessor: MusicPreprocessor, step: str) -> dict[str, int]:
    """Rows touched in a step, by column."""
    rows = preprocessor.report[preprocessor.report["step"] == step]
    return dict(zip(rows["column"], rows["rows"], strict=True))


LINE = [-1.0, -0.5, 0.0, 0.5, 1.0]
"""Five numbers of equal distance, less their median, in units of their interquartile range."""
