from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from common.utils.errors import UserError
from tests.data.preparation.raw_logs import START, columns, event, packed, scanned, write_raw

ROWS = [event("u1", "Uprising", 0), event("u2", "Creep", 7, "Radiohead"), event("u1", "Héllo, wörld", 9, "Beyoncé")]


def table(path: Path, text: str) -> Path:
    path.write_bytes(packed(text.encode(), path.suffix))
    return path


TEXT = [f".{kind}{packed}" for kind in ("csv", "tsv", "jsonl", "json") for packed in ("", ".gz", ".zst")]


@pytest.mark.parametrize("kind", [*TEXT, ".parquet"])
def test_every_format_gives_the_same_rows(tmp_path, kind):
    outcome, events = scanned(tmp_path / "work", write_raw(tmp_path / f"log{kind}", ROWS))
    assert outcome.rows_in == outcome.rows_out == 3
    assert columns(events, "file", "row", "user_id", "artist", "track") == [
        (0, number, row["user_id"], row["artist"], row["track"]) for number, row in enumerate(ROWS, 1)
    ]
    times = events["time_number"].fill_null(events["time_text"].cast(pl.Int64))
    assert times.to_list() == [START, START + 7, START + 9]


def test_files_of_several_formats_are_numbered_and_told(tmp_path, caplog):
    files = [write_raw(tmp_path / f"{number}.{kind}", ROWS) for number, kind in enumerate(("csv", "jsonl", "parquet"))]
    with caplog.at_level("INFO"):
        outcome, events = scanned(tmp_path / "work", *files)
    assert columns(events, "file", "row") == [(file, row) for file in range(3) for row in (1, 2, 3)]
    read_as = "user_id from 'user_id', track from 'track', artist from 'artist', timestamp from 'timestamp'"
    known = ["artist", "timestamp", "track", "user_id"]
    assert outcome.notes == {"files": 3, "columns": known, "read_as": {read_as: str(files[0])}}
    assert caplog.text.count(read_as) == 1


def test_names_of_columns_are_recognised_or_given(tmp_path):
    text = "UserID,Song Title!,TRACK_MBID,played at,Artist-Name,listens\nu,Creep,7,1300000000,Radiohead,3\n"
    _, events = scanned(tmp_path / "1", table(tmp_path / "a.csv", text), columns=("track=Song Title!",))
    row = events.row(0, named=True)
    assert (row["user_id"], row["track"]) == ("u", "Creep")
    assert (row["track_id"], row["artist"], row["time_text"], row["plays"]) == ("7", "Radiohead", "1300000000", 3.0)


def test_a_file_without_a_header_is_given_one(tmp_path):
    path = table(tmp_path / "a.tsv", "u1\t2009-05-04T23:08:57Z\tid\tDeep Dish\t\tFuck Me Im Famous\n")
    header = ("user_id", "timestamp", "artist_id", "artist", "track_id", "track")
    _, events = scanned(tmp_path / "w", path, header=header, quotes=False)
    assert columns(events, "user_id", "time_text", "artist", "track") == [
        ("u1", "2009-05-04T23:08:57Z", "Deep Dish", "Fuck Me Im Famous")
    ]


def test_quotes_may_be_characters_of_names(tmp_path):
    path = table(tmp_path / "a.tsv", 'user\ttitle\ttime\nu\t"Heroes\t1\nv\t12" Mix\t2\n')
    _, events = scanned(tmp_path / "w", path, quotes=False)
    assert columns(events, "track") == ['"Heroes', '12" Mix']


def test_quoted_cells_hold_separators_quotes_and_line_ends(tmp_path):
    path = table(tmp_path / "a.csv", 'user,title,time\nu,"a, ""b""\nc",1\nv,plain,2\n')
    _, events = scanned(tmp_path / "w", path)
    assert columns(events, "row", "track") == [(1, 'a, "b"\nc'), (2, "plain")]


def test_a_carriage_return_ends_no_line(tmp_path):
    path = table(tmp_path / "a.tsv", "user\ttitle\ttime\nu\tone\rtwo\t1\nv\tplain\t2\n")
    _, events = scanned(tmp_path / "w", path, quotes=False)
    assert columns(events, "track", "time_text") == [("one\rtwo", "1"), ("plain", "2")]


def test_lines_of_windows_and_its_mark_at_the_start(tmp_path):
    path = table(tmp_path / "a.csv", "\ufeffuser,title,time\r\nu,one,1\r\nv,two,2\r\n")
    _, events = scanned(tmp_path / "w", path)
    assert columns(events, "user_id", "track", "time_text") == [("u", "one", "1"), ("v", "two", "2")]


def test_json_keeps_large_numbers_and_lists_and_skips_blank_lines(tmp_path):
    lines = [
        '{"user": 9007199254740993, "title": "a", "time": 1300000000, "genres": ["rock", "pop"], "count": 2}',
        "",
        '{"time": 1300000001, "title": "b", "user": 9007199254740995}',
    ]
    _, events = scanned(tmp_path / "w", table(tmp_path / "a.jsonl", "\n".join(lines) + "\n"))
    assert columns(events, "user_id", "track", "genre", "plays") == [
        ("9007199254740993", "a", "rock|pop", 2.0),
        ("9007199254740995", "b", None, None),
    ]


