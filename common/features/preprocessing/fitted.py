"""What the preprocessor learns from the frame that it is fitted on, and how that is applied to any frame.

Statistics of items are those of the distinct items of the frame, of users those of its distinct users, so that what
is listened to most does not decide the scale; of interactions, of all rows. They are of known values only.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from common.data.ids import codes_of
from common.features.preprocessing.column_names import Readings
from common.features.preprocessing.columns import LABELS
from common.features.preprocessing.formulas import (
    AGE_GROUPS,
    BINARY,
    CATEGORIES,
    KEYS,
    NUMERIC,
    PARTS,
    TARGET,
    Constants,
    Feature,
    category,
)
from common.features.preprocessing.report import UNSEEN, Notes

WHISKER = 1.5
"""A value is an outlier beyond this many interquartile ranges from the quartiles (Tukey 1977)."""
STRATEGIES = {
    "robust": "left in; scaled by median and interquartile range",
    "cap": "capped",
    "none": "left in; scaled by mean and standard deviation",
}
IMPUTED = {
    **dict.fromkeys(LABELS, "code 0"),
    **dict.fromkeys(("explicit", "time_signature", "mode"), "the usual value"),
    "timestamp": "hour_sin and hour_cos 0, which is no hour",
    "key": "key_sin and key_cos 0, the middle of the circle",
}
"""What stands for a missing value; in any other column it is the median."""
MISSING = "_missing"
"""How the names of flags of missing values end."""
LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Scale:
    """How a number is filled in, bounded and scaled: (value - centre) / spread. The bounds may be infinite (None)."""

    median: float
    low: float | None
    high: float | None
    centre: float
    spread: float


@dataclass(frozen=True)
class Fitted:
    """Everything that a fit has learned, but for the texts."""

    strategy: str
    columns: dict[str, list[str]]
    """Columns of the frame by part: what a frame to transform must have."""
    constants: Constants
    flagged: list[str]
    """Columns that had missing values."""
    scales: dict[str, Scale] = field(default_factory=dict)
    usual: dict[str, float] = field(default_factory=dict)
    """The more frequent value of each binary column."""
    vocabularies: dict[str, list[str]] = field(default_factory=dict)
    """The words of each category; the code of the first is 1."""
    quality: list[dict[str, Any]] = field(default_factory=list)
    """A row per output column of numbers: see `quality.measure`."""
    readings: Readings = field(default_factory=dict)
    """How columns of other names were read."""

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "Fitted":
        """What `asdict` made of it; TypeError, KeyError or ValueError for anything else."""
        scales = {name: Scale(**scale) for name, scale in content["scales"].items()}
        fitted = cls(**content | {"scales": scales, "constants": Constants(**content["constants"])})
        if fitted.strategy not in STRATEGIES or set(fitted.columns) != set(PARTS) or not set(scales) <= set(NUMERIC):
            raise ValueError("its settings are not those of a preprocessor")
        return fitted

    def outputs(self, part: str) -> dict[str, list[str]]:
        """Names of the output columns of a part: target, numeric, binary, categories."""
        numeric = [name for name in self.scales if NUMERIC[name].part == part]
        binary = [name for name in self.usual if BINARY[name].part == part]
        return {
            "target": [name for name in numeric if name == TARGET],
            "numeric": [name for name in numeric if name != TARGET],
            "binary": [*binary, *(c + MISSING for c in self.flagged if c in self.columns[part])],
            "categories": [name for name in self.vocabularies if CATEGORIES[name][0] == part],
        }

    def apply(self, rows: pd.DataFrame, parts: Iterable[str], notes: Notes) -> pd.DataFrame:
        """The output columns of typed rows: float32 numbers, int8 binaries, int32 codes."""
        result: dict[str, Any] = {}
        if "items" in parts and "music_age" in self.scales:
            newer = (rows["release_year"] > self.constants.reference_year).sum()
            notes.add("music age", "music_age", newer, f"released after {self.constants.reference_year}, age 0")
        for part in parts:
            names = self.outputs(part)
            self._note_missing(rows, part, notes)
            result |= {name: self._number(name, rows, notes) for name in names["target"] + names["numeric"]}
            result |= {name: self._binary(name, rows) for name in names["binary"]}
            result |= {name: self._codes(name, rows, notes) for name in names["categories"]}
        return pd.DataFrame(result, index=rows.index)

    def _note_missing(self, rows: pd.DataFrame, part: str, notes: Notes) -> None:
        for column in self.columns[part]:
            how = IMPUTED.get(column, "the median")
            notes.add("missing values", column, rows[column].isna().sum(), f"imputed: {how}")

    def _number(self, name: str, rows: pd.DataFrame, notes: Notes) -> np.ndarray:
        scale = self.scales[name]
        values = NUMERIC[name].values(rows, self.constants)
        values = np.where(np.isnan(values), scale.median, values)
        if scale.low is not None and scale.high is not None:
            outside = (values < scale.low) | (values > scale.high)
            how = f"capped to {scale.low:.4g} .. {scale.high:.4g}" if self.strategy == "cap" else "left in"
            notes.add("outliers", name, outside.sum(), how)
            if self.strategy == "cap":
                values = np.clip(values, scale.low, scale.high)
        with np.errstate(over="ignore"):
            scaled = (values - scale.centre) / scale.spread
        return np.clip(scaled, -LARGEST, LARGEST).astype(np.float32)

    def _binary(self, name: str, rows: pd.DataFrame) -> np.ndarray:
        if name not in self.usual:
            return rows[name.removesuffix(MISSING)].isna().to_numpy(np.int8)
        values = BINARY[name].values(rows, self.constants)
        return np.where(np.isnan(values), self.usual[name], values).astype(np.int8)

    def _codes(self, name: str, rows: pd.DataFrame, notes: Notes) -> np.ndarray:
        words = category(name, rows)
        codes = codes_of(words, pd.Index(self.vocabularies[name], dtype=object))
        notes.add(UNSEEN, name, ((codes < 0) & words.notna().to_numpy()).sum(), "code 0")
        return (codes + 1).astype(np.int32)


def learn(
    rows: pd.DataFrame,
    keys: pd.DataFrame,
    columns: dict[str, list[str]],
    strategy: str,
    reference_year: int | None,
    notes: Notes,
) -> Fitted:
    """Everything that is learned from typed rows of the columns that are not left out, and the ids beside them."""
    distinct = {part: rows[~keys.duplicated(list(KEYS[part])).to_numpy()] for part in ("items", "users")}
    distinct["interactions"] = rows
    there = set(rows.columns)
    flagged = [str(column) for column in rows if rows[column].isna().any()]
    constants = _constants(distinct["items"], reference_year)
    fitted = Fitted(strategy, columns, constants, flagged)
    _learn_numbers(fitted, distinct, there, notes)
    for name, feature in BINARY.items():
        if there.issuperset(feature.sources):
            values = feature.values(distinct[feature.part], constants)
            fitted.usual[name] = float(np.nanmean(values) > 0.5)
            notes.add("binary", name, len(rows), f"0 or 1, usually {fitted.usual[name]:.0f}")
    for name, (part, column, _) in CATEGORIES.items():
        if column in there:
            words = category(name, distinct[part])
            fitted.vocabularies[name] = list(AGE_GROUPS) if name == "age_group" else sorted(words.dropna().unique())
            notes.add("categories", name, len(rows), f"{len(fitted.vocabularies[name]) + 1} codes, 0 for unknown ones")
    return fitted


def _learn_numbers(fitted: Fitted, distinct: dict[str, pd.DataFrame], there: set[str], notes: Notes) -> None:
    for name, feature in NUMERIC.items():
        if not there.issuperset(feature.sources):
            continue
        values = feature.values(distinct[feature.part], fitted.constants)
        known = values[~np.isnan(values)]
        if not len(known):  # no row has all the columns that it is made of
            continue
        fitted.scales[name] = scale = scale_of(known, feature, fitted.strategy)
        how = "as it is" if feature.as_it_is else f"less {scale.centre:.4g}, divided by {scale.spread:.4g}"
        notes.add("numbers", name, len(distinct["interactions"]), how)


def _constants(items: pd.DataFrame, reference_year: int | None) -> Constants:
    if reference_year is None and "release_year" in items:
        reference_year = int(items["release_year"].max())
    if "loudness" not in items:
        return Constants(reference_year)
    return Constants(reference_year, float(items["loudness"].min()), float(items["loudness"].max()))


def scale_of(known: np.ndarray, feature: Feature, strategy: str) -> Scale:
    """The scale of known values, float64 (values,), at least one. Without an interquartile range nothing is capped.

    >>> scale_of(np.array([0.0, 1.0, 2.0, 3.0, 4.0]), NUMERIC["age"], "robust")
    Scale(median=2.0, low=-2.0, high=6.0, centre=2.0, spread=2.0)
    """
    from sklearn.preprocessing import RobustScaler, StandardScaler

    if feature.sources in (("timestamp",), ("key",)):
        return Scale(0.0, None, None, 0.0, 1.0)
    low, median, high = (float(q) for q in np.percentile(known, [25, 50, 75]))
    reach = WHISKER * (high - low)
    bottom, top = (low - reach, high + reach) if reach > 0 else (None, None)
    if feature.as_it_is:
        return Scale(median, bottom, top, 0.0, 1.0)
    if strategy == "cap" and reach > 0:
        known = np.clip(known, bottom, top)
    if strategy == "robust":
        robust = RobustScaler().fit(known[:, None])
        return Scale(median, bottom, top, float(robust.center_[0]), float(robust.scale_[0]))
    standard = StandardScaler().fit(known[:, None])
    return Scale(median, bottom, top, float(standard.mean_[0]), float(standard.scale_[0]))
