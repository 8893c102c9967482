"""Times as people write them, and those that nobody can read with certainty."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from common.data.reading.schema import INTERACTIONS, TIMESTAMP
from common.data.reading.table import read_table
from common.utils.errors import UserError
from tests.data.sources.custom.folders import TIMED, csv, load


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("1700000000", 1_700_000_000),
        ("1700000000000", 1_700_000_000),
        ("-5", -5),
        ("2023-11-14", 1_699_920_000),
        ("2023-11-14T22:13:20Z", 1_700_000_000),
        ("2023-11-14 22:13:20", 1_700_000_000),
        ("2023-11-14T22:13:20.999", 1_700_000_000),
        ("2023-11-15T00:13:20+02:00", 1_700_000_000),
        ("2023-11-15 00:13:20+02", 1_700_000_000),
        ("2023-11-14 22:13:20.25 UTC", 1_700_000_000),
        (" 1700000000 ", 1_700_000_000),
        ("1700000000.9", 1_700_000_000),
        ("-5.5", -6),
        ("1700000000123456", 1_700_000_000),
        ("1700000000000000000", 1_700_000_000),
        ("1700000000999999999", 1_700_000_000),
    ],
)
def test_times_become_seconds(tmp_path, written, seconds):
    data = load(tmp_path, interactions=csv(f"u,a,{written}", columns=TIMED))
    assert data.tables.interactions["timestamp"].tolist() == [seconds]


@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin"])
@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_times_of_parquet_keep_their_zone_and_are_rounded_down(tmp_path, unit, zone):
    parts = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    times = pa.array([1_700_000_000 * parts + parts // 2, -1 - parts], pa.timestamp(unit, zone))
    path = tmp_path / "table.parquet"
    pq.write_table(pa.table({"timestamp": times}), path)
    assert read_table(path, [TIMESTAMP]).seconds().tolist() == [1_700_000_000, -2]


@pytest.mark.parametrize(
    "times",
    [
        pa.array([0, 19_675], pa.date32()),
        pa.array([0, 19_675 * 86_400_000], pa.date64()),
        pa.array([0, 19_675 * 86_400], pa.uint64()),
        pa.array([0.5, 19_675 * 86_400]),
        pa.array(["1970-01-01", "2023-11-14"]).dictionary_encode(),
    ],
)
def test_other_types_of_parquet(tmp_path, times):
    path = tmp_path / "table.parquet"
    pq.write_table(pa.table({"timestamp": times}), path)
    with pytest.raises(UserError, match=r"row 1, column timestamp: .* is no time beside those of 2023-11-14"):
        read_table(path, [TIMESTAMP]).seconds()


def test_zeros_among_real_times_are_refused_and_those_of_a_clock_from_zero_are_not(tmp_path):
    text = csv("u,a,1577836800", "u,b,0", "u,c,1577836801", "v,a,0", columns=TIMED)
    with pytest.raises(UserError, match=r"line 3, column timestamp: '0' is no time.*2 rows.*leave these rows out"):
        load(tmp_path / "1", interactions=text)
    data = load(tmp_path / "2", interactions=csv("u,a,0", "u,b,10", "u,c,20", columns=TIMED))
    assert data.tables.interactions["timestamp"].tolist() == [0, 10, 20]


def test_odd_dates_are_kept_counted_and_told(tmp_path, caplog):
    rows = ["u,a,1577836800", "u,b,-86400", "u,c,1000000", "u,d,32503680000"]
    data = load(tmp_path, interactions=csv(*rows, columns=TIMED))
    assert len(data.tables.interactions) == 4
    old, late = data.manifest["notes"]["warnings"]
    assert "line 3, column timestamp: 2 of 4 times are before 1990, the first 1969-12-31; they are kept" in old
    assert "line 5, column timestamp: 1 of 4 times are in the future, the first 3000-01-01; they are kept" in late
    assert old in caplog.text


@pytest.mark.parametrize(
    ("times", "complaint"),
    [
        (["1700000000", "1700000000000"], r"line 3, column timestamp: '1700000000000' is in milliseconds"),
        (["1700000000000", "1700000000"], r"line 3, column timestamp: '1700000000' is in seconds"),
        (["1700000000", "2023-11-14"], r"line 3.*is a date, while the rows before it hold a number"),
        (["2023-11-14", "1700000000"], r"line 3.*is a number, while the rows before it hold a date"),
        (["2023-11-14T22:00Z", "2023-11-14T22:00"], r"line 3.*another zone.*zone \+0000; write all in UTC"),
        (["2023-11-14T22:00", "2023-11-14T22:00Z"], r"line 3.*another zone.*no zone"),
        (["2023-11-14T22:00+01:00", "2023-11-14T22:00Z"], r"line 3.*another zone.*zone \+0100"),
        (["2023-11-14", ""], r"line 3.*nothing is no time"),
        (["2023-11-14", "14.11.2023"], r"line 3.*is no time: write"),
        (["2023-02-30"], r"line 2.*no calendar"),
        (["nan"], r"line 2.*is no number of seconds"),
        (["inf"], r"line 2.*is no number of seconds"),
        (["1700000000", "NULL"], r"line 3.*'NULL' is no time; give every row one or leave the column out"),
        (["1700000000", "1700000000000000"], r"line 3.*is in microseconds, while the rows before it are in seconds"),
        (["1e300"], r"line 2.*is no number of seconds"),
    ],
)
def test_times_in_mixed_or_unknown_forms_are_refused_by_line(tmp_path, times, complaint):
    text = csv(*(f"u,i{place},{time}" for place, time in enumerate(times)), columns=TIMED)
    with pytest.raises(UserError, match=complaint):
        load(tmp_path, interactions=text)


@pytest.mark.parametrize(
    "cells",
    [
        pa.array([3_600_000_000], pa.time64("us")),
        pa.array([86_400], pa.duration("s")),
        pa.array([True]),
        pa.array([b"\xff"]),
        pa.array([-(2**63)]),
    ],
    ids=lambda cells: str(cells.type),
)
@pytest.mark.parametrize("missing", ["refuse", "drop"])
def test_what_is_no_time_is_refused_and_the_column_named(tmp_path, cells, missing):
    pq.write_table(pa.table({"user_id": ["u"], "item_id": ["a"], "timestamp": cells}), tmp_path / "t.parquet")
    with pytest.raises(UserError, match=r"t\.parquet.*column timestamp.*;"):
        read_table(tmp_path / "t.parquet", INTERACTIONS, missing).frame()
