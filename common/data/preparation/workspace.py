"""The tables that the steps hand on: Parquet files in a folder per step, whole or not there."""

import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.data.preparation.settings import PreparationSettings
from common.utils.environment import peak_rss_mb
from common.utils.errors import UserError
from common.utils.temporary import prefix

if TYPE_CHECKING:
    import polars as pl

log = logging.getLogger(__name__)
SINK: dict[str, Any] = {"compression": "lz4", "statistics": False, "mkdir": True}
"""How tables between the steps are written: quickly."""
BUCKET = "bucket"


@dataclass
class Outcome:
    """What a step says of itself: rows of its main table before and after, dropped rows by reason, anything else."""

    rows_in: int
    rows_out: int
    dropped: dict[str, int] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)


@dataclass
class Workspace:
    """What a step reads from and writes to. `tables`: where the newest version of each table lies."""

    settings: PreparationSettings
    files: list[Path]
    out: Path
    tables: dict[str, Path]
    fresh: Path
    """The folder of the running step."""
    memory: int
    """Bytes that may be taken."""
    notes: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What the steps before have said, by step."""
    entries: list[dict[str, Any]] = field(default_factory=list)
    """All that `steps.json` holds of the steps before."""

    def scan(self, table: str) -> "pl.LazyFrame":
        """A table, lazily; in its buckets' order where it has such."""
        import polars as pl

        return pl.scan_parquet(sorted(self.tables[table].rglob("*.parquet")), hive_partitioning=False)

    def read(self, table: str) -> "pl.DataFrame":
        """A small table."""
        return self.scan(table).collect()

    def write(self, table: str, frame: "pl.LazyFrame | pl.DataFrame", name: str = "0") -> None:
        """Write a table of the running step by a streaming sink, or one file of it."""
        frame.lazy().sink_parquet(self.fresh / table / f"{name}.parquet", **SINK)

    def write_buckets(self, table: str, frame: "pl.LazyFrame") -> None:
        """Write a table in one folder per value of its column `bucket`, which is left out."""
        import polars as pl

        target = pl.PartitionBy(self.fresh / table, key=BUCKET, include_key=False)
        frame.sink_parquet(target, **SINK)

    def buckets(self, table: str) -> list[tuple[str, "pl.LazyFrame"]]:
        """The buckets of a table by name, in order."""
        import polars as pl

        folders = [path for path in self.tables[table].iterdir() if path.name.startswith(f"{BUCKET}=")]
        files = [*self.tables[table].glob("*.parquet"), *folders]
        numbered = sorted(files, key=lambda path: int(path.stem.removeprefix(f"{BUCKET}=")))
        return [
            (path.stem.removeprefix(f"{BUCKET}="), pl.scan_parquet(path, hive_partitioning=False)) for path in numbered
        ]

    def scratch(self) -> Path:
        """A folder for files of the running step that nobody needs after it."""
        folder = self.fresh / ".scratch"
        folder.mkdir(exist_ok=True)
        return folder


def rows_of(frame: "pl.LazyFrame") -> int:
    """Number of rows, read from the files' ends where they tell."""
    import polars as pl

    return int(frame.select(pl.len()).collect(engine="streaming").item())


def new_folder(parent: Path) -> Path:
    """An empty folder for a step that is not done yet; swept by the next start where the process is killed."""
    try:
        parent.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=prefix("step"), dir=parent))
    except OSError as error:
        raise UserError(f"cannot write {parent}: {error.strerror}; free some space or choose another --out") from error


def place(fresh: Path, target: Path) -> None:
    """Let the folder of a step that is done take its place."""
    shutil.rmtree(fresh / ".scratch", ignore_errors=True)
    shutil.rmtree(target, ignore_errors=True)
    fresh.rename(target)


def listed(folder: Path) -> dict[str, int]:
    """Files below a folder with their sizes in bytes."""
    return {
        path.relative_to(folder).as_posix(): path.stat().st_size for path in sorted(folder.rglob("*")) if path.is_file()
    }


def is_whole(folder: Path, files: Mapping[str, int]) -> bool:
    """Whether a folder holds all files of a list, in the sizes that they had."""
    return all((folder / name).is_file() and (folder / name).stat().st_size == size for name, size in files.items())


class Meter:
    """Seconds, CPU seconds and peak memory of a piece of work in this process."""

    def __enter__(self) -> "Meter":
        """Start."""
        try:
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak from here on
        except OSError:
            log.debug("the system tells only the peak since the process began")
        self.wall, self.cpu = time.monotonic(), _cpu()
        return self

    def __exit__(self, *error: object) -> None:
        """Stop."""
        self.wall, self.cpu = time.monotonic() - self.wall, _cpu() - self.cpu

    def figures(self) -> dict[str, float]:
        """What was measured."""
        return {
            "seconds": round(self.wall, 3),
            "cpu_seconds": round(self.cpu, 3),
            "peak_mb": round(peak_bytes() / 1e6, 1),
        }


def _cpu() -> float:
    used = os.times()
    return used.user + used.system


def peak_bytes() -> float:
    """Peak of this process's memory, in bytes, since the last meter started where the system tells."""
    try:
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    return peak_rss_mb() * 2**20


def read_steps(path: Path) -> dict[str, Any]:
    """What `steps.json` says; empty where there is none or it is damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) and isinstance(found.get("steps"), list) else {}
