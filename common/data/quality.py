"""The data-quality report: what every column of every table holds, what is missing, repeated or out of line."""

from typing import Any

import pandas as pd

from common.data.deduplication import spellings_of
from common.data.reading.schema import TABLES, required
from common.data.tables import Tables

KEYS = {name: required(columns) for name, columns in TABLES.items() if name != "negatives99"}
"""Columns that should name a row once."""
WHISKER = 1.5
"""A value is an outlier beyond this many interquartile ranges from the quartiles (Tukey 1977)."""


def quality_report(tables: Tables) -> dict[str, Any]:
    """Per table: rows, repeated keys, and per column type, missing and distinct values, range and outliers."""
    return {name: table_quality(frame, KEYS[name]) for name, frame in tables.frames().items()}


def duplicate_artists(tables: Tables) -> tuple[dict[str, int], pd.DataFrame] | None:
    """How many spellings of artists there are, how many of them `deduplicate` would merge by which rule, and how many
    artists were left; and the pairs. None for tables without names of artists."""
    found = spellings_of(tables)
    return None if found is None else (found.counts._asdict() | {"artists": found.counts.artists}, found.review)


def table_quality(frame: pd.DataFrame, keys: list[str]) -> dict[str, Any]:
    """The report of one table."""
    return {
        "rows": len(frame),
        "repeated_keys": int(frame.duplicated(keys).sum()),
        "columns": {str(name): column_quality(frame[name]) for name in frame},
    }


def column_quality(values: pd.Series) -> dict[str, Any]:
    """Type, missing and distinct values; for numbers also range, quartiles and outliers.

    >>> column_quality(pd.Series([1.0, 2.0, 3.0, 100.0, None]))["outliers"]
    1
    """
    found = {"type": str(values.dtype), "missing": int(values.isna().sum()), "distinct": int(values.nunique())}
    if not pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
        return found
    known = values.dropna().astype(float)
    if known.empty:
        return found
    low, median, high = known.quantile([0.25, 0.5, 0.75])
    outside = (known < low - WHISKER * (high - low)) | (known > high + WHISKER * (high - low))
    marks = {"min": known.min(), "quarter": low, "median": median, "three_quarters": high, "max": known.max()}
    return found | {name: float(value) for name, value in marks.items()} | {"outliers": int(outside.sum())}


def shares_by_column(report: dict[str, Any]) -> pd.DataFrame:
    """Share of missing values and of outliers, a row per `table.column`, worst first."""
    rows = {
        f"{table}.{column}": {
            "missing": about["missing"] / max(1, content["rows"]),
            "outliers": about.get("outliers", 0) / max(1, content["rows"]),
        }
        for table, content in report.items()
        for column, about in content["columns"].items()
    }
    shares = pd.DataFrame.from_dict(rows, orient="index")
    return shares.loc[shares.max(axis=1).sort_values(ascending=False).index]
