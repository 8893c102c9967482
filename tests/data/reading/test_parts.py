"""Tables in the part files of a folder, as Spark, Hadoop and Dask write them."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from common.data.dataset import load_dataset
from common.data.reading.parts import files_of
from common.data.reading.schema import INTERACTIONS
from common.data.reading.table import read_table
from common.data.sources.custom.raw_rows import read_raw
from common.splits.store import load_split
from common.utils.errors import UserError
from tests.data.sources.custom.folders import csv

ROWS = [(f"u{row // 4}", f"i{row % 7}", 1.0 + row) for row in range(24)]
SPARK = "part-0000{}-1f0e2b3c-4d5e-c000.{}"


def folder_of(tmp_path: Path, suffix: str, rows: list | None = None, parts: int = 3) -> Path:
    """interactions.<suffix> in some parts, with what Spark puts beside them; the folder that holds it."""
    frame = pd.DataFrame(ROWS if rows is None else rows, columns=["user_id", "item_id", "weight"])
    folder = tmp_path / f"mine-{suffix}" / f"interactions.{suffix}"
    folder.mkdir(parents=True)
    for number, places in enumerate(np.array_split(np.arange(len(frame)), parts)):
        path = folder / SPARK.format(number, "snappy.parquet" if suffix == "parquet" else suffix)
        if suffix == "parquet":
            frame.iloc[places].to_parquet(path, index=False)
        else:
            frame.iloc[places].to_csv(path, index=False, sep="," if suffix == "csv" else "\t")
        (folder / f".{path.name}.crc").write_bytes(b"crc\x00")
    (folder / "_SUCCESS").touch()
    return folder.parent


def refusal(folder: Path, missing: str = "refuse") -> str:
    with pytest.raises(UserError) as caught:
        load_dataset(str(folder), folder.parent / "data", missing=missing)
    return str(caught.value)


@pytest.mark.parametrize("suffix", ["csv", "tsv", "parquet"])
def test_parts_are_one_table(tmp_path, suffix):
    data = load_dataset(str(folder_of(tmp_path, suffix)), tmp_path / "data")
    found = data.tables.interactions.astype({"user_id": "str", "item_id": "str"})
    assert list(found.itertuples(index=False, name=None)) == ROWS
    assert data.manifest["repairs"] == []


def test_parts_are_read_in_the_order_of_their_numbers(tmp_path):
    for name in ("part.10.csv", "part.9.csv", "part-r-00001", "_metadata", ".hidden"):
        (tmp_path / name).touch()
    assert [path.name for path in files_of(tmp_path.rename(tmp_path.with_suffix(".csv")))] == [
        *("part-r-00001", "part.9.csv", "part.10.csv")
    ]


def test_a_changed_part_and_a_new_one_prepare_the_tables_anew(tmp_path):
    folder = folder_of(tmp_path, "csv")
    load = lambda: load_dataset(str(folder), tmp_path / "data").manifest["rows"]["interactions"]  # noqa: E731
    assert load() == 24
    part = next((folder / "interactions.csv").glob("part-00002*"))
    part.write_text(part.read_text() + "new,i1,2\n")
    assert load() == 25
    part.with_name("part-00003.csv").write_text("weight,item_id,user_id\n3,i2,new\n")
    assert load() == 26, "columns may stand in another order"
    (folder / "interactions.csv" / "_SUCCESS").unlink()
    (folder / "interactions.csv" / "part-00003.csv").unlink()
    assert load() == 25


@pytest.mark.parametrize(("suffix", "where"), [("csv", "line 4"), ("parquet", "row 3")])
@pytest.mark.parametrize("missing", ["refuse", "drop"])
def test_an_error_names_the_part_and_its_own_line(tmp_path, suffix, where, missing):
    rows: list[Any] = [*ROWS[:10], (ROWS[10][0], ROWS[10][1], -1.0), *ROWS[11:]]
    rows[0] = (None, *rows[0][1:]) if missing == "drop" else rows[0]
    folder = folder_of(tmp_path, suffix, rows)
    path = next((folder / f"interactions.{suffix}").glob("part-00001*"))
    assert f"{path}, {where}, column weight: " in refusal(folder, missing)
    if missing == "refuse":
        assert read_raw(folder)["interactions"].where(10) == f"interactions.{suffix}/{path.name}, {where}"


def test_parts_that_hold_no_rows_are_passed_over(tmp_path):
    folder = folder_of(tmp_path, "csv") / "interactions.csv"
    (folder / "part-00003.csv").touch()
    (folder / "part-00004.csv").write_text("user_id,item_id,weight\n")
    (folder / "part-00005").write_text("user_id,item_id,weight\nlast,i1,2.5\n")
    table = read_table(folder, INTERACTIONS)
    assert table.numbers("weight").tolist() == [*(row[2] for row in ROWS), 2.5]
    assert table.where(24) == f"{folder / 'part-00005'}, line 2"


def test_a_folder_without_rows_is_refused(tmp_path):
    folder = tmp_path / "mine" / "interactions.parquet"
    folder.mkdir(parents=True)
    (folder / "_SUCCESS").touch()
    assert "is a folder without a part that holds rows; write the table anew" in refusal(folder.parent)
    for path in (folder, folder.with_suffix(".csv")):
        part = folder_of(tmp_path / path.suffix, path.suffix[1:], [], parts=1)
        assert "there are no rows" in refusal(part)


def test_columns_and_types_agree_in_all_parts(tmp_path):
    folder = folder_of(tmp_path, "parquet")
    first, second, third = sorted((folder / "interactions.parquet").glob("part*"))
    table = pq.read_table(second)
    pq.write_table(table.drop_columns("weight"), second)
    assert f"{second} has no column weight, while {first.name} has; write all parts alike" in refusal(folder)
    pq.write_table(table.set_column(2, "weight", table["weight"].cast(pa.float32())), second)
    said = f"{second}, column weight: cells are of type float, those of {first.name} of type double; write all parts"
    assert said in refusal(folder)
    pq.write_table(table, second)
    pq.write_table(table.set_column(0, "user_id", pa.array([1] * len(table))), third)
    assert f"{third}, column user_id: cells are of type int64, those of {first.name} of type " in refusal(folder)


def test_parts_of_one_column_may_be_categories_or_all_missing(tmp_path):
    folder = folder_of(tmp_path, "parquet")
    _, second, third = sorted((folder / "interactions.parquet").glob("part*"))
    pd.read_parquet(second).astype({"user_id": "category"}).to_parquet(second, index=False)
    table = pq.read_table(third)
    pq.write_table(table.set_column(0, "user_id", pa.nulls(len(table))), third)
    data = load_dataset(str(folder), tmp_path / "data", missing="drop")
    assert data.tables.interactions["user_id"].astype("str").tolist() == [row[0] for row in ROWS[:16]]


def test_what_is_no_part_is_refused(tmp_path):
    folder = folder_of(tmp_path, "csv")
    packed = folder / "interactions.csv" / "part-00003.csv.gz"
    packed.touch()
    assert f"{packed} is no .csv file; unpack it, or take it out of the parts of interactions.csv" in refusal(folder)
    packed.unlink()
    (folder / "interactions.csv" / "year=2020").mkdir()
    assert "year=2020 is a folder among the parts of a table; write the parts without" in refusal(folder)


def test_a_part_without_its_header_is_named(tmp_path):
    folder = folder_of(tmp_path, "csv")
    part = next((folder / "interactions.csv").glob("part-00001*"))
    part.write_text("".join(part.read_text().splitlines(keepends=True)[1:]))
    assert f"{part}, line 1: column 'user_id' is missing among 'u2', " in refusal(folder)


def test_parts_of_a_ready_made_split(tmp_path):
    folder = folder_of(tmp_path, "csv")
    (folder / "interactions.csv").rename(folder / "train.csv")
    (folder / "test.csv").write_text(csv("u0,i6", "u1,i2", columns="user_id,item_id\n"))
    data = load_dataset(str(folder), tmp_path / "data")
    assert data.manifest["rows"]["interactions"] == 26
    assert len(load_split(data, "listen").test) == 2
