"""The tables that the steps hand on: Parquet files in a folder per step, whole or not there."""

import contextlib
import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.data.preparation.raw_files import system_error
from common.data.preparation.row_groups import ROW_GROUP, write_buckets
from common.data.preparation.settings import PreparationSettings
from common.utils.environment import peak_rss_mb
from common.utils.errors import UserError
from common.utils.io import lock
from common.utils.temporary import prefix

if TYPE_CHECKING:
    import polars as pl

log = logging.getLogger(__name__)
SINK: dict[str, Any] = {"compression": "lz4", "statistics": False, "mkdir": True}
"""How tables between the steps are written: quickly."""
NUMBERS_SINK = SINK | {"compression": "uncompressed"}
"""How tables of numbers alone are written, which compression makes little smaller."""
TEXTS_SINK = SINK | {"compression": "zstd", "compression_level": 1, "row_group_size": 500_000}
"""How events with their texts are written: in half the space, for the same CPU time. Each group of rows has its own
dictionary of texts."""
FREE_SPACE = "free some space or mend the permissions"
LOCK = ".being-prepared"
BLOCKS = 1_000
"""Part of the memory, in rows, that is held while events are split by bucket."""


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

        return pl.scan_parquet(sorted(self.tables[table].glob("*.parquet")), hive_partitioning=False)

    def written(self, table: str) -> "pl.LazyFrame":
        """A table that the running step has written, lazily."""
        import polars as pl

        return pl.scan_parquet(sorted((self.fresh / table).glob("*.parquet")), hive_partitioning=False)

    def read(self, table: str) -> "pl.DataFrame":
        """A small table."""
        return self.scan(table).collect()

    def write(
        self, table: str, frame: "pl.LazyFrame | pl.DataFrame", name: str = "0", how: Mapping[str, Any] = SINK
    ) -> None:
        """Write a table of the running step by a streaming sink, or one file of it."""
        frame.lazy().sink_parquet(self.fresh / table / f"{name}.parquet", **how)

    def write_buckets(self, table: str, frame: "pl.LazyFrame") -> None:
        """Write a table of numbers in a file per value of its column `bucket`, which is left out.

        Raises an AssertionError where a number is missing.
        """
        frames = _without_null(frame.collect_batches(maintain_order=False, engine="streaming"))
        write_buckets(frames, self.fresh / table, min(2 * ROW_GROUP, max(2**16, self.memory // BLOCKS)))

    def buckets(self, table: str) -> list[tuple[str, "pl.LazyFrame"]]:
        """The buckets of a table by name, in order."""
        import polars as pl

        numbered = sorted(self.tables[table].glob("*.parquet"), key=lambda path: int(path.stem))
        return [(path.stem, pl.scan_parquet(path, hive_partitioning=False)) for path in numbered]

    def fault(self, error: Exception) -> str:
        """What the system said of a file that could not be written or read, and the remedy; "" of another error."""
        import polars as pl

        said = system_error(error) if isinstance(error, OSError | pl.exceptions.ComputeError) else ""
        return said and f"{said}; {FREE_SPACE}"

    def scratch(self) -> Path:
        """A folder for files of the running step that nobody needs after it."""
        folder = self.fresh / ".scratch"
        folder.mkdir(exist_ok=True)
        return folder


def _without_null(frames: "Iterable[pl.DataFrame]") -> "Iterator[pl.DataFrame]":
    for frame in frames:
        if any(nulls := frame.null_count().row(0)):
            missing = ", ".join(f"{rows:,} without {name}" for name, rows in zip(frame.columns, nulls, strict=True))
            raise AssertionError(f"rows of a table of numbers lack some: {missing}")
        yield frame


def rows_of(frame: "pl.LazyFrame") -> int:
    """Number of rows, read from the files' ends where they tell."""
    import polars as pl

    return int(frame.select(pl.len()).collect(engine="streaming").item())


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold the folder of a data set, which one process at a time prepares. Raises a UserError where another one does.

    The system ends the hold of a process that is killed.
    """
    if folder.is_file():
        raise UserError(f"{folder} is a file; name the folder that is to hold the data set with --out")
    made = not folder.exists()
    path = folder / LOCK
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}; free some space or choose another --out") from error
    with file:
        try:
            lock(file)
            if not os.path.samestat(os.fstat(file.fileno()), path.stat()):  # the one who held it has just ended
                raise OSError
        except OSError:
            raise UserError(
                f"{folder} is being prepared by another process; wait for it to end, or choose another --out"
            ) from None
        try:
            yield
        finally:
            with contextlib.suppress(OSError):  # Windows deletes no open file
                path.unlink()
                if made:
                    folder.rmdir()  # if nothing was written


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
