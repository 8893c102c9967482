"""Small raw logs in every format, single steps over tables written by hand, and whole runs in this process."""

import csv
import gzip
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from common.data.preparation.pipeline import prepare
from common.data.preparation.settings import PreparationSettings
from common.data.preparation.workspace import Outcome, Workspace
from common.utils import memory

START = 1_300_000_000
Row = dict[str, Any]


def event(user: str, track: str, at: int, artist: str = "Muse", **more: Any) -> Row:
    """A row of a raw log, `at` seconds after the start."""
    return {"user_id": user, "artist": artist, "track": track, "timestamp": START + at} | more


def write_raw(path: Path, rows: Sequence[Row], columns: Sequence[str] = ()) -> Path:
    """Write rows in the format that the suffix says, compressed where it ends so; missing cells are empty."""
    kind = Path(path.stem).suffix if path.suffix in (".gz", ".zst") else path.suffix
    columns = columns or list(dict.fromkeys(name for row in rows for name in row))
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == ".parquet":
        pl.DataFrame(rows, infer_schema_length=None).select(columns).write_parquet(path)
        return path
    if kind in (".csv", ".tsv"):
        lines = io.StringIO()
        table = csv.DictWriter(lines, columns, delimiter="," if kind == ".csv" else "\t", lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
        text = lines.getvalue()
    else:
        text = "".join(f"{json.dumps(row)}\n" for row in rows) if kind == ".jsonl" else json.dumps(rows)
    path.write_bytes(packed(text.encode(), path.suffix))
    return path


def packed(content: bytes, suffix: str) -> bytes:
    """Bytes as a file of this suffix holds them."""
    if suffix == ".gz":
        return gzip.compress(content, mtime=0)
    return pa.compress(content, codec="zstd", asbytes=True) if suffix == ".zst" else content


def workspace(folder: Path, notes: dict[str, Any] | None = None, **tables: pl.DataFrame | dict[str, Any]) -> Workspace:
    """A step's place of work with tables that the steps before might have left; settings are to be set on it."""
    for name, table in tables.items():
        frame = pl.DataFrame(table) if isinstance(table, dict) else table
        (folder / "before" / name).mkdir(parents=True)
        frame.write_parquet(folder / "before" / name / "0.parquet")
    (folder / "fresh").mkdir(parents=True)
    known = {name: folder / "before" / name for name in tables}
    return Workspace(PreparationSettings(), [Path("a.csv")], folder, known, folder / "fresh", 10**9, notes or {})


def written(work: Workspace, table: str) -> pl.DataFrame:
    """What the step has written."""
    files = sorted((work.fresh / table).rglob("*.parquet"))
    return pl.concat([pl.read_parquet(file, hive_partitioning=False) for file in files])


def columns(frame: pl.DataFrame, *names: str) -> list[Any]:
    """Rows of some columns as tuples, of one column as values."""
    rows = frame.select(names).rows()
    return [row[0] for row in rows] if len(names) == 1 else rows


def scanned(folder: Path, *files: Path, **settings: Any) -> tuple[Outcome, pl.DataFrame]:
    """What `scan` makes of raw files."""
    from common.data.preparation.steps.scan import scan

    work = workspace(folder)
    work.files, work.settings = list(files), PreparationSettings(**settings)
    return scan(work), written(work, "events")


def run(out: Path, *files: Path, size: str = "1GB", keep: bool = False, **settings: Any) -> dict[str, Row]:
    """Prepare files; what is told of each step, by its name."""
    memory.use(size)
    found = prepare(files, out, PreparationSettings(**settings), keep)
    return {entry["step"]: entry for entry in found["steps"]}


def content(folder: Path, without: Sequence[str] = ("manifest.json", "steps.json", "quality.json")) -> dict[str, bytes]:
    """All files below a folder, byte for byte, but those that hold times and hashes of times."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in without)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def interactions(out: Path, part: str = "train") -> list[tuple[Any, ...]]:
    """Rows of a part by names: user, item, plays, first and last in seconds after the start."""
    users, items = (pl.read_parquet(out / f"{name}.parquet") for name in ("users", "items"))
    pairs = pl.read_parquet(out / f"interactions_{part}.parquet")
    pairs = pairs.with_columns(user=users["user_id"].gather(pairs["user"]), item=items["item_id"].gather(pairs["item"]))
    return pairs.with_columns(pl.col("first", "last") - START).rows()


SONGS = {"Creep": "Radiohead", "Nude": "Radiohead", "Lotus": "Radiohead", "Uprising": "Muse", "Hoodoo": "Muse"}
HEARD = (
    "a Creep, a Creep, b Creep, b Nude, a Nude, c Uprising, c Creep, a Creep, b Creep, c Uprising, a Uprising, b Nude, "
)
HEARD += "c Uprising, a Creep, b Creep, c Creep, a Hoodoo, d Creep, e Lotus, b Uprising"
LOG = [
    event(user, track, 10 * place, SONGS[track])
    for place, (user, track) in enumerate(heard.split() for heard in HEARD.split(", "))
]
"""Twenty events, one every ten seconds: 16 are train, 2 valid, 2 test."""
TRAIN = [
    ("a", "radiohead | creep", 4, 0, 130),
    ("a", "radiohead | nude", 1, 40, 40),
    ("a", "muse | uprising", 1, 100, 100),
    ("b", "radiohead | creep", 3, 20, 140),
    ("b", "radiohead | nude", 2, 30, 110),
    ("c", "muse | uprising", 3, 50, 120),
    ("c", "radiohead | creep", 2, 60, 150),
]
VALID = [("a", "muse | hoodoo", 1, 160, 160), ("d", "radiohead | creep", 1, 170, 170)]
TEST = [("b", "muse | uprising", 1, 190, 190), ("e", "radiohead | lotus", 1, 180, 180)]
