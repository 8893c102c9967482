"""Raw logs to a prepared data set in ten steps, out of core: each reads Parquet that the one before wrote.

A step is done when its folder stands under `steps/` and `steps.json` says so; a run that was killed goes on with the
first that is not. Tables that no later step reads are deleted, unless all are to be kept; one that is gone is made
again from the last one kept, else from the raw files.
"""

import dataclasses
import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from common.data.manifest import read_manifest
from common.data.preparation.raw_files import find_raw_files
from common.data.preparation.settings import PreparationSettings
from common.data.preparation.steps.aggregate_interactions import aggregate_interactions
from common.data.preparation.steps.canonical_ids import canonical_ids
from common.data.preparation.steps.deduplicate_artists import deduplicate_artists
from common.data.preparation.steps.deduplicate_events import deduplicate_events
from common.data.preparation.steps.filter_bots import filter_bots
from common.data.preparation.steps.group_work_versions import group_work_versions
from common.data.preparation.steps.normalise_timestamps import normalise_timestamps
from common.data.preparation.steps.scan import scan
from common.data.preparation.steps.validate import validate
from common.data.preparation.steps.write_tables import write_tables
from common.data.preparation.workspace import (
    Meter,
    Outcome,
    Workspace,
    held,
    is_whole,
    listed,
    new_folder,
    place,
    read_steps,
)
from common.utils import memory
from common.utils.errors import UserError
from common.utils.io import free_bytes, write_json
from common.utils.temporary import sweep

log = logging.getLogger(__name__)
FORMAT = 2
"""Raised when a step changes, so that what was prepared before is made anew."""
STEPS, LIST = "steps", "steps.json"


@dataclass(frozen=True)
class Step:
    """A step: what it does, the tables that it reads and those that it writes, and what it counts before and after."""

    run: Callable[[Workspace], Outcome]
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    units: tuple[str, str] = ("events", "events")

    @property
    def name(self) -> str:
        """Its name."""
        return self.run.__name__


TEN_STEPS = (
    Step(scan, (), ("events",), ("rows", "rows")),
    Step(validate, ("events",), ("events", "dropped"), ("rows", "events")),
    Step(normalise_timestamps, ("events",), ("events",)),
    Step(canonical_ids, ("events",), ("events", "users", "tracks", "artists")),
    Step(deduplicate_events, ("events",), ("events",)),
    Step(deduplicate_artists, ("artists", "tracks"), ("artists", "tracks", "near_spellings"), ("artists", "artists")),
    Step(group_work_versions, ("artists", "tracks"), ("tracks",), ("tracks", "works")),
    Step(filter_bots, ("events", "users", "tracks"), ("left_out",)),
    Step(aggregate_interactions, ("events", "users", "tracks", "left_out"), ("interactions",), ("events", "pairs")),
    Step(
        write_tables,
        ("interactions", "users", "tracks", "artists", "near_spellings", "dropped"),
        (),
        ("pairs", "pairs"),
    ),
)
"""The ten steps in order; the last one writes the data set itself."""
LEAST_MEMORY, LEAST_MEMORY_SAID = 400_000_000, "400MB"
"""Memory that the steps take however few the events are."""
SPACE = {".gz": 12, ".zst": 12, ".parquet": 3, ".pq": 3}
"""Bytes on disk that a byte of a raw file may need at the most, by suffix; of others `SPACE_OF_TEXT`."""
SPACE_OF_TEXT = 2


class Engine(Protocol):
    """What runs the steps."""

    @property
    def name(self) -> str:
        """Its name, in `steps.json`."""

    @property
    def steps(self) -> Mapping[str, Callable[[Any], Outcome]]:
        """How each step runs there, by name."""

    def workspace(self, *given: Any) -> Workspace:
        """The place of work of a step; given: all fields of a `Workspace`, in order."""


class LocalEngine:
    """Runs the steps in this process."""

    name = "local"

    @property
    def steps(self) -> dict[str, Callable[[Any], Outcome]]:
        """The steps as they stand in the list of ten."""
        return {step.name: step.run for step in TEN_STEPS}

    def workspace(self, *given: Any) -> Workspace:
        """The place of work of a step."""
        return Workspace(*given)


