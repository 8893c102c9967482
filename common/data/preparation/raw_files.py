"""Raw log files in the formats that programs write, each opened lazily; what is broken is named by file and line."""

import codecs
import csv
import glob
import gzip
import itertools
import json
import logging
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.data.preparation.settings import RAW_TOML, PreparationSettings
from common.data.reading.text_file import first_line_not_utf8
from common.utils.errors import UserError
from common.utils.temporary import prefix

if TYPE_CHECKING:
    import polars as pl

log = logging.getLogger(__name__)
SEPARATORS = {".csv": ",", ".tsv": "\t"}
LINES, ARRAY, PARQUET = (".jsonl", ".ndjson"), ".json", (".parquet", ".pq")
FORMATS = (*SEPARATORS, *LINES, ARRAY, *PARQUET)
COMPRESSED = (".gz", ".zst")
BLOCK = 2**22
LONGEST = 2**26
"""Letters that an object of a JSON array may have."""
ROW = "row in the file"
LOOKED_AT = 1_000
"""Lines of a JSON file whose keys are its columns."""


def find_raw_files(paths: Iterable[Path]) -> list[Path]:
    """The raw files among paths, folders with all that lies in them, in the order of their names.

    Names that begin with `.` or `_` are passed over. Raises a UserError for a path that is missing, a file of another
    format, and where there is none at all.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            within = sorted(file for file in path.rglob("*") if file.is_file())
            found += [file for file in within if _is_raw(file, path)]
            if others := [file for file in within if not _format(file) and file.name != RAW_TOML]:
                log.info("passed over in %s: %s files of no known format, %s first", path, len(others), others[0].name)
        elif not path.exists():
            raise UserError(f"{path} is missing; name the raw files or the folder that holds them")
        elif not _format(path):
            raise UserError(f"{path}: no known format; give {', '.join(FORMATS)}, these perhaps with .gz or .zst")
        else:
            found.append(path)
    if not found:
        raise UserError(f"no raw files among {', '.join(map(str, paths))}; give {', '.join(FORMATS)}")
    return list(dict.fromkeys(found))


def _is_raw(path: Path, root: Path) -> bool:
    hidden = any(part.startswith((".", "_")) for part in path.relative_to(root).parts)
    return path.is_file() and not hidden and bool(_format(path)) and path.name != RAW_TOML


def _format(path: Path) -> str:
    """The suffix that says how a file is read, "" for another."""
    suffix = Path(path.stem).suffix if path.suffix.lower() in COMPRESSED else path.suffix
    return suffix.lower() if suffix.lower() in FORMATS else ""


def _is_marked(path: Path) -> bool:
    """Whether a file of JSON lines begins with the mark of Windows, which Polars takes for a letter."""
    if _format(path) not in LINES:
        return False
    with path.open("rb") as file:
        return file.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8


@contextmanager
def opened(path: Path, settings: PreparationSettings, scratch: Path) -> Iterator["pl.LazyFrame"]:
    """All columns of a raw file as they stand (text files: as text), and the number of each row as `ROW`, from 1.

    A compressed file and a JSON array are unpacked below `scratch` while the block runs. What Polars cannot read in the
    block becomes a UserError that names the file and, of text, the line.
    """
    import polars as pl

    unpacked = None
    try:
        plain = path
        if path.suffix.lower() in COMPRESSED or _format(path) == ARRAY or _is_marked(path):
            plain = unpacked = scratch / f"{prefix('unpacked')}00000000{_format(path)}"
            _unpack(path, unpacked)
        if plain.stat().st_size == 0:
            raise UserError(f"{path} is empty; leave it out or give the whole file")
        yield _scan(plain, _format(path), settings).with_row_index(ROW, offset=1)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        if system_error(error):
            raise
        raise UserError(_complaint(path, unpacked or path, settings, error)) from error
    finally:
        if unpacked:
            unpacked.unlink(missing_ok=True)


def _scan(path: Path, kind: str, settings: PreparationSettings) -> "pl.LazyFrame":
    import polars as pl

    if kind in PARQUET:
        return pl.scan_parquet(path, glob=False)
    if kind in SEPARATORS:
        return pl.scan_csv(
            path,
            separator=separator(kind, settings),
            has_header=not settings.header,
            new_columns=list(settings.header) or None,
            quote_char='"' if settings.quotes else None,
            infer_schema=False,
            glob=False,
        )
    return pl.scan_ndjson(glob.escape(str(path)), schema=_keys(path))


def separator(kind: str, settings: PreparationSettings) -> str:
    """What separates the cells of a text file."""
    return SEPARATORS[kind] if settings.separator == "auto" else settings.separator


def _keys(path: Path) -> "dict[str, pl.DataType]":
    """The keys of the first lines of a file of JSON lines, in order, and whether they hold texts or lists of them."""
    import polars as pl

    keys: dict[str, Any] = {}
    with path.open(encoding="utf-8-sig", errors="replace") as lines:
        for line in itertools.islice(lines, LOOKED_AT):
            for key, value in (_object(line) or {}).items():
                keys[key] = pl.List(pl.String) if isinstance(value, list) else keys.get(key, pl.String)
    if not keys:
        raise UserError(f"{path}, line 1: no JSON object; write one {{...}} on each line")
    return keys


def _object(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _unpack(path: Path, target: Path) -> None:
    """Write what a compressed file holds, and an array of JSON as lines."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with target.open("wb") as out:
            blocks = _blocks(path)
            out.writelines(_lines_of_array(path, blocks) if _format(path) == ARRAY else _unmarked(blocks))
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise UserError(f"{path} is cut off or damaged ({error}); get the whole file again, or leave it out") from error
    except OSError as error:
        if error.errno is None:  # what Arrow says of a damaged file
            raise UserError(f"{path} is cut off or damaged; get the whole file again, or leave it out") from error
        raise UserError(
            f"cannot unpack {path} to {target.parent}: {error.strerror}; free some space or mend the permissions"
        ) from error


