"""What the preprocessor derives from which column, and by which formula.

| derived column | part | formula |
|---|---|---|
| plays_log | interactions | log(1 + weight) |
| hour_sin, hour_cos | interactions | sine and cosine of 2 pi (timestamp mod 86,400) / 86,400: the time of day, UTC |
| release_year, music_age | items | the year; max(0, reference year - release year) |
| duration_log, tempo_log | items | log(1 + duration_ms), log(1 + tempo) |
| energy_loudness | items | energy x (loudness - quietest) / (loudest - quietest), the fraction kept in 0..1 |
| dance_valence | items | danceability x valence |
| time_signature_3 | items | 1 for three beats to the bar, 0 for four |
| key_sin, key_cos | items | sine and cosine of 2 pi 7 key / 12: the place on the circle of fifths, C on top |
| mode | items | 1 for major, 0 for minor |
| featured_count | items | log(1 + number of featured artists) |
| year, age_group | items, users | the release year as a word; one of AGE_GROUPS |
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from common.data.tables import AUDIO_FEATURES

PARTS = ("interactions", "items", "users")
KEYS = {"interactions": ("user_id", "item_id"), "items": ("item_id",), "users": ("user_id",)}
"""What names a row of each part."""
COLUMNS = {
    "interactions": ("weight", "timestamp"),
    "items": (
        *("artist", "release_year", "duration_ms", "explicit", "time_signature", "key", "mode", "featured_artists"),
        *AUDIO_FEATURES,
    ),
    "users": ("age", "gender", "country"),
}
"""Columns that features are made of."""
TEXTS = ("name", "artist_names", "genres")
"""Columns of items that texts are made of."""
STAND_INS = {
    "release_year": ("release_date",),
    "artist": ("artist_names",),
    "featured_artists": ("artist_names", "name"),
}
"""Columns that are read where the first is absent, the first of them that is there."""
DAY = 86_400
AGE_BOUNDS = (-np.inf, 18, 25, 35, 45, 55, 65, np.inf)
AGE_GROUPS = ("under 18", "18-24", "25-34", "35-44", "45-54", "55-64", "65 and over")


@dataclass(frozen=True)
class Constants:
    """What the formulas take from the fit."""

    reference_year: int | None = None
    quietest: float = 0.0
    loudest: float = 1.0


@dataclass(frozen=True)
class Feature:
    """A derived column: the part that it belongs to, the columns that it is made of, and how."""

    part: str
    sources: tuple[str, ...]
    formula: Callable[..., np.ndarray] = np.asarray
    """From the sources, float64 (rows,) each, then the constants; by default the source itself."""
    constants: tuple[str, ...] = ()
    as_it_is: bool = False
    """Not scaled: a target, or bounded by nature (two scales for sine and cosine would bend the circle)."""

    def values(self, rows: pd.DataFrame, constants: Constants) -> np.ndarray:
        """The column for typed rows, float64 (rows,), NaN where a source has no value."""
        sources = (rows[column].to_numpy(float) for column in self.sources)
        return self.formula(*sources, *(getattr(constants, name) for name in self.constants))


def _angle(seconds: np.ndarray) -> np.ndarray:
    """The hand of a clock that turns once a day."""
    return 2 * np.pi * (seconds % DAY) / DAY


def _fifths(key: np.ndarray) -> np.ndarray:
    """The angle of a pitch class on the circle of fifths, where keys that share most notes are neighbours."""
    return 2 * np.pi * (7 * key % 12) / 12


def _energy_loudness(energy: np.ndarray, loudness: np.ndarray, quietest: float, loudest: float) -> np.ndarray:
    return energy * np.clip((loudness - quietest) / ((loudest - quietest) or 1.0), 0.0, 1.0)


TARGET = "plays_log"
NUMERIC = {
    TARGET: Feature("interactions", ("weight",), np.log1p, as_it_is=True),
    "hour_sin": Feature("interactions", ("timestamp",), lambda seconds: np.sin(_angle(seconds)), as_it_is=True),
    "hour_cos": Feature("interactions", ("timestamp",), lambda seconds: np.cos(_angle(seconds)), as_it_is=True),
    "release_year": Feature("items", ("release_year",)),
    "music_age": Feature("items", ("release_year",), lambda y, now: np.maximum(0.0, now - y), ("reference_year",)),
    "duration_log": Feature("items", ("duration_ms",), np.log1p),
    "tempo_log": Feature("items", ("tempo",), np.log1p),
    **{name: Feature("items", (name,)) for name in AUDIO_FEATURES if name != "tempo"},
    "energy_loudness": Feature("items", ("energy", "loudness"), _energy_loudness, ("quietest", "loudest")),
    "dance_valence": Feature("items", ("danceability", "valence"), np.multiply),
    "key_sin": Feature("items", ("key",), lambda key: np.sin(_fifths(key)), as_it_is=True),
    "key_cos": Feature("items", ("key",), lambda key: np.cos(_fifths(key)), as_it_is=True),
    "featured_count": Feature("items", ("featured_artists",), np.log1p, as_it_is=True),
    "age": Feature("users", ("age",)),
}
BINARY = {
    "explicit": Feature("items", ("explicit",)),
    "time_signature_3": Feature("items", ("time_signature",), lambda beats: (4 - beats).clip(0, 1)),
    "mode": Feature("items", ("mode",)),
}
CATEGORIES: dict[str, tuple[str, str, Callable[[pd.Series], pd.Series]]] = {
    "artist": ("items", "artist", pd.Series.copy),
    "year": ("items", "release_year", lambda years: years.map("{:.0f}".format)),
    "gender": ("users", "gender", lambda genders: genders.str.casefold()),
    "country": ("users", "country", pd.Series.copy),
    "age_group": ("users", "age", lambda ages: pd.cut(ages, AGE_BOUNDS, right=False, labels=AGE_GROUPS)),
}
"""Category: the part that it belongs to, the column that it is made of, and how."""


def category(name: str, rows: pd.DataFrame) -> pd.Series:
    """The words of a category, object, None where there is none.

    >>> category("age_group", pd.DataFrame({"age": [17.0, 18.0, 70.0, np.nan]})).tolist()
    ['under 18', '18-24', '65 and over', None]
    >>> category("year", pd.DataFrame({"release_year": [1989.0, np.nan]})).tolist()
    ['1989', None]
    """
    _, column, words = CATEGORIES[name]
    return words(rows[column]).astype(object).where(rows[column].notna(), None)
