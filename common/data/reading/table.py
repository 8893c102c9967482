"""One table: CSV, TSV or Parquet, every cell checked against the schema, a wrong one named by file, line and remedy.

Ids become categoricals over sorted strings: ten million rows then take four bytes an id instead of sixty.
"""

import difflib
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import SupportsInt

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from common.data.reading.id_column import TEXT, encode_text, missing_texts, read_ids
from common.data.reading.parts import SUFFIXES, Part, joined, open_parts
from common.data.reading.schema import DROP, KEEP, MISSING, NUMBERS, REFUSE, Column, required
from common.data.reading.text_file import no_rows
from common.data.reading.timestamps import odd_dates, seconds_of_column
from common.data.tables import Repair
from common.utils.errors import UserError

KEPT = "--missing drop to leave such rows out"
CHOICE = f"{KEPT}, or --missing keep if it is a name"
GAPS = ("", *MISSING)
UNKNOWN = "NA, NULL and the like read as not known"
MEND = "correct that line"
TRUTHS = {"true": 1.0, "1": 1.0, "1.0": 1.0, "false": 0.0, "0": 0.0, "0.0": 0.0}


@dataclass
class Table:
    """A table as read, of one file or of several parts. `rows`: the number of each row, where some were left out.

    `repairs` and `warnings` grow while columns are read.
    """

    path: Path
    schema: Mapping[str, Column]
    columns: dict[str, pa.ChunkedArray]
    parts: Sequence[Part]
    missing: str = REFUSE
    mend: str = MEND
    rows: np.ndarray | None = None
    repairs: list[Repair] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def __contains__(self, column: str) -> bool:
        """Whether the table has a column."""
        return column in self.columns

    def __len__(self) -> int:
        """Number of rows."""
        return len(next(iter(self.columns.values())))

    def where(self, row: int) -> str:
        """The place of a row in words: the file and the line, or in Parquet the row."""
        number = row if self.rows is None else int(self.rows[row])
        return self.parts[bisect_right(self.parts, number, key=lambda part: part.start) - 1].where(number)

    def refuse(self, bad: np.ndarray | pd.Series, column: str, reason: str) -> None:
        """Raise a UserError that names the first row where `bad` holds, its value in `column` and the reason."""
        wrong = np.flatnonzero(np.asarray(bad, dtype=bool))
        if len(wrong):
            value = self.columns[column][int(wrong[0])].as_py()
            shown = "nothing" if value is None or value == "" else repr(value)
            shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
            mend = "" if ";" in reason else f"; {self.mend}"
            raise UserError(f"{self.where(int(wrong[0]))}, column {column}: {shown} {reason}{mend}")

    def refuse_missing(self, bad: np.ndarray | pd.Series, column: str) -> None:
        """Refuse the first row that lacks what it must have."""
        choice = f"; give every row one, or choose {KEPT if self.missing == KEEP else CHOICE}"
        choice = choice if self.mend == MEND else ""
        noun = "id" if self.schema[column].kind == "id" else column
        self.refuse(bad, column, f"is no {noun}{choice}")

    def repaired(self, what: str, rows: SupportsInt) -> None:
        """Note a repair, where it touched any row."""
        if touched := int(rows):
            self.repairs.append(Repair(self.path.stem, what, touched))

    def ids(self, column: str) -> pd.Categorical:
        """A column of ids as categories of sorted strings; one that is missing and must not be is refused."""
        with self._named(column):
            found = read_ids(
                self.columns[column],
                self.missing == KEEP,
                lambda bad, reason: self.refuse(bad, column, reason),
                lambda row: self.where(row).removeprefix(f"{self.path}, "),
            )
        if not self.schema[column].missing:
            self.refuse_missing(found.codes < 0, column)
        for what, rows in found.repaired.items():
            self.repaired(f"{column}: {what}", rows)
        return pd.Categorical.from_codes(found.codes, pd.Index(found.names.to_numpy(zero_copy_only=False)))

    @contextmanager
    def _named(self, column: str) -> Iterator[None]:
        """Name file and column where cells are of a type that cannot be read."""
        try:
            yield
        except ValueError as error:
            raise UserError(f"{self.path}, column {column}: {error}") from error

    def numbers(self, column: str) -> np.ndarray:
        """A column as float64, NaN where a cell is missing and may be; what the schema does not allow is refused."""
        about = self.schema[column]
        values, missing = self._numbers(column)
        self.refuse(~np.isfinite(values) & ~(missing & about.missing), column, f"is not {about.expected}")
        self.refuse((values < about.minimum) | (values > about.maximum), column, f"is not {about.expected}")
        if about.kind == "whole number":
            self.refuse(values != np.floor(values), column, f"is not {about.expected}")
        return values

    def _numbers(self, column: str) -> tuple[np.ndarray, np.ndarray]:
        """The values, NaN for what is no number, and which cells are missing."""
        cells = self.columns[column]
        if not any(check(cells.type) for check in TEXT):
            values = self._cast(column, pa.float64()).to_numpy()
            return values, np.isnan(values)
        with self._named(column):
            codes, texts = encode_text(cells)
        texts = pc.utf8_trim_whitespace(texts)
        missing = missing_texts(texts).to_numpy(zero_copy_only=False)
        if missing.any() and self.schema[column].missing:
            marked = missing & (np.array(texts) != "")
            self.repaired(f"{column}: {UNKNOWN}", np.count_nonzero(np.append(marked, False)[codes]))
        distinct = np.array(texts.to_pylist(), object)
        commas = np.array([part.count(",") == 1 and _is_number(part.replace(",", ".")) for part in distinct], bool)
        self.refuse(
            np.append(commas, False)[codes], column, "has a comma; write 3.5 for a decimal comma, 1000 for thousands"
        )
        values = pd.to_numeric(pd.Series(distinct, dtype=object), errors="coerce").to_numpy(np.float64)
        return np.append(values, np.nan)[codes], np.append(missing, True)[codes]

    def truths(self, column: str) -> pd.Series:
        """A column of true and false: bool, or float with NaN where cells are missing."""
        texts = self.texts(column).str.strip().str.lower()
        values = texts.map(TRUTHS)
        self.refuse((values.isna() & texts.notna()).to_numpy(), column, "is neither true nor false")
        return values if values.isna().any() else values.astype(bool)

    def raw(self, column: str) -> pd.Series:
        """A column of text as it stands."""
        return self._cast(column, pa.string()).to_pandas().astype("str")

    def _cast(self, column: str, kind: pa.DataType) -> pa.ChunkedArray:
        """A column of Parquet in another type, large whole numbers as the nearest decimal."""
        cells = self.columns[column]
        with self._named(column):
            try:
                return cells.cast(kind, safe=False)
            except pa.ArrowException as error:
                raise ValueError(f"cells are of type {cells.type}; save text or numbers") from error

    def texts(self, column: str) -> pd.Series:
        """A column of text, missing where a cell is blank or, but for names, a marker such as NA; tags as ids are."""
        about, cells = self.schema[column], self.raw(column)
        bare = cells.str.strip()
        missing = bare.isna() | (bare == "")
        if about.kind != "name" and not (self.missing == KEEP and not about.missing):
            marked = bare.isin(MISSING)
            missing |= marked
            self.repaired(f"{column}: {UNKNOWN}", int(marked.sum()) * about.missing)
        if not about.missing:
            self.refuse_missing(missing, column)
        return cells.where(~missing, None)

    def joined(self, column: str) -> pd.Series:
        """A column of names joined by "|", without those that are missing."""
        cells = self.texts(column)
        known = {
            text: "|".join(part for part in text.split("|") if part.strip() not in GAPS) for text in cells.dropna()
        }
        cleaned = cells.map(known)
        self.repaired(f"{column}: {UNKNOWN} among others", int((cells.notna() & (cleaned != cells)).sum()))
        return cleaned.where(cleaned != "", None)

    def seconds(self, column: str = "timestamp") -> np.ndarray:
        """A column of times as int64 seconds since 1970 UTC; see `timestamps` for how they may be written."""
        with self._named(column):
            seconds = seconds_of_column(self.columns[column], lambda bad, reason: self.refuse(bad, column, reason))
        self.warnings += odd_dates(seconds, lambda row: f"{self.where(row)}, column {column}")
        return seconds

    def values(self, column: str) -> object:
        """A column in the type that the schema gives it, ids as plain strings."""
        read: dict[str, Callable[[str], object]] = {
            **dict.fromkeys(NUMBERS, self.numbers),
            **{"id": self._plain_ids, "true or false": self.truths, "time": self.seconds},
            **{"names": self.joined, "raw": self.raw, "name": self.texts, "text": self.texts},
        }
        return read[self.schema[column].kind](column)

    def _plain_ids(self, column: str) -> pd.Series:
        return pd.Series(self.ids(column).astype(object), dtype="str")

    def frame(self) -> pd.DataFrame:
        """All columns."""
        return pd.DataFrame({column: self.values(column) for column in self.columns})

    def without_missing(self) -> "Table":
        """The table without the rows that lack an id or a tag, which are counted."""
        kept = np.ones(len(self), bool)
        for name in self.columns:
            if self.schema[name].kind in ("id", "text") and not self.schema[name].missing:
                with self._named(name):
                    codes, texts = encode_text(self.columns[name])
                lacking = missing_texts(pc.utf8_trim_whitespace(texts)).to_numpy(zero_copy_only=False)
                lacks = np.append(lacking, True)[codes]
                self.repaired(f"row without {name} left out (--missing drop)", np.count_nonzero(lacks & kept))
                kept &= ~lacks
        if kept.all():
            return self
        if not kept.any():
            raise UserError(f"{self.path}: every row lacks an id; nothing is left to read, so correct the file")
        columns = {name: cells.filter(pa.array(kept)) for name, cells in self.columns.items()}
        return replace(self, columns=columns, rows=np.flatnonzero(kept))


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False