def prepare(
    raw: Sequence[Path],
    out: Path,
    settings: PreparationSettings | None = None,
    keep: bool = False,
    engine: Engine | None = None,
) -> dict[str, Any]:
    """Prepare raw files into the folder `out`, which `load_dataset` reads then; returns what `steps.json` holds.

    keep: leave the tables between the steps. engine: what runs them; default: this process. Raises a UserError for raw
    files that cannot be read, a disk that is too small, and settings that leave nothing; what is done is kept and used
    by the next start.
    """
    settings = settings or PreparationSettings()
    settings.check()
    files = find_raw_files(raw)
    if inside := [path for path in files if out.resolve() in path.resolve().parents]:
        raise UserError(f"{inside[0]} lies in {out}, where the data set is to be; choose another folder with --out")
    _check_memory()
    with held(out):
        return _prepare(files, out, settings, keep, engine or LocalEngine())


def is_up_to_date(raw: Sequence[Path], out: Path, settings: PreparationSettings) -> bool:
    """Whether a folder holds the data set that `prepare` would make of these files with these settings."""
    return bool(_before(out, _identity(find_raw_files(raw), settings))) and _is_complete(out)


def _before(out: Path, identity: str) -> dict[str, Any]:
    """What `steps.json` holds, of the same files and settings; empty otherwise."""
    found = read_steps(out / LIST)
    return found if found.get("identity") == identity else {}


def _is_complete(out: Path) -> bool:
    return len(read_steps(out / LIST).get("steps", [])) == len(TEN_STEPS) and bool(read_manifest(out))


def _prepare(files: list[Path], out: Path, settings: PreparationSettings, keep: bool, engine: Engine) -> dict[str, Any]:
    identity = _identity(files, settings)
    before = _before(out, identity)
    sweep(out)
    if before and _is_complete(out):
        log.info("%s is up to date: prepared before, from these files and with these settings", out)
        return before
    same_engine = before.get("engine", LocalEngine.name) == engine.name
    done, tables = _done(out, before.get("steps", []) if same_engine else [])
    if done:
        log.info("going on after step %d, %s", len(done), done[-1]["step"])
        if not keep:
            _delete_unneeded(out, tables, TEN_STEPS[len(done) :])
    else:
        shutil.rmtree(out / STEPS, ignore_errors=True)
        _check_disk(files, out)
    for number, step in enumerate(TEN_STEPS[len(done) :], len(done) + 1):
        notes = {entry["step"]: entry["notes"] for entry in done}
        fresh = new_folder(out / STEPS)
        work = engine.workspace(settings, files, out, tables, fresh, memory.limit(), notes, done)
        folder = out / STEPS / f"{number:02}_{step.name}"
        done = [*done, _run(step, engine.steps[step.name], work, folder)]
        tables = tables | {table: folder / table for table in step.writes if (folder / table).exists()}
        write_json(out / LIST, {"format": FORMAT, "identity": identity, "engine": engine.name, "steps": done})
        _tell(number, done[-1])
        if not keep:
            _delete_unneeded(out, tables, TEN_STEPS[number:])
    return read_steps(out / LIST)


def _run(step: Step, run: Callable[[Any], Outcome], work: Workspace, folder: Path) -> dict[str, Any]:
    """Run a step, whose tables then lie in the folder, and what `steps.json` says of it; an error leaves nothing."""
    try:
        with Meter() as meter:
            outcome = _ran(step, run, work)
    except BaseException:
        shutil.rmtree(work.fresh, ignore_errors=True)
        raise
    place(work.fresh, folder)
    return _entry(step, outcome, meter, folder)


def _ran(step: Step, run: Callable[[Any], Outcome], work: Workspace) -> Outcome:
    """What a step says of itself; a full disk becomes a sentence."""
    try:
        return run(work)
    except UserError:
        raise
    except Exception as error:
        if not (said := work.fault(error)):
            raise
        raise UserError(
            f"step {step.name} cannot go on in {work.out}: {said}, then start again: what is done is kept"
        ) from error


