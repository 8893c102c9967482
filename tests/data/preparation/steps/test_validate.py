import polars as pl
import pytest

from common.data.preparation.settings import PreparationSettings
from common.data.preparation.steps.validate import RULES, SAMPLE, validate
from common.utils.errors import UserError
from tests.data.preparation.raw_logs import START, columns, workspace, written

COLUMNS = ("file", "row", "user_id", "track_id", "track", "artist_id", "artist", "time_number", "time_text", "plays")
KINDS = {
    "file": pl.Int32,
    "row": pl.Int64,
    **dict.fromkeys(("user_id", "track_id", "track", "artist_id", "artist"), pl.String),
    "time_number": pl.Int64,
    "time_text": pl.String,
    "plays": pl.Float64,
}
NOW = str(START)
ROWS = [
    # user, track_id, track, artist_id, artist, number, text, plays
    ("u", "7", None, None, None, None, NOW, None),  # sound: an id alone
    ("u", None, "Creep", None, "Radiohead", START, None, 2.0),  # sound: names
    ("u", None, "Creep", "id", " ", START, None, 2147483647.0),  # sound: an artist by id
    ("u", None, "None", None, "None", START, None, 1.0),  # sound: there is a band called None
    (" ", "7", None, None, None, START, None, 1.0),  # user_missing
    ("NA", None, None, None, None, None, None, 0.0),  # user_missing, and all the rest
    ("u", "nan", "  ", None, "x", START, None, 1.0),  # track_missing
    ("u", None, "Creep", "null", None, START, None, 1.0),  # artist_missing
    ("u", "7", None, None, None, None, "", 1.0),  # time_missing
    ("u", "7", None, None, None, None, "NULL", 1.0),  # time_missing
    ("u", "7", None, None, None, None, "soon", 0.0),  # time_unreadable, before plays_invalid
    ("u", "7", None, None, None, 631151999, None, 1.0),  # time_out_of_range: the second before 1990
    ("u", "7", None, None, None, None, "2100-01-01", 1.0),  # time_out_of_range
    ("u", "7", None, None, None, START, None, 0.0),  # plays_invalid
    ("u", "7", None, None, None, START, None, 1.5),  # plays_invalid
    ("u", "7", None, None, None, START, None, 2147483648.0),  # plays_invalid
    ("u", "7", None, None, None, START, None, float("nan")),  # plays_invalid
    ("u", "7", None, None, None, 631152000, None, 1.0),  # sound: the first second of 1990
    ("u", "7", None, None, None, None, "2099-12-31T23:59:59Z", 1.0),  # sound: the last one
]
DROPPED = {
    "user_missing": 2,
    "track_missing": 1,
    "artist_missing": 1,
    "time_missing": 2,
    "time_unreadable": 1,
    "time_out_of_range": 2,
    "plays_invalid": 4,
}


def validated(folder, rows, known=(*COLUMNS[2:7], "plays", "timestamp"), **settings):
    events = pl.DataFrame([(0, number, *row) for number, row in enumerate(rows, 1)], KINDS, orient="row")
    events = events.with_columns(pl.lit(None, pl.String).alias(name) for name in ("album_id", "album", "genre"))
    work = workspace(folder, {"scan": {"columns": known}}, events=events)
    work.settings = PreparationSettings(**settings)
    return validate(work), work


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    return validated(tmp_path_factory.mktemp("validate"), ROWS)


def test_every_broken_row_is_counted_by_the_first_rule_that_it_breaks(done):
    outcome, _ = done
    assert outcome.dropped == DROPPED
    assert list(DROPPED) == list(RULES)
    assert outcome.notes["repaired"] == {"empty plays taken as 1": 1}
    assert (outcome.rows_in, outcome.rows_out) == (len(ROWS), len(ROWS) - sum(DROPPED.values()))


