"""A generated log of listening events as programs write them, and a ledger of everything that was planted in it."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from common.data.synthetic.raw.files import file_name, write_file
from common.data.synthetic.raw.ledger import count, find_cut
from common.data.synthetic.raw.texts import Texts
from common.data.synthetic.raw.world import RawLogSettings, World, build_world
from common.utils.io import read_json, write_json

LEDGER, NOTES = "ledger.json", ".ledger"
"""The ledger, and the folder with what each file's counts are; names that begin with a dot are no raw files."""


def generate_logs(settings: RawLogSettings, folder: Path) -> dict[str, Any]:
    """Write the files of a log that `folder` does not hold yet, and its ledger; returns the ledger.

    About 60 bytes per row of one file are in memory. Every file depends on the settings and its number alone. A folder
    that holds files of other settings is for the caller to empty.
    """
    world = build_world(settings)
    texts = Texts(world)
    for file in missing_files(world, folder):
        write_one(world, texts, file, folder)
    ledger = make_ledger(world, folder, find_cut(world))
    write_json(ledger_of(folder), ledger)
    return ledger


def ledger_of(folder: Path) -> Path:
    """Where the ledger of a log lies: beside its folder, as all JSON in the folder would be read as a log."""
    return folder.with_name(f"{folder.name}-{LEDGER}")


def missing_files(world: World, folder: Path) -> list[int]:
    """The files that are not there, or not as their note says."""
    return [file for file in range(world.files) if not _is_there(world, file, folder)]


def _is_there(world: World, file: int, folder: Path) -> bool:
    path, note = folder / file_name(world, file), _note(world, file, folder)
    return path.exists() and note.exists() and path.stat().st_size == read_json(note)["bytes"]


def _note(world: World, file: int, folder: Path) -> Path:
    return folder / NOTES / f"{file_name(world, file)}.json"


def write_one(world: World, texts: Texts, file: int, folder: Path) -> dict[str, Any]:
    """Write one file and the note with its counts; returns the note."""
    note = write_file(world, texts, file, folder)
    write_json(_note(world, file, folder), note)
    return note


def make_ledger(world: World, folder: Path, cut: tuple[int, int]) -> dict[str, Any]:
    """The ledger of files that are all written: see `ledger.count`, and what is broken by fault."""
    notes = [read_json(_note(world, file, folder)) for file in range(world.files)]
    broken = _summed(note["broken"] for note in notes)
    rows = sum(note["rows"] for note in notes)
    counted = count(world, cut)
    return {
        "settings": vars(world.settings),
        "users": world.users,
        "tracks": world.tracks,
        "bytes": sum(note["bytes"] for note in notes),
        "scan": {"rows": rows, "files": len(notes)},
        "validate": {"dropped": broken, "rows": rows - sum(broken.values())},
        **counted,
    }


def _summed(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for found in counts:
        for name, value in found.items():
            total[name] = total.get(name, 0) + value
    return total
