import errno
import gzip

import polars as pl
import pytest

from common.data.preparation.raw_files import check_raw_files, find_raw_files, opened, system_error
from common.data.preparation.settings import PreparationSettings
from common.utils.errors import UserError
from tests.data.preparation.raw_logs import event, packed, write_raw

SOUND = "user,title,time\n" + "".join(f"u{number},t,{number}\n" for number in range(40))
LINES = "".join(f'{{"user": "u", "title": "t", "time": {number}}}\n' for number in range(40))


def read(path, folder, **settings):
    with opened(path, PreparationSettings(**settings), folder) as raw:
        return raw.collect(engine="streaming")


def test_folders_give_their_files_in_the_order_of_their_names(tmp_path, caplog):
    for name in ("b/2.csv.gz", "a/1.JSONL", "3.parquet", "notes.txt", ".hidden/4.csv", "_5.csv", "raw.toml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    with caplog.at_level("INFO"):
        found = find_raw_files([tmp_path, tmp_path / "3.parquet"])
    assert "1 files of no known format, notes.txt first" in caplog.text
    assert [path.relative_to(tmp_path).as_posix() for path in found] == ["3.parquet", "a/1.JSONL", "b/2.csv.gz"]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("lacking.csv",), "lacking.csv is missing; name the raw files or the folder that holds them"),
        (("log.xlsx",), "log.xlsx: no known format; give .csv, .tsv, .jsonl"),
        (("log.csv.bz2",), "log.csv.bz2: no known format; give .csv"),
        (("empty",), "no raw files among .*empty; give .csv"),
    ],
)
def test_what_is_no_raw_file_is_refused(tmp_path, names, said):
    (tmp_path / "empty").mkdir()
    for name in ("log.xlsx", "log.csv.bz2"):
        (tmp_path / name).write_text("x")
    with pytest.raises(UserError, match=said):
        find_raw_files([tmp_path / name for name in names])


