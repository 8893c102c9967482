import polars as pl
import pyarrow.parquet as pq
import pytest

from common.data.preparation import row_groups
from common.data.preparation.row_groups import count_in_parts, in_groups, write_buckets


def test_rows_come_in_groups_of_one_size():
    frames = [pl.DataFrame({"a": range(start, end)}) for start, end in ((0, 2), (2, 3), (3, 3), (3, 12), (12, 14))]
    groups = [frame["a"].to_list() for frame in in_groups(frames, rows=4)]
    assert groups == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11], [12, 13]]
    assert list(in_groups([], rows=4)) == []


@pytest.mark.parametrize(("rows", "at_once"), [(1, 2), (5, 3), (100, 100)])
def test_each_bucket_has_a_file_with_its_rows_in_the_order_they_came(tmp_path, monkeypatch, rows, at_once):
    monkeypatch.setattr(row_groups, "AT_ONCE", at_once)
    kinds = {"user": pl.Int32, "timestamp": pl.Int64, "part": pl.Int8, "bucket": pl.UInt16}
    table = pl.DataFrame([(n, 2**40 + n, n % 3, n % 4 * 100) for n in range(23)], kinds, orient="row")
    write_buckets([table[:10], table[10:10], table[10:]], tmp_path / "events", rows)
    found = {int(path.stem): pl.read_parquet(path) for path in (tmp_path / "events").iterdir()}
    assert sorted(found) == [0, 100, 200, 300]
    for bucket, frame in found.items():
        assert frame.equals(table.filter(bucket=bucket).drop("bucket"))
        assert frame.schema == table.drop("bucket").schema


def test_no_more_than_some_rows_are_held(tmp_path):
    frames = (pl.DataFrame({"user": [n, n], "bucket": [0, 1]}) for n in range(10))
    write_buckets(frames, tmp_path / "events", rows=6)
    about = pq.read_metadata(tmp_path / "events" / "1.parquet")
    assert [about.row_group(group).num_rows for group in range(about.num_row_groups)] == [3, 3, 3, 1]


def test_no_rows_are_no_files(tmp_path):
    write_buckets([], tmp_path / "events")
    assert list((tmp_path / "events").iterdir()) == []


@pytest.mark.parametrize("part", [1, 4, 9, 10, 1_000])
def test_parts_are_counted_as_the_whole(part):
    table = pl.DataFrame({"name": [*"abcabacad", None], "kind": [*"xxyxxyxxx", "x"], "n": range(10)}).lazy()
    sums = [pl.len().cast(pl.Int64).alias("rows"), pl.col("n").sum().alias("total")]
    found = count_in_parts(table, ["name", "kind"], sums, 10, part).sort("name", "kind")
    assert found.rows() == [
        (None, "x", 1, 9),
        ("a", "x", 3, 10),
        ("a", "y", 1, 5),
        ("b", "x", 2, 5),
        ("c", "x", 1, 6),
        ("c", "y", 1, 2),
        ("d", "x", 1, 8),
    ]
    names = count_in_parts(table, ["name"], [], 10, part).sort("name")
    assert names.rows() == [(None,), ("a",), ("b",), ("c",), ("d",)]
    assert len(count_in_parts(table.head(0), ["name"], [], 0, part)) == 0


def test_no_part_is_larger_than_asked_for(monkeypatch):
    sizes: list[int] = []
    slice_of = pl.LazyFrame.slice

    def noted(frame, start, n=None):
        sizes.append(n)
        return slice_of(frame, start, n)

    monkeypatch.setattr(pl.LazyFrame, "slice", noted)
    count_in_parts(pl.DataFrame({"name": [*"abcab"]}).lazy(), ["name"], [], 5, 2)
    assert [size for size in sizes if size] == [2, 2, 2]