def _unmarked(blocks: Iterator[bytes]) -> Iterator[bytes]:
    yield next(blocks, b"").removeprefix(codecs.BOM_UTF8)
    yield from blocks


def _blocks(path: Path) -> Iterator[bytes]:
    if path.suffix.lower() == ".zst":
        import pyarrow as pa

        with pa.OSFile(str(path)) as raw, pa.CompressedInputStream(raw, "zstd") as stream:
            while block := stream.read(BLOCK):
                yield block
        return
    with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
        while block := file.read(BLOCK):
            yield block


def _lines_of_array(path: Path, blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The objects of a JSON array, one on a line; of a file that has lines already, the lines.

    Objects are decoded one after another from what is at hand, so that no more than a block is held.
    """
    decode, decoder = codecs.getincrementaldecoder("utf-8-sig")(), json.JSONDecoder()
    text, at, done, begun, is_array = "", 0, False, 0, False
    while True:
        at = _after(" \t\r\n," if begun else " \t\r\n", text, at)
        if not begun and text[at : at + 1] == "[":
            is_array, at = True, _after(" \t\r\n", text, at + 1)
        try:
            if text[at : at + 1] == "]":
                return
            found, at = decoder.raw_decode(text, at)
            begun += 1
            yield json.dumps(found, ensure_ascii=False).encode() + b"\n"
        except ValueError as error:
            if done and at == len(text) and not is_array:
                return
            if done or len(text) - at > LONGEST:
                raise UserError(
                    f"{path}, object {begun + 1:,}: cut off or no JSON ({error}); get the whole file, or leave it out"
                ) from error
            block = next(blocks, b"")
            done = not block
            text, at = text[at:] + decode.decode(block, done), 0


def _after(marks: str, text: str, at: int) -> int:
    """The next place that holds none of the marks."""
    while at < len(text) and text[at] in marks:
        at += 1
    return at


def check_raw_files(files: Sequence[Path]) -> None:
    """Raise a UserError for the first Parquet file whose end is missing; the rest is seen when it is read."""
    import polars as pl

    for path in files:
        if _format(path) in PARQUET:
            try:
                pl.read_parquet_schema(path)
            except (pl.exceptions.PolarsError, OSError) as error:
                said = str(error).splitlines()[0]
                raise UserError(f"{path} is no whole Parquet file ({said}); get it again, or leave it out") from error


def system_error(error: Exception) -> str:
    """What the system said of a file that could not be written or read, "" where the error is none of it."""
    found = re.search(r"(?:^|: )([^:]+?) \(os error \d+\)", str(error))
    if found:
        return found[1]
    said = getattr(error, "strerror", None) or ""
    return re.sub(r"^.*\[errno \d+\] ", "", said)  # what Arrow puts before it


def _complaint(path: Path, plain: Path, settings: PreparationSettings, error: Exception) -> str:
    """One sentence about a file that Polars has not read; text files are read again, to find the line."""
    kind = _format(path)
    if kind not in PARQUET and (line := first_line_not_utf8(plain)):
        return f"{path}, line {line:,}: not written in UTF-8; save the file as UTF-8"
    if kind in SEPARATORS and (found := _odd_row(plain, kind, settings)):
        return f"{path}, {found}"
    if kind in (*LINES, ARRAY) and (line := _odd_line(plain)):
        return f"{path}, line {line:,}: no JSON object; correct or delete that line"
    said = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return f"{path} cannot be read ({said}); check that it is whole and of one form throughout"


def _odd_row(path: Path, kind: str, settings: PreparationSettings) -> str:
    """What is wrong with the first row of a text file that is too long, or whose quotation marks do not close."""
    quoting: Any = csv.QUOTE_MINIMAL if settings.quotes else csv.QUOTE_NONE
    csv.field_size_limit(2**31 - 1)
    with path.open(encoding="utf-8-sig", newline="\n") as file:
        rows = csv.reader(file, delimiter=separator(kind, settings), quoting=quoting, strict=True)
        width, start = len(settings.header), 1
        try:
            for row in rows:
                if settings.header and start == 1 and len(row) != width:
                    return f"line 1: {len(row)} cells, while --header names {width} columns; name all of them"
                width = width or len(row)
                if len(row) > width:
                    return (
                        f"line {start:,}: {len(row)} cells, while the first line has {width}; "
                        "quote cells that hold the separator, or split the file where its columns change"
                    )
                start = rows.line_num + 1
        except csv.Error:
            return (
                f"line {start:,}: a quotation mark is never closed, or closed amid a cell; correct it, or read with "
                "--no-quotes"
            )
    return ""


def _odd_line(path: Path) -> int:
    """The first line that is no JSON object, 0 where all are."""
    with path.open(encoding="utf-8-sig") as lines:
        return next((number for number, line in enumerate(lines, 1) if line.strip() and _object(line) is None), 0)
