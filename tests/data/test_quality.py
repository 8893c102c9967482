from dataclasses import replace

import numpy as np
import pandas as pd

from common.data.quality import column_quality, duplicate_artists, quality_report, shares_by_column, table_quality
from tests.data.worlds import rich_tables


def test_a_column_of_numbers_by_hand():
    about = column_quality(pd.Series([1.0, 2.0, 3.0, 4.0, 50.0, np.nan]))
    assert about == {
        "type": "float64", "missing": 1, "distinct": 5, "min": 1.0, "quarter": 2.0, "median": 3.0,
        "three_quarters": 4.0, "max": 50.0, "outliers": 1,
    }  # fmt: skip


def test_columns_without_numbers_have_no_range():
    assert "min" not in column_quality(pd.Series(["a", None]))
    assert "min" not in column_quality(pd.Series([np.nan, np.nan]))
    assert column_quality(pd.Series(["a", None]))["missing"] == 1


def test_repeated_keys_are_counted():
    frame = pd.DataFrame({"track_id": ["a", "a", "b"], "name": ["x", "y", "z"]})
    assert table_quality(frame, ["track_id"])["repeated_keys"] == 1


def test_the_report_names_every_column_and_the_worst_come_first():
    tables = rich_tables()
    report = quality_report(tables)
    assert set(report) == set(tables.frames())
    assert set(report["items"]["columns"]) == set(tables.items)
    shares = shares_by_column(report)
    worst = shares.max(axis=1).to_numpy()
    assert (np.diff(worst) <= 0).all()
    assert shares.loc["items.energy", "missing"] == 5 / len(tables.items)


def test_spellings_of_artists_are_counted_without_merging_them():
    tables = rich_tables()
    tables.items["artist"] = ["Harbour Tide", "harbour tide", *["artist of all"] * (len(tables.items) - 2)]
    found = duplicate_artists(tables)
    assert found is not None
    assert found[0] == {"spellings": 3, "same_key": 1, "near_spelling": 0, "only_listed": 0, "artists": 2}
    assert found[1]["rule"].tolist() == ["same_key"]
    assert duplicate_artists(replace(tables, items=tables.items[["item_id"]])) is None
