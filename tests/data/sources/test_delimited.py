"""The strict reader: every number checked, every mistake named by file, line and column."""

import numpy as np
import pytest

from common.data.sources.delimited import Layout, Reference, describe_mismatch, read_delimited
from common.utils.errors import UserError

LAYOUT = Layout(("id", "plays"))
QUOTED = Layout(("id", "plays"), separator=",", quoted=True, other_columns=True)


def read(tmp_path, text: str, layout: Layout = LAYOUT):
    path = tmp_path / "a.dat"
    path.write_bytes(text.encode())
    return read_delimited(path, layout)


def test_line_endings_and_marks_change_neither_rows_nor_hash(tmp_path):
    plain = read(tmp_path, "id\tplays\n1\t2\n3\t4\n")
    for text in ("id\tplays\r\n1\t2\r\n3\t4\r\n", "\ufeffid\tplays\n1\t2\n3\t4\n\n\n"):
        other = read(tmp_path, text)
        assert other.sha256 == plain.sha256
        assert other.frame.equals(plain.frame)
    assert read(tmp_path, "id\tplays\n1\t2\n3\t5\n").sha256 != plain.sha256


def test_a_row_is_known_by_the_line_it_begins_on(tmp_path):
    file = read(tmp_path, 'id,plays,more\n1,2,"a\nb"\n3,x,c\n', QUOTED)
    assert file.lines.tolist() == [2, 4]
    with pytest.raises(UserError, match=r"a\.dat, line 4, column plays: 'x' is not a finite number"):
        file.numbers("plays")


@pytest.mark.parametrize(
    ("cell", "method", "complaint"),
    [
        ("nan", "numbers", "is not a finite number"),
        ("-1", "numbers", "is not at least 0"),
        ("1.5", "whole_numbers", "is not a whole number"),
        ("x1", "ids", "is not a whole number, as an id must be"),
        ("1", "unique_ids", "is an id that an earlier line already has"),
        (" ", "texts", "is blank"),
    ],
)
def test_a_cell_that_does_not_do_is_named(tmp_path, cell, method, complaint):
    file = read(tmp_path, f"id\tplays\n7\t1\n8\t{cell}\n")
    bounds = (0,) if method.endswith("numbers") else ()
    with pytest.raises(UserError, match=f"line 3, column plays: .*{complaint}"):
        getattr(file, method)("plays", *bounds)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "line 1: the file is empty"),
        ("id\tplays\n", "line 2: there are no rows"),
        ("id\tplay\n1\t2\n", "line 1: the header is 'id, play' and should be 'id, plays'"),
        ("id\tplays\n1\t2\n1\n", "line 3: 1 columns instead of 2"),
    ],
)
def test_a_file_out_of_shape_is_refused(tmp_path, text, complaint):
    with pytest.raises(UserError, match=complaint):
        read(tmp_path, text)


def test_a_file_is_compared_with_the_published_one(tmp_path):
    file = read(tmp_path, "id\tplays\n1\t2\n3\t4\n")
    np.testing.assert_array_equal(file.whole_numbers("plays"), [2, 4])
    assert describe_mismatch(file, Reference(2, file.sha256)) is None
    assert "2 rows instead of 3" in str(describe_mismatch(file, Reference(3, file.sha256)))
    assert "not all are the same" in str(describe_mismatch(file, Reference(2, "0" * 64)))