BROKEN = {
    "empty.csv": (b"", "is empty; leave it out or give the whole file"),
    "empty.csv.gz": (gzip.compress(b""), "is empty; leave it out or give the whole file"),
    "longer.csv": (
        f"{SOUND}u,t,1,more\n{SOUND}".encode(),
        "line 42: 4 cells, while the first line has 3; quote cells that hold the separator, or split the file",
    ),
    "open.csv": (f'{SOUND}u,"t,1\nu,t,2\n'.encode(), "line 42: a quotation mark is never closed.*--no-quotes"),
    "latin.csv": (SOUND.encode() + "u,Béla,1\n".encode("latin-1"), "line 42: not written in UTF-8; save the file"),
    "list.jsonl": (f"{LINES}[1, 2]\n{LINES}".encode(), "line 41: no JSON object; correct or delete that line"),
    "cut.jsonl": (LINES.encode()[:-9], "line 40: no JSON object; correct or delete that line"),
    "numbers.jsonl": (b"1\n2\n", "line 1: no JSON object; write one {...} on each line"),
    "cut.json": (b'[{"user": 1}, {"user": 2', "object 2: cut off or no JSON .*get the whole file, or leave it out"),
    "open.json": (b'[{"user": 1}, {"user": 2}', "object 3: cut off or no JSON .*get the whole file, or leave it out"),
    "cut.csv.gz": (gzip.compress(SOUND.encode())[:-12], "is cut off or damaged .*get the whole file again"),
    "tail.csv.gz": (gzip.compress(SOUND.encode())[:-6] + b"xxxxxx", "is cut off or damaged .*get the whole file again"),
    "no.csv.gz": (SOUND.encode(), "is cut off or damaged .*get the whole file again"),
    "cut.csv.zst": (packed(SOUND.encode(), ".zst")[:-9], "is cut off or damaged; get the whole file again"),
    "no.jsonl.zst": (LINES.encode(), "is cut off or damaged; get the whole file again"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_named_and_leaves_nothing_behind(tmp_path, name):
    bytes_, said = BROKEN[name]
    (tmp_path / name).write_bytes(bytes_)
    with pytest.raises(UserError, match=f"{name}(,|) {said}"):
        read(tmp_path / name, tmp_path / "scratch")
    assert not (tmp_path / "scratch").exists() or not any((tmp_path / "scratch").iterdir())


@pytest.mark.parametrize("header", [("user", "title"), ("user", "title", "time", "plays")])
def test_a_header_of_another_width_is_refused(tmp_path, header):
    (tmp_path / "a.csv").write_text("u,t,1\n")
    with pytest.raises(UserError, match=f"a.csv, line 1: 3 cells, while --header names {len(header)} columns; name"):
        read(tmp_path / "a.csv", tmp_path, header=header)


@pytest.mark.parametrize("kind", [".csv", ".jsonl", ".parquet"])
def test_a_name_with_brackets_is_no_pattern(tmp_path, kind):
    path = write_raw(tmp_path / f"log[1]*{kind}", [event("u", "t", 1)])
    assert len(read(path, tmp_path)) == 1


def test_marks_at_the_start_of_lines_are_passed_over(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(b'\xef\xbb\xbf{"user": "u"}\n{"user": "v"}\n')
    assert read(tmp_path / "a.jsonl", tmp_path / "scratch")["user"].to_list() == ["u", "v"]
    assert not any((tmp_path / "scratch").iterdir())


def test_keys_may_come_late_and_rows_are_numbered(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"user": 1}\n{"user": 2, "title": "é"}\n')
    found = read(tmp_path / "a.jsonl", tmp_path)
    assert found.rows() == [(1, "1", None), (2, "2", "é")]


def test_an_array_is_read_in_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr("common.data.preparation.raw_files.BLOCK", 7)
    rows = [event(f"ü{number}", 'a\\"]}', number) for number in range(20)]
    found = read(write_raw(tmp_path / "a.json", rows), tmp_path)
    assert found.select("user_id", "track").rows() == [(row["user_id"], row["track"]) for row in rows]


def test_a_json_file_may_hold_lines(tmp_path):
    (tmp_path / "a.json").write_text('{"user": 1}\n{"user": 2}\n')
    assert read(tmp_path / "a.json", tmp_path)["user"].to_list() == ["1", "2"]


def test_a_separator_may_be_given(tmp_path):
    (tmp_path / "a.csv").write_text("user;title\nu;a, b\n")
    assert read(tmp_path / "a.csv", tmp_path, separator=";").rows() == [(1, "u", "a, b")]


def test_a_cut_parquet_file_is_refused_before_anything_is_read(tmp_path):
    path = write_raw(tmp_path / "a.parquet", [event("u", "t", number) for number in range(50)])
    check_raw_files([path])
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UserError, match=r"a.parquet is no whole Parquet file \(.*\); get it again, or leave it out"):
        check_raw_files([path])


def test_damage_amid_a_parquet_file_is_refused_where_it_is_read(tmp_path):
    path = write_raw(tmp_path / "a.parquet", [event(f"u{number}", "t", number) for number in range(50)])
    content = path.read_bytes()
    path.write_bytes(content[:4] + b"\xff" * 80 + content[84:])
    with pytest.raises(UserError, match=r"a.parquet cannot be read \(.*\); check that it is whole"):
        read(path, tmp_path)


def test_an_error_of_the_system_is_none_of_the_file(tmp_path):
    full = "parquet: File out of specification: underlying IO error: No space left on device (os error 28)"
    assert system_error(pl.exceptions.ComputeError(full)) == "No space left on device"
    assert system_error(OSError(errno.ENOSPC, "No space left on device")) == "No space left on device"
    of_arrow = "Error writing bytes to file. Detail: [errno 28] No space left on device"
    assert system_error(OSError(errno.ENOSPC, of_arrow)) == "No space left on device"
    assert system_error(pl.exceptions.ComputeError("found more fields")) == ""
    path = write_raw(tmp_path / "a.csv", [event("u", "t", 1)])
    with pytest.raises(pl.exceptions.ComputeError), opened(path, PreparationSettings(), tmp_path):
        raise pl.exceptions.ComputeError(full)
