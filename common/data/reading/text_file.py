"""Delimited text as programs write it: its encoding, its quotation marks, and the line that an editor shows.

Arrow reads the cells. What it would pass over in silence is looked for first: a mark that is never closed, or text
behind a closing one. Lines are counted only once something is wrong.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.csv

from common.utils.errors import UserError

SEPARATORS = {".csv": ",", ".tsv": "\t"}
OTHERS = (",", ";", "\t")
"""Separators that are tried where the one of the suffix does not part the header."""
MARK, CHUNK, BLOCK = ord('"'), 2**22, 2**20
MARKED = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
QUOTED_CELL = r'(?:^|[{0}\r\n])"[^"{0}\r\n]*"(?:[{0}\r\n]|$)'
ROW_NAMES = "; if every row begins with its number or name, write the file without them (row.names = FALSE in R)"


@dataclass(frozen=True)
class TextFile:
    """A delimited file. `content`: its text in UTF-8 where the file itself is written otherwise.

    `quoted`: cells may stand in quotation marks, as RFC 4180 has it.
    """

    path: Path
    separator: str
    quoted: bool
    content: bytes | None
    mend: str = "correct that line"
    header: list[str] = field(default_factory=list)

    def bytes(self) -> BinaryIO:
        """The text in UTF-8, perhaps behind a byte-order mark."""
        return self.path.open("rb") if self.content is None else io.BytesIO(self.content)

    def records(self) -> Iterator[tuple[int, list[str]]]:
        """The line, from 1, on which each record begins, and its cells; the header is one, empty lines are not."""
        csv.field_size_limit(2**31 - 1)
        line = 1
        with io.TextIOWrapper(self.bytes(), encoding="utf-8-sig", newline="") as stream:
            how: dict[str, Any] = {} if self.quoted else {"quoting": csv.QUOTE_NONE}
            reader = csv.reader(stream, delimiter=self.separator, strict=True, **how)
            try:
                for cells in reader:
                    if cells:
                        yield line, cells
                    line = reader.line_num + 1
            except csv.Error as error:
                self.refuse_mark(line, closed="end of data" not in str(error))
            except UnicodeDecodeError:
                self._refuse_bytes()

    def line(self, record: int) -> int:
        """The line on which a record begins; record 1 is the header."""
        return next((line for place, (line, _) in enumerate(self.records(), start=1) if place == record), 0)

    def read(self, names: Sequence[str], encoded: Sequence[str]) -> pa.Table:
        """Some columns as text, those of `encoded` dictionary-encoded. Raises UserError naming the line."""
        kinds = {name: pa.dictionary(pa.int32(), pa.string()) if name in encoded else pa.string() for name in names}
        size = self.path.stat().st_size if self.content is None else len(self.content)
        for block in (BLOCK, 32 * BLOCK, min(max(size, BLOCK) + 1, 2**31 - 1)):  # every row has to fit into one
            try:
                return pyarrow.csv.read_csv(
                    self.path if self.content is None else io.BytesIO(self.content),
                    pyarrow.csv.ReadOptions(use_threads=False, block_size=block),
                    pyarrow.csv.ParseOptions(
                        delimiter=self.separator,
                        quote_char='"' if self.quoted else False,
                        newlines_in_values=self.quoted,
                    ),
                    pyarrow.csv.ConvertOptions(
                        column_types=kinds, include_columns=list(names), strings_can_be_null=False
                    ),
                )
            except pa.ArrowInvalid as error:
                reason = str(error).splitlines()[0]
                if "straddl" not in reason:
                    break
        raise self._complaint(reason)

    def _complaint(self, reason: str) -> UserError:
        """What Arrow has met, by its line."""
        if "UTF8" in reason:
            self._refuse_bytes()
        if "Empty CSV" in reason:
            return no_rows(self.path, self.mend)
        width = len(self.header)
        for place, (line, cells) in enumerate(self.records()):
            if len(cells) != width:
                hint = ROW_NAMES if place == 1 and len(cells) == width + 1 else ""
                found = f"{len(cells)} column{'s' * (len(cells) != 1)}"
                return UserError(f"{self.path}, line {line}: {found} instead of {width}; {self.mend}{hint}")
        return UserError(f"{self.path} cannot be read ({reason}); {self.mend}")

    def refuse_mark(self, line: int, closed: bool) -> NoReturn:
        """Refuse a cell whose quotation marks do not enclose it."""
        said = "text follows a closing quotation mark" if closed else "a quotation mark is opened and never closed"
        raise UserError(
            f'{self.path}, line {line}: {said}; close it behind the cell, and write a mark within a quoted cell as ""'
        )

    def _refuse_bytes(self) -> NoReturn:
        with self.bytes() as stream:
            for number, line in enumerate(stream, start=1):
                try:
                    line.decode()
                except UnicodeDecodeError as error:
                    raise UserError(
                        f"{self.path}, line {number}: byte 0x{line[error.start]:02x} is not UTF-8 text; "
                        "save the file as UTF-8"
                    ) from None
        raise UserError(f"{self.path} is not UTF-8 text; save the file as UTF-8")


def no_rows(path: Path, mend: str) -> UserError:
    """The error for a table that is a header alone."""
    return UserError(f"{path}, line 2: there are no rows under the header; fill it, take it away, or {mend}")


def open_text(
    path: Path,
    required: Sequence[str],
    quoted: bool = True,
    encoding: str = "utf-8",
    mend: str = "correct that line",
    suffix: str | None = None,
) -> TextFile:
    """Find out how a file is written. `quoted`: whether quotation marks may enclose cells; `encoding`: without a mark;
    `suffix`: that of its table, which a part's own name may lack.

    Raises UserError for a file that is empty or no text, and for a quotation mark that is never closed.
    """
    content = _recoded(path, encoding, mend)
    with path.open("rb") if content is None else io.BytesIO(content) as stream:
        raw = next((line for line in stream if line.strip()), b"")
    first = raw.decode("utf-8-sig", "replace").strip("\r\n").split("\r")[0]
    if not first:
        raise UserError(f"{path}, line 1: the file is empty; fill it or take it away")
    own = SEPARATORS.get(path.suffix if suffix is None else suffix, "\t")
    fits = (sign for sign in (own, *OTHERS) if {*required} <= {*next(csv.reader([first], delimiter=sign))})
    separator = next(fits, own)
    file = TextFile(path, separator, quoted and _is_quoted(TextFile(path, separator, True, content)), content, mend)
    file.header.extend(next(file.records(), (1, []))[1])
    return file


def _recoded(path: Path, encoding: str, mend: str) -> bytes | None:
    """The content in UTF-8, None where the file is written in it."""
    with path.open("rb") as file:
        start = file.read(4)
    encoding = next((name for mark, name in MARKED.items() if start.startswith(mark)), encoding)
    if start.count(0) and not start.startswith(tuple(MARKED)):
        encoding = "utf-16-be" if start[0] == 0 else "utf-16-le"
    if encoding == "utf-8":
        return None
    try:
        return path.read_bytes().decode(encoding).encode()
    except UnicodeError:
        raise UserError(f"{path} is not {encoding} text throughout; save the file as UTF-8, or {mend}") from None


def _is_quoted(file: TextFile) -> bool:
    """Whether quotation marks enclose cells. Raises UserError for one that is never closed, or closed too early.

    In TSV a mark may be part of the text ("Weird Al" Yankovic): it is where not one cell is wholly enclosed.
    """
    text = np.memmap(file.path, np.uint8, "r") if file.content is None else np.frombuffer(file.content, np.uint8)
    text = text[3:] if bytes(text[:3]) == codecs.BOM_UTF8 else text
    count, last, proper = _marks(text, file.separator)
    if not count:
        return False
    if proper and count % 2 == 0:
        return True
    if file.separator == "\t" and not re.search(QUOTED_CELL.format("\t").encode(), text.data):
        return False
    if proper:
        # As many LF as lines; a file of old Macs has as many CR.
        ends = [int(np.count_nonzero(text[:last] == ord(end))) for end in "\n\r"]
        file.refuse_mark(1 + max(ends), closed=False)
    for _ in file.records():
        pass
    return True


def _marks(text: np.ndarray, separator: str) -> tuple[int, int, bool]:
    """Number of quotation marks, the place of the last, and whether they open and close cells in turn."""
    beside = np.zeros(256, bool)
    beside[[ord(separator), ord("\n"), ord("\r"), MARK]] = True
    count, last, proper = 0, 0, True
    for start in range(0, len(text), CHUNK):
        places = np.flatnonzero(text[start : start + CHUNK] == MARK) + start
        if len(places) and proper:
            opening, closing = places[count % 2 :: 2], places[1 - count % 2 :: 2]
            before, after = text[np.maximum(opening, 1) - 1], text[np.minimum(closing + 1, len(text) - 1)]
            proper = bool(beside[before].all() and beside[after].all())
        count, last = count + len(places), int(places[-1]) if len(places) else last
    return count, last, proper


def first_line_not_utf8(path: Path) -> int:
    """Number of the first line that is no UTF-8, 0 where all are."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                return number
    return 0
