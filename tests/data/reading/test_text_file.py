"""Delimited text as programs write it: what is read, and the line that a refusal names."""

import pytest

from common.data.reading import text_file
from common.data.reading.schema import Column
from common.data.reading.table import Table, read_table
from common.utils.errors import UserError

COLUMNS = (Column("a", "name"), Column("b", "name", required=False, missing=True))


def read(tmp_path, content: str | bytes, suffix: str = "csv", **how) -> Table:
    path = tmp_path / f"table.{suffix}"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_table(path, COLUMNS, **how)


def cells(table: Table) -> list[list[str]]:
    return table.frame().fillna("").to_numpy().tolist()


def refusal(tmp_path, content: str | bytes, suffix: str = "csv", **how) -> str:
    with pytest.raises(UserError) as caught:
        read(tmp_path, content, suffix, **how)
    return str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "a\tb\nx\t7\ny\t8\n",
        '"a"\t"b"\n"x"\t7\n"y"\t8\n',
        'a\tb\n"x"\t"7"\n"y"\t"8"\n',
        "a\tb\r\nx\t7\r\n\r\ny\t8",
        "a\tb\rx\t7\ry\t8\r",
        "\ufeffa\tb\nx\t7\ny\t8\n\n\n",
        '\n"b"\t"more"\t"a"\n7\t"p\tq"\t"x"\n8\t\ty\n',
    ],
)
@pytest.mark.parametrize("separator", ["\t", ",", ";"])
def test_every_dialect_gives_the_same_cells(tmp_path, text, separator):
    assert cells(read(tmp_path, text.replace("\t", separator))) == [["x", "7"], ["y", "8"]]
    if separator == "\t":
        assert cells(read(tmp_path, text, "tsv")) == [["x", "7"], ["y", "8"]]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_encodings_with_a_mark_and_utf_16_are_known(tmp_path, encoding):
    table = read(tmp_path, 'a,b\nžluť,"夜\n海"\nx,y\n'.encode(encoding))
    assert cells(table) == [["žluť", "夜\n海"], ["x", "y"]]
    assert table.where(1).endswith("line 4")


def test_quoted_cells_hold_separators_marks_and_line_ends_and_bare_marks_are_text(tmp_path):
    rows = 'a\tb\n"1"\t"A\tB"\n"2"\t"The ""Best"" of"\n3\t7" Mix\n"4"\t"two\n\nlines"\n5\tend\n'
    table = read(tmp_path, rows, "tsv")
    assert [row[1] for row in cells(table)] == ["A\tB", 'The "Best" of', '7" Mix', "two\n\nlines", "end"]
    assert table.where(4).endswith("line 8")


def test_marks_of_tsv_without_quoting_are_part_of_the_text(tmp_path):
    rows = 'a\tb\n"weird al" yankovic\t1\n"never closed\t2\n'
    assert [row[0] for row in cells(read(tmp_path, rows, "tsv"))] == ['"weird al" yankovic', '"never closed']
    assert cells(read(tmp_path, 'a\tb\n"x"\t1\n', "tsv", quoted=False)) == [['"x"', "1"]]


@pytest.mark.parametrize("size", [2**12, 40 * 2**12])
def test_long_cells_of_many_lines_are_read_wherever_they_lie(tmp_path, size, monkeypatch):
    """Arrow reads block by block, and a row has to fit into one."""
    monkeypatch.setattr(text_file, "BLOCK", 2**12)
    before = "".join(f"{n},\n" for n in range(1_000))
    long = "a short line of a comment\n" * (size // 26)
    table = read(tmp_path, f'a,b\n{before}x,"{long}"\ny,z\n')
    assert len(table) == 1_002
    assert table.columns["b"][1_000].as_py() == long
    assert table.where(1_001).endswith(f"line {1_002 + size // 26 + 1}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: the file is empty; fill it"),
        ("\n\r\n", "line 1: the file is empty; fill it"),
        ("a,b\n", "line 2: there are no rows under the header; fill it"),
        ("c,b\n1,2\n", "line 1: column 'a' is missing among 'c', 'b'; add it"),
        ("A_ ,b\n1,2\n", "is it 'A_ '? Then rename that"),
        ("a,b,a\n1,2,3\n", "line 1: column a comes 2 times; keep the one"),
        ("a,b\n1\n", "line 2: 1 column instead of 2; correct that line"),
        ('a,b\n1,"p\n\nq"\n\n2,3\n4,5,6\n', "line 7: 3 columns instead of 2; correct that line"),
        ("a,b\n1,x,y\n", "line 2: 3 columns instead of 2; correct that line; if every row begins with its number"),
        ('a,b\n"1","x\ny"\n2,3\n4,"z\n5,6\n', "line 5: a quotation mark is opened and never closed; close it"),
        ('a,b\n1,"x\ny"\n2,"z"t\n', "line 4: text follows a closing quotation mark; close it"),
        ('a,b\n1,"x\n"2",y\n', "line 2: text follows a closing quotation mark; close it"),
        (b"a,b\n1,x\n2,caf\xe9\n", "line 3: byte 0xe9 is not UTF-8 text; save the file as UTF-8"),
        (b"\xff\xfea\x00,\x00b\x00\n\x00\xd8", "is not utf-16 text throughout; save the file as UTF-8"),
    ],
)
def test_what_is_out_of_shape_is_refused_at_the_line_of_an_editor(tmp_path, text, said):
    message = refusal(tmp_path, text)
    assert f"{tmp_path / 'table.csv'}" in message
    assert said in message
    assert "\n" not in message


def test_the_lines_of_many_quoted_rows_are_true(tmp_path):
    text = "a,b\n" + "".join(f'"{n}","one\ntwo"\n' for n in range(200_000)) + '1,2,"3"\n'
    assert "line 400002: 3 columns" in refusal(tmp_path, text)


def test_a_mark_that_is_never_closed_is_found_among_quoted_cells(tmp_path):
    text = 'a,b\n"1","x\n"2","y"\n"3","z"\n'
    assert "line 2: text follows" in refusal(tmp_path, text)
    text = 'a\tb\n"1"\t"x"\n2\ty\n3\t"z\n'
    assert "line 4: a quotation mark is opened and never closed" in refusal(tmp_path, text, "tsv")
