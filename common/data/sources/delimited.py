"""A small strict reader of delimited text: right header, right number of columns, numbers that are numbers.

Everything is read as text and checked in bulk; the offending line is looked up only once a check has failed. Copies of
a data set differ in line endings and byte-order marks, so a file is known by the hash of its rows, not of its bytes.
"""

import csv
import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
import pandas as pd

from common.utils.errors import UserError

MEND = "correct that line or fetch the file again"


@dataclass(frozen=True)
class Layout:
    """How a file is written. `other_columns` allows columns beside those of the header, in any order."""

    header: tuple[str, ...]
    separator: str = "\t"
    encoding: str = "utf-8"
    quoted: bool = False
    other_columns: bool = False


@dataclass(frozen=True)
class Reference:
    """What the published file holds: its number of rows and the SHA-256 of its normalised rows."""

    rows: int
    sha256: str


@dataclass(frozen=True)
class DelimitedFile:
    """A file whose rows all have the right number of columns; every cell is still text.

    `lines[i]` is the line, from 1, on which row i begins. `sha256` is that of the rows in UTF-8, joined by LF, without
    header, byte-order mark and trailing blank lines.
    """

    path: Path
    frame: pd.DataFrame
    lines: np.ndarray
    sha256: str

    def refuse(self, bad: np.ndarray | pd.Series, column: str, reason: str) -> None:
        """Raise a UserError that names the first row where `bad` holds, its value in `column` and the reason."""
        wrong = np.flatnonzero(np.asarray(bad, dtype=bool))
        if not len(wrong):
            return
        value = repr(self.frame[column].iloc[wrong[0]])
        shown = value if len(value) <= 60 else value[:57] + "..."
        raise UserError(f"{self.path}, line {self.lines[wrong[0]]}, column {column}: {shown} {reason}; {MEND}")

    def numbers(self, column: str, minimum: float = -np.inf, maximum: float = np.inf) -> np.ndarray:
        """A column as float64; text, blank cells, NaN, infinity and values out of bounds are refused."""
        values = pd.to_numeric(self.frame[column], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
        self.refuse(~np.isfinite(values), column, "is not a finite number")
        self.refuse((values < minimum) | (values > maximum), column, f"is not {_bounds(minimum, maximum)}")
        return values

    def whole_numbers(self, column: str, minimum: float = -(2.0**53), maximum: float = 2.0**53) -> np.ndarray:
        """A column as int64; anything but whole numbers within the bounds is refused."""
        values = self.numbers(column, minimum, maximum)
        self.refuse(values != np.floor(values), column, "is not a whole number")
        return values.astype(np.int64)

    def ids(self, column: str) -> pd.Series:
        """A column of ids as they are spelled; anything but digits is refused."""
        self.refuse(~self.frame[column].str.fullmatch("[0-9]+"), column, "is not a whole number, as an id must be")
        return self.frame[column]

    def known_ids(self, column: str, known: pd.Series, where: str) -> pd.Series:
        """A column of ids that all stand in `known`; `where` names the file that lists those."""
        ids = self.ids(column)
        self.refuse(~ids.isin(known), column, f"is not in {where}")
        return ids

    def unique_ids(self, column: str) -> pd.Series:
        """A column of ids of which none comes twice."""
        ids = self.ids(column)
        self.refuse(ids.duplicated(), column, "is an id that an earlier line already has")
        return ids

    def texts(self, column: str) -> pd.Series:
        """A column of text without blank cells."""
        self.refuse(self.frame[column].str.strip() == "", column, "is blank")
        return self.frame[column]

    def compare(self, reference: Reference) -> dict[str, object]:
        """Rows, hash and whether both are those of the published file, for the manifest."""
        rows = len(self.frame)
        matches = (rows, self.sha256) == (reference.rows, reference.sha256)
        return {"rows": rows, "sha256": self.sha256, "matches_reference": matches}


def describe_mismatch(file: DelimitedFile, reference: Reference) -> str | None:
    """One readable sentence on how a file's rows differ from the published ones, None where they do not."""
    if file.compare(reference)["matches_reference"]:
        return None
    if len(file.frame) != reference.rows:
        found = f"it has {len(file.frame):,} rows instead of {reference.rows:,}"
    else:
        found = f"it has the right number of rows, {reference.rows:,}, but not all are the same"
    return f"{file.path} is not the published file: {found}; published figures will not be reproduced from it"


def read_delimited(path: Path, layout: Layout) -> DelimitedFile:
    """Read a file of the given layout.

    Raises UserError for a file that is missing, unreadable, wrongly encoded or empty, for a wrong header and for a row
    with the wrong number of columns.
    """
    text = _decode(path, _bytes(path), layout).replace("\r\n", "\n").rstrip("\n")
    records, lines = _records(path, text, layout)
    header = records[0] if records else []
    _check_header(path, header, layout)
    rows = records[1:]
    if not rows:
        raise UserError(f"{path}, line 2: there are no rows under the header; fetch the file again")
    _check_widths(path, rows, lines[1:], len(header))
    frame = pd.DataFrame(dict(zip(header, zip(*rows, strict=True), strict=True)), dtype="str")
    body = text.split("\n", lines[1] - 1)[-1]
    return DelimitedFile(path, frame, np.array(lines[1:]), hashlib.sha256(body.encode()).hexdigest())


def _bytes(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing; put the file there or name the folder that holds it") from error
    except IsADirectoryError as error:
        raise UserError(f"{path} is a folder where a file should be; replace it by the file") from error
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; check the file and its permissions") from error
    if not content.strip():
        raise UserError(f"{path}, line 1: the file is empty; fetch it again")
    return content


def _decode(path: Path, content: bytes, layout: Layout) -> str:
    # A byte-order mark settles the question: somebody has saved the file as UTF-8, whatever it was before.
    marked = content.startswith(b"\xef\xbb\xbf")
    encoding = "utf-8-sig" if marked else layout.encoding
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        start = error.start + 3 * marked  # the decoder counts from behind the mark
        before = content[:start]
        position = before[before.rfind(b"\n") + 1 :].count(layout.separator.encode())
        column = layout.header[min(position, len(layout.header) - 1)]
        # The columns of a file that may have others, or quoted separators, cannot be told by counting.
        where = "" if layout.other_columns else f", column {column}"
        line = before.count(b"\n") + 1
        raise UserError(
            f"{path}, line {line}{where}: byte 0x{content[start]:02x} is not {layout.encoding} text; "
            f"save the file as {layout.encoding} or fetch it again"
        ) from error


def _records(path: Path, text: str, layout: Layout) -> tuple[list[list[str]], list[int]]:
    """All records, the header included, and the line on which each begins."""
    stream = io.StringIO(text, newline="\n")
    if layout.quoted:
        reader = csv.reader(stream, delimiter=layout.separator, strict=True)
    else:
        reader = csv.reader(stream, delimiter=layout.separator, strict=True, quoting=csv.QUOTE_NONE)
    records, lines = [], [1]
    try:
        for record in reader:
            records.append(record)
            lines.append(reader.line_num + 1)
    except csv.Error as error:
        reason = str(error).split(" - ")[0]  # what follows is advice to programmers
        raise UserError(f"{path}, line {lines[-1]}: the line cannot be taken apart ({reason}); {MEND}") from error
    return records, lines[:-1]


def _check_header(path: Path, found: list[str], layout: Layout) -> None:
    if not layout.other_columns:
        if tuple(found) != layout.header:
            _refuse_header(path, f"the header is {_listed(found)} and should be {_listed(layout.header)}")
        return
    for column in layout.header:
        if found.count(column) != 1:
            _refuse_header(path, f"column {column} comes {found.count(column)} times in the header {_listed(found)}")


def _refuse_header(path: Path, reason: str) -> NoReturn:
    raise UserError(f"{path}, line 1: {reason}; restore the header or fetch the file again")


def _listed(names: list[str] | tuple[str, ...]) -> str:
    shown = ", ".join(names)
    return repr(shown if len(shown) <= 400 else shown[:397] + "...")


def _check_widths(path: Path, rows: list[list[str]], lines: list[int], width: int) -> None:
    if set(map(len, rows)) == {width}:
        return
    row, line = next((row, line) for row, line in zip(rows, lines, strict=True) if len(row) != width)
    raise UserError(f"{path}, line {line}: {len(row)} columns instead of {width}; {MEND}")


def _bounds(minimum: float, maximum: float) -> str:
    if np.isinf(maximum):
        return f"at least {minimum:g}"
    return f"between {minimum:g} and {maximum:g}"
