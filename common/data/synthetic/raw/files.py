"""Files of a generated log: each holds a slice of time of all users, sorted by time, with repeats and broken rows.

A repeated event stands twice in its own file or once more in the next one. A broken row is a copy of an event in
which one thing is wrong, so that without it nothing is missing. Files with even numbers give times as ISO 8601 text,
the others in seconds or milliseconds by turns.
"""

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from common.data.synthetic.raw.draws import ABROAD, Events, events_of, plays_of, user_chunks
from common.data.synthetic.raw.texts import Column, Texts, name_of
from common.data.synthetic.raw.world import DAY, DAYS, IMPOSSIBLE, IMPOSSIBLE_PLAYS, ORIGIN, SPAN, World, album_of
from common.utils.io import atomic

if TYPE_CHECKING:
    import pyarrow as pa

USER, TRACK, TIME, RANGE, NEGATIVE, NUMBER = range(6)
FAULTS = ("user_missing", "track_missing", "time_unreadable", "time_out_of_range", "plays_invalid", "plays_invalid")
"""What is wrong with a broken row, by the rule that finds it. The last one, plays that are no number, is only in CSV
files, whose cells are text; where times are numbers in typed files, an unreadable one is missing."""
EVENT, REPEAT, FAULT = 0, 1, 2
"""Kinds of rows; FAULT + f has fault f."""
OUT_OF_RANGE = np.array([0, 7_226_582_400])
"""1970 and 2199."""
BATCH = 500_000
"""Rows that are turned into text at a time, and rows of a row group of a Parquet file."""
COLUMNS = {
    "iso": ("user_id", "track_id", "track_name", "artist_name", "album_name", "genre", "played_at", "plays"),
    "number": ("user", "track_mbid", "title", "artist", "album", "genres", "timestamp", "play_count"),
}
"""Names of the columns, as two programs call them."""
LENGTH = len("2021-03-04T05:06:07Z")


@dataclass(frozen=True)
class Rows:
    """Rows of a file: the events that they copy, and int8 what became of them."""

    events: Events
    kind: np.ndarray

    def slices(self) -> Iterator["Rows"]:
        """BATCH rows at a time, by time."""
        time = self.events.time
        keys = ((time - time.min(initial=ORIGIN + SPAN)) << 32) | np.arange(
            len(time)
        )  # one sort of numbers, faster than argsort
        keys.sort()
        order = keys & 0xFFFFFFFF
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            yield Rows(self.events.take(rows), self.kind[rows])


def file_name(world: World, file: int) -> str:
    """The name of a file of the log."""
    return f"part-{file:05}.{world.settings.format}"


def style_of(file: int) -> str:
    """How a file gives times: iso, s or ms."""
    return "iso" if file % 2 == 0 else ("s" if file % 4 == 1 else "ms")


def faults_of(world: World) -> int:
    """How many of FAULTS a file of this format can have."""
    return len(FAULTS) if world.settings.format == "csv.gz" else len(FAULTS) - 1


def rows_of(world: World, file: int) -> Rows:
    """All rows of a file, not yet in order; takes about 60 bytes per row."""
    parts: list[tuple[Events, np.ndarray]] = []
    begin, end = world.edges[file : file + 2]
    for users in user_chunks(world, share=1 / world.files):
        events = events_of(world, users, begin, end)
        twice, broken = events.repeated & ~events.abroad, events.broken
        kinds = np.r_[np.full(len(events), EVENT), np.full(twice.sum(), REPEAT), FAULT + _faults(world, events, broken)]
        parts.append((_compact(_joined([events, events.take(twice), events.take(broken)])), kinds.astype(np.int8)))
    late = _late(world, (file - 1) % world.files)
    parts.append((_compact(late), np.full(len(late), REPEAT, dtype=np.int8)))
    return Rows(_joined([events for events, _ in parts]), np.concatenate([kinds for _, kinds in parts]))


def _faults(world: World, events: Events, broken: np.ndarray) -> np.ndarray:
    return events.take(broken).fault(faults_of(world))


def _late(world: World, file: int) -> Events:
    """Events of a file that are repeated in the next one."""
    events = events_of(world, np.arange(5, world.users, ABROAD), *world.edges[file : file + 2])
    return events.take(events.abroad)


