"""The declared columns: their words, and the page that repeats them."""

import re
from pathlib import Path

import numpy as np
import pytest

from common.data.reading.schema import ABOVE_0, MISSING, TABLES, Column, columns_table, required
from common.data.tables import AUDIO_FEATURES, Tables

PAGE = Path(__file__).parents[3] / "docs" / "your-own-data.md"
KINDS = {"id", "name", "text", "raw", "names", "number", "whole number", "true or false", "time"}


def test_the_page_shows_the_schema():
    shown = re.search(r"<!-- tables -->\n(.*?)<!-- end -->", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert shown, "no block for the schema"
    assert shown[1] == columns_table(), "differs; .venv/bin/python -m common report --readme docs/your-own-data.md"


def test_what_programs_write_for_a_missing_value_is_known():
    assert {*[r"NA", r"N/A", r"#N/A", r"NaN", r"nan", r"NULL", r"null", r"None", r"none", r"nil", r"\N"]} <= {*MISSING}


def test_the_page_names_every_marker_of_a_missing_value():
    page = PAGE.read_text(encoding="utf-8")
    assert [marker for marker in MISSING if f"`{marker}`" not in page] == []


def test_every_table_has_its_columns():
    assert set(TABLES) == {*Tables.__annotations__} - {"predefined", "repairs", "notes", "reviews"} | {"negatives99"}
    for table, columns in TABLES.items():
        names = [column.name for column in columns]
        assert len(names) == len(set(names)), table
        assert required(columns), table
        assert {column.kind for column in columns} <= KINDS
        assert not any(column.required and column.missing for column in columns)
    assert set(AUDIO_FEATURES) <= {column.name for column in TABLES["items"]}


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (Column("x", "number"), "a number"),
        (Column("x", "number", minimum=0), "a number (at least 0)"),
        (Column("x", "number", maximum=5), "a number (at most 5)"),
        (Column("x", "whole number", minimum=1, maximum=12), "a whole number (1 to 12)"),
        (Column("x", "number", minimum=ABOVE_0), "a number (above 0)"),
    ],
)
def test_bounds_in_words(column, said):
    assert column.expected == said


def test_the_least_number_above_0_is_allowed():
    assert 0 < ABOVE_0 <= np.float64(5e-324)
