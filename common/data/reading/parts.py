"""The files that make one table: a file alone, or the part files of a folder as Spark, Hadoop and Dask write them.

A folder's parts are read in the order of their names, part 2 before part 10. Files whose names begin with `_` or `.`
(`_SUCCESS`, `.part-0000.crc`) say how it was written and hold no rows.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from common.data.reading.parquet_file import column_names, read_parquet_columns
from common.data.reading.text_file import SEPARATORS, TextFile, open_text
from common.utils.errors import UserError

PARQUET = ".parquet"
SUFFIXES = (*SEPARATORS, PARQUET)
BESIDE = ("_", ".")


@dataclass(frozen=True)
class Part:
    """A file of a table. `text`: how it is written, None of Parquet; `start`: rows of the table before its first."""

    path: Path
    text: TextFile | None
    header: list[str]
    start: int = 0

    def where(self, row: int) -> str:
        """The place of a row of the table in words: the file and the line, or in Parquet the row."""
        number = row - self.start
        if self.text is None:
            return f"{self.path}, row {number + 1}"
        return f"{self.path}, line {self.text.line(number + 2)}"

    def read(self, names: Sequence[str], encoded: Sequence[str]) -> pa.Table:
        """Some columns; those of `encoded` dictionary-encoded where they are text."""
        if self.text is not None:
            return self.text.read(names, encoded)
        return read_parquet_columns(self.path, names, encoded)


def files_of(path: Path) -> list[Path]:
    """The file of a table, or the part files of its folder in order. Raises UserError for what is no part."""
    if not path.is_dir():
        return [path]
    found = [file for file in path.iterdir() if not file.name.startswith(BESIDE)]
    for file in found:
        if file.is_dir():
            raise UserError(f"{file} is a folder among the parts of a table; write the parts without partition columns")
        if file.suffix not in (path.suffix, ""):
            raise UserError(f"{file} is no {path.suffix} file; unpack it, or take it out of the parts of {path.name}")
    return sorted(found, key=_natural)


def _natural(file: Path) -> list[tuple[int, str]]:
    """Numbers in a name by their size.

    >>> sorted([Path("part-10"), Path("part-9")], key=_natural)[0].name
    'part-9'
    """
    return [(int(piece), piece) if piece.isdecimal() else (-1, piece) for piece in re.split(r"(\d+)", file.name)]


def open_parts(path: Path, required: Sequence[str], quoted: bool, encoding: str, mend: str) -> list[Part]:
    """The files of a table with their headers, text as `open_text` finds it; parts without a byte are passed over."""
    files = files_of(path)
    if path.is_dir():
        files = [file for file in files if file.stat().st_size]
    if not files:
        raise UserError(f"{path} is a folder without a part that holds rows; write the table anew or take it away")
    if path.suffix == PARQUET:
        return [Part(file, None, column_names(file)) for file in files]
    texts = [open_text(file, required, quoted, encoding, mend, path.suffix) for file in files]
    return [Part(text.path, text, text.header) for text in texts]


def joined(parts: Sequence[Part], tables: Sequence[pa.Table]) -> pa.Table:
    """The parts' rows in one table. Raises UserError where a column's type differs between two parts."""
    if len(tables) == 1:
        return tables[0]
    columns = {name: _alike(name, parts, [table[name] for table in tables]) for name in tables[0].column_names}
    return pa.table(columns)


def _alike(name: str, parts: Sequence[Part], cells: list[pa.ChunkedArray]) -> pa.ChunkedArray:
    """One column of all parts; that of a part in which every cell is missing may have no type."""
    if len({column.type for column in cells}) > 1:
        cells = [_plain(column) for column in cells]
    first = next((place for place, column in enumerate(cells) if not pa.types.is_null(column.type)), 0)
    kind = cells[first].type
    for part, column in zip(parts, cells, strict=True):
        if column.type != kind and not pa.types.is_null(column.type):
            raise UserError(
                f"{part.path}, column {name}: cells are of type {column.type}, those of {parts[first].path.name} of "
                f"type {kind}; write all parts alike"
            )
    cells = [pa.chunked_array([pa.nulls(len(c), kind)]) if pa.types.is_null(c.type) else c for c in cells]
    return pa.chunked_array([chunk for column in cells for chunk in column.chunks], type=kind)


def _plain(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    return cells.cast(cells.type.value_type) if pa.types.is_dictionary(cells.type) else cells
