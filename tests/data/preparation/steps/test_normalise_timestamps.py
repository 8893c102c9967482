import polars as pl
import pytest

from common.data.preparation.settings import PreparationSettings
from common.data.preparation.steps.normalise_timestamps import DAY, find_cut, normalise_timestamps
from common.utils.errors import UserError
from tests.data.preparation.raw_logs import START, columns, workspace, written


def table(seconds, unit=0, file=0):
    n = len(seconds)
    kinds = {"file": pl.Int32, "row": pl.Int64, "user_id": pl.String, "seconds": pl.Int64, "unit": pl.Int8}
    units = unit if isinstance(unit, list) else [unit] * n
    return pl.DataFrame([[file] * n, range(1, n + 1), ["u"] * n, seconds, units], kinds)


def normalised(folder, events, **settings):
    work = workspace(folder, events=events)
    work.files = [folder / "a.csv", folder / "b.csv"]
    work.settings = PreparationSettings(**settings)
    return normalise_timestamps(work), work


def test_the_cut_is_at_the_exact_places_whatever_the_order(tmp_path):
    seconds = [START + 10 * ((7 * place) % 20) for place in range(20)]  # each of 0, 10, ..., 190 once
    outcome, work = normalised(tmp_path, table(seconds))
    events = written(work, "events")
    assert columns(events, "timestamp") == seconds
    assert columns(events, "part") == [0 if at < START + 160 else 1 if at < START + 180 else 2 for at in seconds]
    assert outcome.notes["cut"] == {
        "train_until": START + 160,
        "valid_from": START + 160,
        "valid_until": START + 180,
        "test_from": START + 180,
        "gap_seconds": 0,
    }
    assert outcome.notes["events"] == {"train": 16, "valid": 2, "test": 2}
    assert (outcome.rows_in, outcome.rows_out, outcome.dropped) == (20, 20, {})


def test_events_of_one_second_are_of_one_part(tmp_path):
    seconds = [*range(START, START + 7), *[START + 8] * 2, START + 9]  # place 8 of 10 is the second of two at once
    outcome, _ = normalised(tmp_path, table(seconds))
    assert outcome.notes["events"] == {"train": 7, "valid": 2, "test": 1}


def test_shares_and_days_far_apart(tmp_path):
    seconds = [START + DAY * place for place in range(10)]
    cut = find_cut(table(seconds).lazy(), PreparationSettings(train_share=0.5, valid_share=0.2))
    assert (cut.valid_from, cut.test_from) == (seconds[5], seconds[7])


def test_days_at_the_end_with_a_gap_before_each_part(tmp_path):
    last = START + 5 * DAY
    times = {
        "train": [START, last - 2 * DAY - 3601],
        "gap before valid": [last - 2 * DAY - 3600, last - 2 * DAY - 1801],
        "valid": [last - 2 * DAY - 1800, last - DAY - 1801],
        "gap before test": [last - DAY - 1800, last - DAY - 1],
        "test": [last - DAY, last],
    }
    settings = {"test_days": 1.0, "valid_days": 1.0, "gap_minutes": 30.0}
    outcome, work = normalised(tmp_path, table([time for part in times.values() for time in part]), **settings)
    assert columns(written(work, "events"), "timestamp", "part") == [
        (time, part) for part, name in enumerate(("train", "valid", "test")) for time in times[name]
    ]
    assert outcome.dropped == {"in_a_gap": 4}
    assert outcome.notes["cut"]["gap_seconds"] == 1800
    assert outcome.notes["cut"]["test_from"] == last - DAY


def test_dates_and_months_are_told(tmp_path):
    march, april = START, START + 20 * DAY
    outcome, _ = normalised(tmp_path, table([march] * 8 + [april, april + 1]))
    assert outcome.notes["months"] == {"2011-03": 8, "2011-04": 2}
    assert outcome.notes["dates"] == {"first": "2011-03-13 07:06:40", "last": "2011-04-02 07:06:41"}


def test_files_may_differ_in_unit_but_one_may_not(tmp_path):
    first, second = table(list(range(START, START + 10)), 1), table(list(range(START, START + 10)), 0, 1)
    assert normalised(tmp_path / "1", pl.concat([first, second]))[0].rows_out == 20
    odd = table(list(range(START, START + 10)), [0] * 6 + [1] * 4, 1)
    with pytest.raises(
        UserError,
        match=r"b.csv, row 7: a time in milliseconds, while the rows before it are in seconds; write one",
    ):
        normalised(tmp_path / "2", pl.concat([first, odd]))
    with pytest.raises(UserError, match=r"a.csv, row 2: a time in dates, while the rows before it are in nanoseconds"):
        normalised(tmp_path / "3", table([START] * 10, [3] + [4] * 9))


@pytest.mark.parametrize(
    ("seconds", "part", "settings"),
    [
        ([START] * 10, "train", {}),
        ([START] * 8 + [START + 1] * 2, "valid", {}),
        ([START, START + 3 * DAY], "valid", {"test_days": 1.0}),
    ],
)
def test_a_part_that_is_empty_is_refused(tmp_path, seconds, part, settings):
    with pytest.raises(UserError, match=f"no event falls into {part}, with valid from 2011-.* choose another cut"):
        normalised(tmp_path, table(seconds), **settings)