def test_sound_rows_stay_with_their_time_in_seconds(done):
    events = written(done[1], "events")
    assert columns(events, "row", "seconds", "unit", "plays") == [
        (1, START, 0, 1),
        (2, START, 0, 2),
        (3, START, 0, 2147483647),
        (4, START, 0, 1),
        (18, 631152000, 0, 1),
        (19, 4102444799, 4, 1),
    ]
    assert columns(events, "artist")[1:4] == ["Radiohead", None, "None"]
    assert {"time_number", "time_text", "album"}.isdisjoint(events.columns)


def test_a_few_broken_rows_are_kept_with_file_row_and_rule(done):
    dropped = written(done[1], "dropped").sort("row")
    assert columns(dropped, "path", "row", "rule")[:3] == [
        ("a.csv", 5, "user_missing"),
        ("a.csv", 6, "user_missing"),
        ("a.csv", 7, "track_missing"),
    ]
    assert columns(dropped, "time_text")[6] == "soon"


def test_of_each_rule_the_first_rows_are_kept(tmp_path):
    rows = [("u", "7", None, None, None, START, None, None), *[(None, "7", *ROWS[0][2:])] * (SAMPLE + 5)]
    outcome, work = validated(tmp_path, rows)
    assert outcome.dropped == {"user_missing": SAMPLE + 5}
    assert columns(written(work, "dropped"), "row") == list(range(2, SAMPLE + 2))


def test_days_may_be_given_or_left_open(tmp_path):
    times = [0, START, START + 86_400]
    rows = [("u", "7", None, None, None, time, None, None) for time in times]
    day = "2011-03-13"  # that of START
    outcome, _ = validated(tmp_path / "1", rows, earliest=day, latest=day)
    assert outcome.dropped == {"time_out_of_range": 2}
    assert validated(tmp_path / "2", rows, earliest="none", latest="none")[0].dropped == {}


def test_a_log_without_plays_has_none(tmp_path):
    _, work = validated(tmp_path, ROWS[:1], known=("user_id", "track_id", "timestamp"))
    assert written(work, "events").columns == ["file", "row", "user_id", "track_id", "seconds", "unit"]
    assert not (work.fresh / "dropped").exists()


def test_a_log_of_which_nothing_is_left_is_refused(tmp_path):
    with pytest.raises(
        UserError, match=r"a.csv: every row is broken, most .* by no user; look at .*dropped.parquet, and"
    ):
        validated(tmp_path, [ROWS[4], ROWS[5], ROWS[6]])
    sample = pl.read_parquet(tmp_path / "dropped.parquet")
    assert len(sample) == 3
    assert sample["rule"].to_list().count("user_missing") == 2


SOUND, NAMELESS = ("u", "7", None, None, None, START, None, 1.0), (None, "7", None, None, None, START, None, 1.0)
LATE = ("u", "7", None, None, None, None, "2100-01-01", 1.0)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([SOUND] * 60 + [NAMELESS] * 60, "every row after row 60 is broken, most of them by no user, so its columns"),
        ([NAMELESS] * 60 + [SOUND] * 60, "every row before row 61 is broken"),
    ],
)
def test_a_file_whose_columns_change_is_refused_at_the_row(tmp_path, rows, said):
    with pytest.raises(UserError, match=said):
        validated(tmp_path, rows)


@pytest.mark.parametrize(
    "rows",
    [
        [SOUND] * 600 + [NAMELESS] * 59,  # less than a tenth of the file
        [SOUND] * 60 + [NAMELESS] * 49,  # few rows
        [SOUND, NAMELESS] * 60,  # all over the file
        [SOUND] * 60 + [LATE] * 60,  # what --latest leaves out of a log in the order of time
    ],
    ids=["share", "few", "mixed", "late"],
)
def test_other_broken_rows_are_dropped_and_counted(tmp_path, rows):
    outcome, _ = validated(tmp_path, rows)
    assert sum(outcome.dropped.values()) == len(rows) - rows.count(SOUND) > 0
