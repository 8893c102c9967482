"""The seven tables: which of them are there."""

import dataclasses

from common.data.quality import KEYS
from common.data.tables import Tables
from tests.data.worlds import rich_tables


def test_only_tables_that_are_there_are_listed():
    tables = rich_tables()
    assert set(tables.frames()) == set(KEYS)
    less = dataclasses.replace(tables, songs=None, social=None)
    assert set(less.frames()) == set(KEYS) - {"songs", "social"}
    assert less.frames()["interactions"] is tables.interactions


def test_a_split_that_comes_along_is_no_table():
    tables = rich_tables()
    whole = Tables(tables.interactions, tables.items, tables.users, predefined={"test": tables.interactions})
    assert set(whole.frames()) == {"interactions", "items", "users"}
