"""Times as people write them, and those that nobody can read with certainty."""

import pandas as pd
import pytest

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
    ],
)
def test_times_become_seconds(tmp_path, written, seconds):
    data = load(tmp_path, interactions=csv(f"u,a,{written}", columns=TIMED))
    assert data.tables.interactions["timestamp"].tolist() == [seconds]


@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin"])
def test_times_of_parquet_keep_their_zone(tmp_path, zone):
    times = pd.to_datetime(["2023-11-14T22:13:20.5Z"]).tz_convert(zone)
    data = load(tmp_path, interactions=pd.DataFrame({"user_id": ["u"], "item_id": ["a"], "timestamp": times}))
    assert data.tables.interactions["timestamp"].tolist() == [1_700_000_000]


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
        (["1700000000.5"], r"line 2.*not a whole number"),
        (["nan"], r"line 2.*not a whole number"),
        (["1700000000000000"], r"line 2.*neither seconds nor milliseconds"),
    ],
)
def test_times_in_mixed_or_unknown_forms_are_refused_by_line(tmp_path, times, complaint):
    text = csv(*(f"u,i{place},{time}" for place, time in enumerate(times)), columns=TIMED)
    with pytest.raises(UserError, match=complaint):
        load(tmp_path, interactions=text)