def find_table(folder: Path, name: str) -> Path | None:
    """The file of a table in a folder, or the folder of its parts; None where there is none, two are refused."""
    found = [path for suffix in SUFFIXES if (path := folder / f"{name}{suffix}").exists()]
    if len(found) > 1:
        raise UserError(f"{folder} holds {found[0].name} and {found[1].name}: keep the one that is meant")
    return found[0] if found else None


def read_table(
    path: Path,
    columns: Sequence[Column],
    missing: str = REFUSE,
    quoted: bool = True,
    encoding: str = "utf-8",
    mend: str = MEND,
) -> Table:
    """Read the columns of a schema; any others are left alone. quoted, encoding: of text files, see `open_text`.

    The part files of a folder are one table. Raises UserError for a file that is missing, unreadable, empty or not
    text, and for a missing or doubled column.
    """
    try:
        parts = open_parts(path, required(columns), quoted, encoding, mend)
        names = _choose_columns(parts, columns)
        schema = {column.name: column for column in columns if column.name in names}
        ids = [column.name for column in schema.values() if column.kind == "id"]
        tables = [part.read(names, ids) for part in parts]
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing; put the file there or name the folder that holds it") from error
    except OSError as error:
        raise unreadable(path, error) from error
    starts = np.cumsum([0, *(len(table) for table in tables)])
    if not starts[-1]:
        raise no_rows(parts[0].path, mend)
    parts = [replace(part, start=int(start)) for part, start in zip(parts, starts[:-1], strict=True)]
    found = joined(parts, tables)
    table = Table(path, schema, {name: found[name] for name in names}, parts, missing, mend)
    return table.without_missing() if missing == DROP else table


