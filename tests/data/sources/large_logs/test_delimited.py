"""Tab-separated text without quoting: lines end at LF alone, and a broken one has a reason."""

import polars as pl
import pytest

from common.data.sources.large_logs import delimited
from common.utils.errors import UserError

NAMES = ("who", "what", "plays")


def write(tmp_path, content: bytes):
    path = tmp_path / "log.tsv"
    path.write_bytes(content)
    return path


def test_quotation_marks_and_bare_returns_are_text(tmp_path):
    path = write(tmp_path, b'u\t"a b\t1\nv\tx\ry\t2\r\n\nw\tshort\nz\ta\tb\tc\nend\t\t3')
    rows = delimited.scan_fields(path, NAMES).collect().rows()
    assert [row[1:4] for row in rows[:2]] == [("u", '"a b', "1"), ("v", "x\ry", "2")]
    assert rows[2] == (3, "", None, None, None)
    assert rows[4] == (5, "z", "a", "b", "c"), "what is too much stands in `extra`"
    assert rows[5] == (6, "end", "", "3", None)


def test_the_first_reason_counts_and_the_width_before_all(tmp_path):
    path = write(tmp_path, b"u\ta\t1\nu\ta\n\ta\t0\nu\ta\t0\nu\t\t0\n")
    rules = {"nobody": pl.col("who") == "", "no plays": pl.col("plays") == "0"}
    rows = delimited.stage(path, NAMES, rules, [pl.col("who")], tmp_path / "staged.parquet")
    assert delimited.sound(rows).collect().rows() == [(1, "u")]
    found = [(repair.what, repair.rows) for repair in delimited.dropped(rows, "interactions", path)]
    assert found == [
        ("lines dropped: no plays (first: line 4 of log.tsv)", 2),
        ("lines dropped: another number of fields (first: line 2 of log.tsv)", 1),
        ("lines dropped: nobody (first: line 3 of log.tsv)", 1),
    ]


def test_empty_fields_are_missing():
    frame = pl.DataFrame({"who": [" a ", "", "  "]})
    assert frame.select(delimited.text("who")).to_series().to_list() == ["a", None, None]


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "is empty"), (b"a\tb\n", "holds no line as it should be"), (b"a\tb\t1\n\xff\tb\t1\n", "line 2: not UTF-8")],
)
def test_what_is_no_such_file_is_named(tmp_path, content, said):
    with pytest.raises(UserError, match=f"{said}.*fetch"):
        delimited.stage(write(tmp_path, content), NAMES, {}, [pl.col("who")], tmp_path / "staged.parquet")


def test_what_is_no_file_is_named(tmp_path):
    with pytest.raises(UserError, match="is missing; put the file there"):
        delimited.begin_reading(tmp_path / "log.tsv")
    with pytest.raises(UserError, match="is a folder where a file should be"):
        delimited.begin_reading(tmp_path)


def test_a_full_disk_is_no_fault_of_the_file(tmp_path):
    said = "the disk is full while .*log.tsv is read; free some space and start again"
    for error in (pl.exceptions.ComputeError("No space left on device (os error 28)"), OSError(28, "No space left")):
        with pytest.raises(UserError, match=said), delimited.readable(write(tmp_path, b"x")):
            raise error


def test_scratch_is_gone_at_the_end(tmp_path):
    with pytest.raises(RuntimeError), delimited.scratch(tmp_path / "data") as folder:
        (folder / "x").write_text("x", encoding="utf-8")
        raise RuntimeError
    assert list((tmp_path / "data").iterdir()) == []
    with pytest.raises(UserError, match="cannot write"), delimited.scratch(write(tmp_path, b"x")):
        pass
