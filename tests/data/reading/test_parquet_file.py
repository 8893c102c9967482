"""Parquet as pandas, Spark and databases write it."""

import datetime
from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from common.data.reading.schema import ITEM, USER, Column
from common.data.reading.table import Table, read_table
from common.utils.errors import UserError

COLUMNS = (USER, Column("weight", "number", required=False), Column("name", "name", required=False, missing=True))


def read(tmp_path, columns=COLUMNS, **arrays) -> Table:
    path = tmp_path / "table.parquet"
    pq.write_table(pa.table(arrays), path)
    return read_table(path, columns)


IDS = {
    "unsigned": pa.array([2, 10], pa.uint64()),
    "small": pa.array([2, 10], pa.int8()),
    "nullable": pa.array(pd.array([2, 10], "Int64")),
    "text": pa.array(["2", "10"]),
    "large text": pa.array(["2", "10"], pa.large_string()),
    "text views": pa.array(["2", "10"], pa.string_view()),
    "bytes": pa.array([b"2", b"10"]),
    "decimals": pa.array([2.0, 10.0]),
    "short decimals": pa.array([2.0, 10.0], pa.float32()),
    "exact decimals": pa.array([Decimal(2), Decimal(10)], pa.decimal128(38, 0)),
    "categories": pa.array(["2", "10"]).dictionary_encode(),
    "whole categories": pa.array([2, 10]).dictionary_encode(),
    "large categories": pa.DictionaryArray.from_arrays(pa.array([1, 0]), pa.array(["10", "2", "9"], pa.large_string())),
}


@pytest.mark.parametrize("ids", IDS.values(), ids=IDS)
def test_ids_of_every_type_are_the_same_text(tmp_path, ids):
    table = read(tmp_path, user_id=ids)
    assert table.ids("user_id").tolist() == ["2", "10"]
    assert table.ids("user_id").categories.tolist() == ["10", "2"]


def test_large_whole_numbers_keep_every_digit(tmp_path):
    table = read(tmp_path, user_id=pa.array([2**64 - 1, 2**53 + 1], pa.uint64()))
    assert table.ids("user_id").tolist() == [str(2**64 - 1), str(2**53 + 1)]


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        (pa.array([1.0, 2.5]), "row 2, column user_id: 2.5 is no whole number; save ids as text"),
        (pa.array([1.0, 2.0**60]), "row 2, column user_id: .* more than a decimal number can hold"),
        (pa.array([1.0, None]), "row 2, column user_id: nothing is no id"),
        (pa.array([1, None]), "row 2, column user_id: nothing is no id"),
        (pa.array(["a", None]), "row 2, column user_id: nothing is no id"),
        (pa.array([None, None]), "row 1, column user_id: nothing is no id"),
        (pa.array([b"a", b"\xff"]), "column user_id: ids are of type binary; save them as text or as whole numbers"),
        (pa.array([True, False]), "column user_id: ids are of type bool; save them as text or as whole numbers"),
        (pa.array([datetime.date(2020, 1, 1)] * 2), "ids are of type date32"),
        (pa.array([[1], [2]]), "column user_id: cells are of type list"),
    ],
)
def test_ids_that_are_none_are_refused(tmp_path, ids, said):
    with pytest.raises(UserError, match=said):
        read(tmp_path, user_id=ids).ids("user_id")


@pytest.mark.parametrize(
    "weights",
    [
        pa.array([1, 2], pa.uint8()),
        pa.array([1, 2], pa.uint64()),
        pa.array(pd.array([1, 2], "Int32")),
        pa.array([1.0, 2.0], pa.float32()),
        pa.array([Decimal("1.0"), Decimal("2.0")]),
        pa.array(["1", " 2.0 "]).dictionary_encode(),
        pa.array(["1", "2"], pa.large_string()),
    ],
)
def test_numbers_of_every_type_are_floats(tmp_path, weights):
    table = read(tmp_path, user_id=["a", "b"], weight=weights)
    assert table.numbers("weight").tolist() == [1.0, 2.0]


def test_other_columns_may_be_of_any_type(tmp_path):
    table = read(tmp_path, user_id=["a"], name=pa.array([7]), other=[{"x": 1}])
    assert table.frame().to_dict("list") == {"user_id": ["a"], "name": ["7"]}


@pytest.mark.parametrize("cells", [pa.array([datetime.date(2020, 1, 1)]), pa.array([datetime.time(1, 2)])])
def test_numbers_of_another_type_are_refused(tmp_path, cells):
    with pytest.raises(UserError, match=r"column weight: cells are of type .*; save text or numbers"):
        read(tmp_path, user_id=["a"], weight=cells).numbers("weight")


def test_a_damaged_file_and_a_missing_column_are_named(tmp_path):
    path = tmp_path / "table.parquet"
    with pytest.raises(UserError, match=r"column 'item_id' is missing among 'user_id'"):
        read(tmp_path, (USER, ITEM), user_id=["a"])
    for content in (b"PAR1 no parquet", b"", path.read_bytes()[:-9]):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"table\.parquet is not a readable parquet file; write it anew"):
            read_table(path, COLUMNS)