def test_a_json_array_may_be_written_over_several_lines(tmp_path):
    text = '[\n  {"user": "u",\n   "title": "a",\n   "time": 1},\n  {"user": "v", "title": "]", "time": 2}\n]\n'
    _, events = scanned(tmp_path / "w", table(tmp_path / "a.json", text))
    assert columns(events, "user_id", "track") == [("u", "a"), ("v", "]")]


MOMENT = datetime(2011, 3, 13, 7, 6, 40, tzinfo=UTC)


@pytest.mark.parametrize(
    "times",
    [
        pl.Series([MOMENT]).dt.cast_time_unit("ms"),
        pl.Series([MOMENT]).dt.cast_time_unit("us"),
        pl.Series([MOMENT]).dt.cast_time_unit("ns"),
        pl.Series([MOMENT]).dt.replace_time_zone(None),
        pl.Series([MOMENT]).dt.convert_time_zone("America/New_York"),
        pl.Series([1_300_000_000], dtype=pl.UInt64),
        pl.Series([1_300_000_000.9]),
    ],
    ids=lambda times: str(times.dtype),
)
def test_times_of_parquet(tmp_path, times):
    pl.DataFrame({"user": ["u"], "title": ["t"], "time": times}).write_parquet(tmp_path / "a.parquet")
    _, events = scanned(tmp_path / "w", tmp_path / "a.parquet")
    assert columns(events, "time_number") == [1_300_000_000]


def test_times_of_parquet_without_a_zone_are_in_the_given_one(tmp_path):
    pl.DataFrame({"user": ["u"], "title": ["t"], "time": [datetime(2011, 7, 1, 12)]}).write_parquet(tmp_path / "a.pq")
    _, events = scanned(tmp_path / "w", tmp_path / "a.pq", time_zone="Europe/Berlin")
    assert columns(events, "time_number") == [datetime(2011, 7, 1, 10, tzinfo=UTC).timestamp()]


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (pl.Series([2**63 + 5], dtype=pl.UInt64), "9223372036854775813"),
        (pl.Series([-7], dtype=pl.Int8), "-7"),
        (pl.Series([12.0]), "12"),
        (pl.Series([2.0**53]), "9007199254740992"),
        (pl.Series(["a"], dtype=pl.Categorical), "a"),
    ],
    ids=lambda value: str(getattr(value, "dtype", "")),
)
def test_ids_of_parquet(tmp_path, ids, expected):
    pl.DataFrame({"user": ids, "title": ["t"], "time": [1]}).write_parquet(tmp_path / "a.parquet")
    _, events = scanned(tmp_path / "w", tmp_path / "a.parquet")
    assert columns(events, "user_id") == [expected]


def test_lists_of_genres_are_joined(tmp_path):
    frame = pl.DataFrame({"user": ["u"], "title": ["t"], "time": [1], "genres": [["rock", "pop"]], "row": [5]})
    frame.write_parquet(tmp_path / "a.parquet")
    _, events = scanned(tmp_path / "w", tmp_path / "a.parquet")
    assert columns(events, "genre", "row") == [("rock|pop", 1)]


@pytest.mark.parametrize(
    ("value", "said"), [(1.5, "1.5 is no id"), (2.0**53 + 2, "is no id"), (float("inf"), "inf is no id")]
)
def test_decimal_ids_that_are_not_whole_are_refused(tmp_path, value, said):
    pl.DataFrame({"user": [1.0, None, value], "title": "t", "time": 1}).write_parquet(tmp_path / "a.parquet")
    with pytest.raises(UserError, match=f"a.parquet, row 3, column user: .*{said}; save ids as text or whole numbers"):
        scanned(tmp_path / "w", tmp_path / "a.parquet")


def test_cells_that_are_no_ids_or_times_are_refused(tmp_path):
    pl.DataFrame({"user": [True], "title": "t", "time": 1}).write_parquet(tmp_path / "a.parquet")
    pl.DataFrame({"user": [1], "title": "t", "time": [True]}).write_parquet(tmp_path / "b.parquet")
    with pytest.raises(UserError, match=r"a.parquet, column user: cells are of type Boolean; save ids"):
        scanned(tmp_path / "1", tmp_path / "a.parquet")
    with pytest.raises(UserError, match=r"b.parquet, column time: cells are of type Boolean; save timestamps"):
        scanned(tmp_path / "2", tmp_path / "b.parquet")


def test_plays_that_are_no_numbers_are_kept_for_the_next_step(tmp_path):
    _, events = scanned(tmp_path / "w", table(tmp_path / "a.csv", "user,title,time,count\nu,t,1,3\nu,t,1,\nu,t,1,x\n"))
    assert str(columns(events, "plays")) == "[3.0, None, nan]"


def test_files_without_rows_are_refused(tmp_path):
    path = table(tmp_path / "a.csv", "user,title,time\n")
    with pytest.raises(UserError, match=r"a.csv and all other raw files hold no row; give files with events"):
        scanned(tmp_path / "w", path)
