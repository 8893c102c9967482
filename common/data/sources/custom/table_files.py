"""One table of a folder of one's own: CSV, TSV or parquet, every cell checked, a wrong one named by file and line.

Ids become categoricals over sorted strings: ten million rows then take four bytes an id instead of sixty.
"""

import csv
import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from common.data.sources.custom.timestamps import seconds_of_column
from common.utils.errors import UserError

SEPARATORS = {".csv": ",", ".tsv": "\t"}
SUFFIXES = (*SEPARATORS, ".parquet")
NO_IDS = ("nan", "NaN", "None", "<NA>")
"""What programs write for a missing value; nobody is called that."""


@dataclass(frozen=True)
class TableFile:
    """A table as read: ids dictionary-encoded, all other cells as the file holds them (text, in CSV and TSV)."""

    path: Path
    columns: dict[str, pa.ChunkedArray]

    def __contains__(self, column: str) -> bool:
        """Whether the table has a column."""
        return column in self.columns

    def __len__(self) -> int:
        """Number of rows."""
        return len(next(iter(self.columns.values())))

    def refuse(self, bad: np.ndarray, column: str, reason: str) -> None:
        """Raise a UserError that names the first row where `bad` holds, its value in `column` and the reason."""
        wrong = np.flatnonzero(bad)
        if len(wrong):
            value = self.columns[column][int(wrong[0])].as_py()
            shown = "nothing" if value in (None, "") else repr(value)[:60]
            raise UserError(f"{self.where(int(wrong[0]))}, column {column}: {shown} {reason}")

    def where(self, row: int) -> str:
        """The place of a row in words: the file and the line, or in parquet the row."""
        if self.path.suffix == ".parquet":
            return f"{self.path}, row {row + 1}"
        return f"{self.path}, line {line_number(self.path, row + 2)}"

    def ids(self, column: str) -> pd.Categorical:
        """A column of ids as categories of sorted strings; a missing one is refused."""
        column_of_ids = pa.chunked_array(self.columns[column], type=self.columns[column].type).combine_chunks()
        codes = column_of_ids.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        names = np.array(column_of_ids.dictionary.to_pylist(), dtype=object)
        empty = np.array([not name.strip() or name in NO_IDS for name in names], bool)
        self.refuse((codes < 0) | np.append(empty, True)[codes], column, "is no id; give every row one")
        self._refuse_two_spellings(column, names, codes)
        order = np.argsort(names)
        place = np.empty(len(order), np.int32)
        place[order] = np.arange(len(order), dtype=np.int32)
        return pd.Categorical.from_codes(place[codes], pd.Index(names[order]))

    def _refuse_two_spellings(self, column: str, names: np.ndarray, codes: np.ndarray) -> None:
        """A column that went through a table with gaps holds 7 and 7.0 for the same thing."""
        spelled = set(names)
        twice = np.array([name.endswith(".0") and name[:-2] in spelled for name in names], bool)
        if twice.any():
            plain = names[twice][0][:-2]
            self.refuse(twice[codes], column, f"is spelled {plain!r} elsewhere; spell every id in one way")

    def numbers(self, column: str, may_lack: bool = False) -> np.ndarray:
        """A column as float64; anything but finite numbers is refused, unless it is missing and may be."""
        cells = self.columns[column].dictionary_encode().combine_chunks()
        distinct = pd.Series(cells.dictionary.to_pylist(), dtype=object)
        values = np.append(pd.to_numeric(distinct, errors="coerce").to_numpy(np.float64), np.nan)
        blank = np.append((distinct == "").to_numpy(bool) | distinct.isna().to_numpy(), True) & may_lack
        codes = cells.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        self.refuse((~np.isfinite(values) & ~blank)[codes], column, "is not a finite number")
        return values[codes]

    def texts(self, column: str) -> pd.Series:
        """A column of text, None where a cell is blank."""
        cells = self.columns[column].cast(pa.string()).to_pandas().astype("str")
        return cells.where(cells != "", None)

    def seconds(self, column: str = "timestamp") -> np.ndarray:
        """A column of times as int64 seconds since 1970 UTC; see `timestamps` for how they may be written."""
        return seconds_of_column(self.columns[column], lambda bad, reason: self.refuse(bad, column, reason))


def refuse_mixed_ids(paths: Sequence[Path]) -> None:
    """Refuse ids that one parquet file holds as numbers and another as text: 7 and "007" would not meet."""
    first: dict[str, tuple[str, Path]] = {}
    for path in (path for path in paths if path.suffix == ".parquet"):
        for name, kind in _parquet_schema(path):
            if name in ("user_id", "item_id", "friend_id", "negative_id"):
                held = "whole numbers" if pa.types.is_integer(kind) else "text"
                of_user = "user_id" if name == "friend_id" else "item_id" if name == "negative_id" else name
                other, where = first.setdefault(of_user, (held, path))
                if other != held:
                    raise UserError(
                        f"{path.parent}: {name} holds {other} in {where.name} and {held} in {path.name}; "
                        "save both alike"
                    )