def _joined(parts: list[Events]) -> Events:
    fields = ("user", "number", "time", "bits")
    return Events(*(np.concatenate([getattr(part, field) for part in parts]) for field in fields))


def _compact(events: Events) -> Events:
    return Events(events.user.astype(np.int32), events.number.astype(np.int32), events.time, events.bits)


def write_file(world: World, texts: Texts, file: int, folder: Path) -> dict[str, Any]:
    """Write one file; returns its name and its counts of rows, events, repeats, and broken rows by fault."""
    rows, path = rows_of(world, file), folder / file_name(world, file)
    with atomic(path) as fresh:
        batches = (table_of(world, texts, batch, style_of(file)) for batch in rows.slices())
        {"parquet": _write_parquet, "csv.gz": _write_csv, "jsonl": _write_lines}[world.settings.format](fresh, batches)
    found = np.bincount(rows.kind, minlength=FAULT + len(FAULTS))
    broken: dict[str, int] = {}
    for fault, rule in enumerate(FAULTS):
        typed = fault == TIME and style_of(file) != "iso" and world.settings.format != "csv.gz"
        rule = "time_missing" if typed else rule
        broken[rule] = broken.get(rule, 0) + int(found[FAULT + fault])
    return {
        "name": path.name,
        "times": style_of(file),
        "rows": len(rows.kind),
        "events": int(found[EVENT]),
        "repeats": int(found[REPEAT]),
        "broken": broken,
        "bytes": path.stat().st_size,
    }


def table_of(world: World, texts: Texts, rows: Rows, style: str) -> "pa.Table":
    """Rows as an Arrow table."""
    import pyarrow as pa

    events = Events(rows.events.user.astype(np.int64), rows.events.number.astype(np.int64), *_rest(rows.events))
    plays = plays_of(world, events)
    lost = rows.kind == FAULT + TRACK
    taken = _coded if world.settings.format == "parquet" else _taken
    columns = [
        taken(texts.users, events.user, rows.kind == FAULT + USER),
        taken(texts.tracks, plays.track, lost),
        taken(texts.titles, plays.track, lost),
        taken(texts.artists, name_of(world, plays.track, plays.spelling)),
        taken(texts.albums, album_of(plays.track)),
        taken(texts.genres, plays.track),
        _times(events, rows.kind, plays.milliseconds, style, world.settings.format),
        _plays(world, events, rows.kind),
    ]
    named = list(zip(COLUMNS["iso" if style == "iso" else "number"], columns, strict=True))
    if not world.settings.track_ids:
        del named[1]
    return pa.table([column for _, column in named], names=[name for name, _ in named])


def _rest(events: Events) -> tuple[np.ndarray, np.ndarray]:
    return events.time, events.bits


def _taken(column: Column, rows: np.ndarray, without: np.ndarray | None = None) -> "pa.Array":
    import pyarrow as pa

    place = column.place[rows]
    lost = place < 0 if without is None else (place < 0) | without
    return column.texts.take(pa.array(place, mask=lost))


def _coded(column: Column, rows: np.ndarray, without: np.ndarray | None = None) -> "pa.Array":
    """The same as a dictionary of the texts that occur, which Parquet takes as it is: that saves hashing every cell."""
    import pyarrow as pa

    place = column.place[rows]
    lost = place < 0 if without is None else (place < 0) | without
    occurs = np.zeros(len(column.texts), dtype=bool)
    occurs[place[~lost]] = True
    found = np.flatnonzero(occurs)
    code = np.zeros(len(column.texts), dtype=np.int32)
    code[found] = np.arange(len(found), dtype=np.int32)
    return pa.DictionaryArray.from_arrays(pa.array(code[place], mask=lost), column.texts.take(pa.array(found)))


def _times(events: Events, kind: np.ndarray, more: np.ndarray, style: str, form: str) -> "pa.Array":
    """Times as a file gives them, those of broken rows wrong."""
    import pyarrow as pa

    odd, unreadable = kind == FAULT + RANGE, kind == FAULT + TIME
    seconds = np.where(odd, OUT_OF_RANGE[events.number % 2], events.time)
    if style == "iso":
        said = _iso(seconds, odd)
        return _replaced(said, unreadable, "yesterday")
    number = pa.array(
        seconds * 1_000 + more if style == "ms" else seconds, mask=unreadable if form != "csv.gz" else None
    )
    return _replaced(number.cast(pa.string()), unreadable, "yesterday") if form == "csv.gz" else number


