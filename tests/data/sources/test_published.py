"""Whether a file is the published one, whatever its line ends."""

from common.data.reading.schema import Column
from common.data.reading.table import read_table
from common.data.sources.published import Reference, compare, describe_mismatch, hash_rows

COLUMNS = (Column("id", "id"), Column("plays", "number"))


def read(tmp_path, text: str):
    path = tmp_path / "a.dat"
    path.write_bytes(text.encode())
    return read_table(path, COLUMNS)


def test_line_endings_and_marks_change_neither_rows_nor_hash(tmp_path):
    plain = hash_rows(read(tmp_path, "id\tplays\n1\t2\n3\t4\n"))
    for text in ("id\tplays\r\n1\t2\r\n3\t4\r\n", "\ufeffid\tplays\n1\t2\n3\t4\n\n\n"):
        assert hash_rows(read(tmp_path, text)) == plain
    assert hash_rows(read(tmp_path, "id\tplays\n1\t2\n3\t5\n")) != plain


def test_a_file_is_compared_with_the_published_one(tmp_path):
    file = read(tmp_path, "id\tplays\n1\t2\n3\t4\n")
    right, longer, other = Reference(2, hash_rows(file)), Reference(3, hash_rows(file)), Reference(2, "0" * 64)
    assert compare(file, right) == {"rows": 2, "sha256": right.sha256, "matches_reference": True}
    assert describe_mismatch(file.path, compare(file, right), right) is None
    assert "2 rows instead of 3" in str(describe_mismatch(file.path, compare(file, longer), longer))
    assert "not all are the same" in str(describe_mismatch(file.path, compare(file, other), other))