def _entry(step: Step, outcome: Outcome, meter: Meter, folder: Path) -> dict[str, Any]:
    return {
        "step": step.name,
        "rows_in": outcome.rows_in,
        "rows_out": outcome.rows_out,
        "units": list(step.units),
        "dropped": outcome.dropped,
        **meter.figures(),
        "notes": outcome.notes,
        "files": listed(folder),
    }


def _tell(number: int, entry: dict[str, Any]) -> None:
    reasons = ", ".join(f"{reason} {rows:,}" for reason, rows in entry["dropped"].items())
    units = " -> ".join(dict.fromkeys(entry["units"]))
    log.info(
        *("%2d %-23s %15s -> %15s %-15s %9.1f s %9s%s", number, entry["step"]),
        *(f"{entry['rows_in']:,}", f"{entry['rows_out']:,}", units, entry["seconds"]),
        *(memory.readable(entry["peak_mb"] * 1e6), f"   {reasons}" if reasons else ""),
    )
    for what, count in entry["notes"].get("repaired", {}).items():
        log.info("   repaired: %s: %s", what, f"{count:,}")


def _identity(files: Sequence[Path], settings: PreparationSettings) -> str:
    """Hash of all that the result depends on: the files by name, size and time, the settings, the format."""
    about = [(str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    content = json.dumps([FORMAT, about, dataclasses.asdict(settings)], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def _done(out: Path, entries: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], dict[str, Path]]:
    """The steps that need not be run again, and where the newest version of each table lies.

    The last step counts as done only with its data set, which the caller has looked for.
    """
    for count in range(min(len(entries), len(TEN_STEPS) - 1), 0, -1):
        tables: dict[str, Path] = {}
        for number, (entry, step) in enumerate(zip(entries[:count], TEN_STEPS, strict=False), 1):
            folder = out / STEPS / f"{number:02}_{step.name}"
            written = {name.split("/")[0] for name in entry["files"]}
            tables |= {table: folder / table for table in step.writes if table in written}
        needed = needed_later(TEN_STEPS[count:])
        lying = [tables[table] for table in needed if table in tables]
        if all(_is_whole(path, entries[:count]) for path in lying):
            return entries[:count], tables
    return [], {}


def needed_later(steps: Sequence[Step]) -> set[str]:
    """Tables that steps read before any of them writes them."""
    needed: set[str] = set()
    written: set[str] = set()
    for step in steps:
        needed |= set(step.reads) - written
        written |= set(step.writes)
    return needed


def _is_whole(table: Path, entries: Sequence[dict[str, Any]]) -> bool:
    folder = table.parent
    entry = entries[int(folder.name[:2]) - 1]
    files = {name: size for name, size in entry["files"].items() if name.split("/")[0] == table.name}
    return is_whole(folder, files)


def _delete_unneeded(out: Path, tables: dict[str, Path], later: Sequence[Step]) -> None:
    """Delete versions of tables that no later step reads."""
    kept = {tables[table] for table in needed_later(later) if table in tables}
    for folder in (out / STEPS).iterdir():
        if folder.is_file():  # the sample of a run that found no sound row
            folder.unlink()
            continue
        for table in folder.iterdir():
            if table not in kept:
                shutil.rmtree(table)
        if not any(folder.iterdir()):
            folder.rmdir()
    if not later:
        shutil.rmtree(out / STEPS, ignore_errors=True)


def space_needed(files: Sequence[Path]) -> int:
    """Bytes on disk that the preparation of some files may take at the most."""
    return sum(path.stat().st_size * SPACE.get(path.suffix.lower(), SPACE_OF_TEXT) for path in files)


def _check_memory() -> None:
    if memory.limit() < LEAST_MEMORY:
        raise UserError(
            f"the ten steps may take {memory.readable(memory.limit())} of memory, and need {LEAST_MEMORY_SAID} for the "
            f"program itself; give --memory {LEAST_MEMORY_SAID} or more"
        )


def _check_disk(files: Sequence[Path], out: Path) -> None:
    needed, free = space_needed(files), free_bytes(out)
    if needed > free:
        raise UserError(
            f"preparing these files may take {memory.readable(needed)} below {out}, and {memory.readable(free)} are "
            "free; free some space, or choose a folder on a larger disk with --out"
        )