def find_table(folder: Path, name: str) -> Path | None:
    """The file of a table in a folder, None where there is none; two of one table are refused."""
    found = [folder / f"{name}{suffix}" for suffix in SUFFIXES if (folder / f"{name}{suffix}").is_file()]
    if len(found) > 1:
        raise UserError(f"{folder} holds {found[0].name} and {found[1].name}: keep the one that is meant")
    return found[0] if found else None


def read_table(path: Path, required: Sequence[str], optional: Sequence[str] = ()) -> TableFile:
    """Read the columns that Encore knows; any others are left alone.

    Raises UserError for a file that is unreadable, empty or not UTF-8, and for a missing or doubled column.
    """
    read = _read_parquet if path.suffix == ".parquet" else _read_text
    try:
        table = read(path, required, optional)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}; check the file") from error
    if not len(table):
        raise UserError(f"{path} has no rows; fill it or take it away")
    return TableFile(path, {name: table[name] for name in table.column_names})


def _read_text(path: Path, required: Sequence[str], optional: Sequence[str]) -> pa.Table:
    separator, wrong_rows = SEPARATORS[path.suffix], []
    columns = _choose_columns(path, _header(path, separator), required, optional)

    def note(row: pyarrow.csv.InvalidRow) -> str:
        wrong_rows.append(row)
        return "error"

    try:
        return pyarrow.csv.read_csv(
            path,
            pyarrow.csv.ReadOptions(use_threads=False),
            pyarrow.csv.ParseOptions(
                delimiter=separator, quote_char='"' if separator == "," else False, invalid_row_handler=note
            ),
            pyarrow.csv.ConvertOptions(
                column_types={name: _text_type(name) for name in columns},
                include_columns=columns,
                strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid as error:
        if wrong_rows:
            row = wrong_rows[0]
            line = line_number(path, row.number) if row.number else "?"
            counts = f"{row.actual_columns} columns instead of {row.expected_columns}"
            raise UserError(f"{path}, line {line}: {counts}; correct that line") from error
        if "UTF8" in str(error):
            raise UserError(f"{path} is not UTF-8 text; save it as UTF-8") from error
        raise UserError(f"{path} cannot be read ({str(error).splitlines()[0]}); correct it") from error


def _parquet_schema(path: Path) -> list[tuple[str, pa.DataType]]:
    try:
        schema = pyarrow.parquet.read_schema(path)
    except pa.ArrowException as error:
        raise UserError(f"{path} is not a readable parquet file; write it anew") from error
    return [(field.name, field.type) for field in schema]


def _read_parquet(path: Path, required: Sequence[str], optional: Sequence[str]) -> pa.Table:
    columns = _choose_columns(path, [name for name, _ in _parquet_schema(path)], required, optional)
    texts = [name for name in columns if name.endswith("_id")]
    try:
        table = pyarrow.parquet.read_table(path, columns=columns, read_dictionary=texts)
    except pa.ArrowException as error:
        raise UserError(f"{path} is not a readable parquet file; write it anew") from error
    for place, name in enumerate(table.column_names):
        table = table.set_column(place, name, _plain(path, name, table[name]))
    return table


def _plain(path: Path, name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Ids dictionary-encoded, anything else not."""
    if name.endswith("_id"):
        return _encode_ids(path, name, column)
    if pa.types.is_nested(column.type):
        raise UserError(f"{path}, column {name}: cells are of type {column.type}; save text or numbers")
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _encode_ids(path: Path, name: str, ids: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = ids.type.value_type if pa.types.is_dictionary(ids.type) else ids.type
    if not (pa.types.is_integer(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise UserError(f"{path}, column {name}: ids are of type {kind}; save them as text or as whole numbers")
    texts = ids.cast(kind) if pa.types.is_dictionary(ids.type) and not pa.types.is_string(kind) else ids
    texts = texts if pa.types.is_dictionary(texts.type) else texts.cast(pa.string()).dictionary_encode()
    return texts.unify_dictionaries()


def _text_type(column: str) -> pa.DataType:
    return pa.dictionary(pa.int32(), pa.string()) if column.endswith("_id") else pa.string()


def _header(path: Path, separator: str) -> list[str]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = next((line for line in file if line.strip()), "")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text; save it as UTF-8") from error
    if not first:
        raise UserError(f"{path} is empty; fill it or take it away")
    return next(csv.reader([first.rstrip("\r\n")], delimiter=separator))


def _choose_columns(path: Path, found: list[str], required: Sequence[str], optional: Sequence[str]) -> list[str]:
    for name in (*required, *optional):
        if found.count(name) > 1:
            raise UserError(f"{path}: column {name} comes {found.count(name)} times; keep the one that is meant")
        if name in required and name not in found:
            plain = {other.lower().replace("_", "").replace(" ", ""): other for other in found}
            near = difflib.get_close_matches(name.replace("_", ""), plain, n=1, cutoff=0.6)
            hint = f"; is it {plain[near[0]]!r}? Then rename that" if near else "; add it"
            raise UserError(f"{path}: column {name!r} is missing among {', '.join(map(repr, found))}{hint}")
    return [name for name in (*required, *optional) if name in found]


def line_number(path: Path, record: int) -> int:
    """The line of the file on which its record stands (1 is the header); empty lines count as none."""
    with path.open("rb") as file:
        for line, content in enumerate(file, start=1):
            record -= bool(content.strip(b"\r\n"))
            if not record:
                return line
    return 0