def unreadable(path: Path, error: OSError) -> UserError:
    """The error for a file or folder that the system does not let us read."""
    return UserError(
        f"cannot read {path}: {(error.strerror or str(error)).lower()}; check that it is whole and that you may read it"
    )


def _choose_columns(parts: Sequence[Part], columns: Sequence[Column]) -> list[str]:
    """Names of the columns that a table has, which must be the same in each of its parts."""
    first, *others = (_known_columns(part.path, part.header, columns) for part in parts)
    for part, names in zip(parts[1:], others, strict=True):
        for name in sorted({*first} ^ {*names}):
            has, lacks = (part, parts[0]) if name in names else (parts[0], part)
            raise UserError(f"{lacks.path} has no column {name}, while {has.path.name} has; write all parts alike")
    return first


def _known_columns(path: Path, found: Sequence[str], columns: Sequence[Column]) -> list[str]:
    for column in columns:
        name, times = column.name, list(found).count(column.name)
        if times > 1:
            raise UserError(f"{path}, line 1: column {name} comes {times} times; keep the one that is meant")
        if column.required and not times:
            plain = {other.lower().replace("_", "").replace(" ", ""): other for other in found}
            near = difflib.get_close_matches(name.replace("_", "").lower(), plain, n=1, cutoff=0.6)
            hint = f"is it {plain[near[0]]!r}? Then rename that" if near else "add it to the header"
            shown = ", ".join(map(repr, found))
            shown = shown if len(shown) <= 400 else f"{shown[:397]}..."
            raise UserError(f"{path}, line 1: column {name!r} is missing among {shown}; {hint}")
    return [column.name for column in columns if column.name in found]