def _replaced(texts: "pa.Array", rows: np.ndarray, text: str) -> "pa.Array":
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.if_else(pa.array(rows), text, texts) if rows.any() else texts


def _iso(seconds: np.ndarray, odd: np.ndarray) -> "pa.Array":
    """Seconds since 1970 as text; put together from days and times of day, which is faster than any formatting."""
    import pyarrow as pa

    days, clock = _days(), _clock()
    letters = np.empty((len(seconds), LENGTH), dtype=np.uint8)
    since = np.where(odd, 0, seconds - ORIGIN)
    letters[:, :11] = days[np.where(odd, DAYS + (seconds > 0), since // DAY)]
    letters[:, 11:19] = clock[since % DAY]
    letters[:, 19] = ord("Z")
    ends = np.arange(0, (len(seconds) + 1) * LENGTH, LENGTH, dtype=np.int32)
    return pa.StringArray.from_buffers(len(seconds), pa.py_buffer(ends), pa.py_buffer(letters.reshape(-1)))


@cache
def _days() -> np.ndarray:
    """Letters of every day of the log, and of the two days out of range; uint8 (days + 2, 11)."""
    listed = np.concatenate([ORIGIN // DAY + np.arange(DAYS), OUT_OF_RANGE // DAY]).astype("datetime64[D]")
    return _letters(np.array([f"{day}T" for day in listed.astype(str).tolist()]))


@cache
def _clock() -> np.ndarray:
    """Letters of every second of a day; uint8 (86400, 8)."""
    second = np.arange(DAY)
    numbers = [second // 3_600, second // 60 % 60, second % 60]
    digits = [np.stack([number // 10, number % 10, np.full(DAY, 10)], axis=1) for number in numbers]
    return (np.hstack(digits) + ord("0")).astype(np.uint8)[:, :8]


def _letters(texts: np.ndarray) -> np.ndarray:
    coded = texts.astype(bytes)
    return np.frombuffer(coded.tobytes(), dtype=np.uint8).reshape(len(coded), -1)


def _plays(world: World, events: Events, kind: np.ndarray) -> "pa.Array":
    """Plays: 1, but for users with impossible counts and broken rows."""
    import pyarrow as pa

    plays = np.ones(len(kind), dtype=np.int32)
    plays[world.kind[events.user] == IMPOSSIBLE] = IMPOSSIBLE_PLAYS
    plays[kind == FAULT + NEGATIVE] = -1
    if world.settings.format != "csv.gz":
        return pa.array(plays)
    return _replaced(pa.array(plays).cast(pa.string()), kind == FAULT + NUMBER, "many")


def _write_parquet(path: Path, tables: Iterator["pa.Table"]) -> None:
    import pyarrow.parquet as pq

    first = next(tables)
    texts = [field.name for field in first.schema if str(field.type).startswith("dictionary")]
    how: dict[str, Any] = {
        "compression": "zstd",
        "compression_level": 1,
        "use_dictionary": texts,
        "write_statistics": False,
    }
    # Without the Arrow schema, a reader sees plain text.
    with pq.ParquetWriter(path, first.schema, dictionary_pagesize_limit=2**26, store_schema=False, **how) as writer:
        for table in chain([first], tables):
            writer.write_table(table)


def _write_csv(path: Path, tables: Iterator["pa.Table"]) -> None:
    import pyarrow.csv

    with path.open("wb") as raw, gzip.GzipFile("", "wb", 3, raw, mtime=0) as file:
        for number, table in enumerate(tables):
            options = pyarrow.csv.WriteOptions(include_header=number == 0, quoting_style="needed")
            pyarrow.csv.write_csv(table, file, options)


def _write_lines(path: Path, tables: Iterator["pa.Table"]) -> None:
    import polars as pl

    with path.open("wb") as file:
        for table in tables:
            pl.DataFrame(table).write_ndjson(file)
