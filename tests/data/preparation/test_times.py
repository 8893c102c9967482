from datetime import UTC, datetime

import polars as pl
import pytest

from common.data.preparation.times import DATE, seconds_and_unit

NOON = 1_246_363_200  # 2009-06-30 12:00 UTC


def utc(*moment):
    return int(datetime(*moment).replace(tzinfo=UTC).timestamp())


def read(number=None, text=None, zone="UTC"):
    kinds = {"time_number": pl.Int64, "time_text": pl.String}
    row = pl.DataFrame([(number, text)], kinds, orient="row")
    return row.select(**seconds_and_unit(zone)).row(0)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (NOON, (NOON, 0)),
        (NOON * 1000 + 999, (NOON, 1)),
        (NOON * 10**6 + 999_999, (NOON, 2)),
        (NOON * 10**9 + 999_999_999, (NOON, 3)),
        (0, (0, 0)),
        (-1, (-1, 0)),
        (10**11 - 1, (10**11 - 1, 0)),
        (10**11, (10**8, 1)),
    ],
)
def test_numbers_count_by_their_size(number, expected):
    assert read(number) == expected
    assert read(text=f" {number} ") == expected


def test_decimals_are_rounded_down():
    assert read(text=f"{NOON}.9") == (NOON, 0)
    assert read(text="1.2463632e9") == (NOON, 0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2009-06-30", NOON - 12 * 3600),
        ("2009-06-30T12:00", NOON),
        ("2009-06-30 12:00:01", NOON + 1),
        ("2009-06-30T12:00:01.999", NOON + 1),
        ("2009-06-30T12:00:01,5", NOON + 1),
        ("2009-06-30T12:00:00Z", NOON),
        ("2009-06-30T12:00Z", NOON),
        ("2009-06-30 12:00:00 UTC", NOON),
        ("2009-06-30T12:00:00+02:00", NOON - 7200),
        ("2009-06-30T12:00:00.25-0130", NOON + 5400),
        ("2009-06-30T12:00+02", NOON - 7200),
        ("1969-12-31T23:59:59", -1),
    ],
)
def test_dates_are_read(text, expected):
    assert read(text=text) == (expected, DATE)


@pytest.mark.parametrize(
    "text",
    ["yesterday", "2009-13-01", "2009-06-30T25:00", "30.06.2009", "2009-06-30T12", "2009-06-30T12:00:00+2", "nan"],
)
def test_what_is_no_time_is_missing(text):
    assert read(text=text)[0] is None


def test_a_zone_holds_for_times_without_one():
    assert read(text="2009-06-30T12:00:00", zone="Europe/Berlin") == (NOON - 7200, DATE)
    assert read(text="2009-12-30T12:00:00", zone="Europe/Berlin")[0] == utc(2009, 12, 30, 11)
    assert read(text="2009-06-30T12:00:00Z", zone="Europe/Berlin") == (NOON, DATE)
    assert read(NOON, zone="Europe/Berlin") == (NOON, 0)


def test_an_hour_that_comes_twice_is_the_first_and_one_that_never_comes_is_missing():
    assert read(text="2009-10-25T02:30", zone="Europe/Berlin")[0] == utc(2009, 10, 25, 0, 30)
    assert read(text="2009-03-29T02:30", zone="Europe/Berlin")[0] is None
