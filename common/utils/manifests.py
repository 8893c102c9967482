"""Manifests: JSON files, written last, that vouch for other files by size, time and SHA-256.

A file of up to `ALWAYS_HASHED` bytes is checked by its hash whenever it is used, a larger one by size and time, and by
its hash where the time differs or `hash_everything` is on. A hash is computed once for each state of a file.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from common.utils.errors import UserError
from common.utils.io import read_json, sha256_file, strict
from common.utils.temporary import is_being_swapped

FORMAT = 1
"""Raised when the content of manifests changes."""
ALWAYS_HASHED = 64 * 2**20
PATIENCE = 5.0
"""Seconds to wait for another process that replaces what is to be read."""
T = TypeVar("T")
_hashes: dict[tuple[int, ...], str] = {}
_settings = {"everything": False}


def hash_everything(on: bool) -> None:
    """Whether files of any size are checked by their hash (`--verify`)."""
    _settings["everything"] = on


def entries(folder: Path, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """What a manifest says of files in a folder: name -> size in bytes, mtime_ns, sha256."""
    return {name: _entry(folder / name) for name in names}


def _entry(path: Path) -> dict[str, Any]:
    return {"size": path.stat().st_size, "mtime_ns": path.stat().st_mtime_ns, "sha256": _sha256(path)}


def sealed(content: dict[str, Any]) -> dict[str, Any]:
    """The content of a manifest with its format and, as `seal`, the hash of all of it."""
    whole = strict({key: value for key, value in content.items() if key != "seal"} | {"format": FORMAT})
    return whole | {"seal": seal_of(whole)}


def seal_of(content: dict[str, Any]) -> str:
    """SHA-256 of all that a content holds beside its seal."""
    rest = {key: value for key, value in content.items() if key != "seal"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def is_intact(content: dict[str, Any]) -> bool:
    """Whether a content is as it was sealed; one of an earlier version, without a seal, counts as such."""
    return "seal" not in content or content["seal"] == seal_of(content)


def read_manifest(path: Path, remedy: str) -> dict[str, Any]:
    """A manifest. Raises a UserError, with the remedy, for one that is damaged or of a later version."""
    try:
        found = read_json(path)
    except UserError as error:
        if isinstance(error.__cause__, ValueError):
            raise UserError(f"{path} is damaged; {remedy}") from error
        raise
    if not isinstance(found, dict) or "seal" not in found or not is_intact(found):
        raise UserError(f"{path} is damaged; {remedy}")
    if found["format"] != FORMAT:
        raise UserError(f"{path} was written by another version; update, or {remedy}")
    return found


def fault(path: Path, entry: dict[str, Any]) -> str:
    """What is wrong with a file that a manifest vouches for; empty where nothing is."""
    try:
        found = path.stat()
        if found.st_size != entry["size"]:
            return f"has {found.st_size:,} bytes, not the {entry['size']:,} that were written"
        by_hash = found.st_size <= ALWAYS_HASHED or _settings["everything"] or found.st_mtime_ns != entry["mtime_ns"]
        if by_hash and _sha256(path) != entry["sha256"]:
            return "is not the file that was written there: changed, damaged, or another run's"
    except OSError as error:
        return "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
    except (KeyError, TypeError):
        return "is described by a damaged manifest"
    return ""


def _sha256(path: Path) -> str:
    """The hash of a file, kept for as long as the file is the same by number, size and times."""
    found = path.stat()
    state = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    if state not in _hashes:
        _hashes[state] = sha256_file(path)
    return _hashes[state]


def read_together(manifest: Path, read: Callable[[], T]) -> T:
    """What `read` gives of the files that a manifest vouches for, all of one state, though others write meanwhile.

    It is called again while another process replaces them. `read` raises a UserError for files that do not belong
    together.
    """
    end = time.monotonic() + PATIENCE
    while True:
        before = _identity(manifest)
        try:
            found = read()
            if _identity(manifest) == before:
                return found
        except UserError:
            unmoved = not is_being_swapped(manifest.parent) and _identity(manifest) == before
            if unmoved or time.monotonic() > end:
                raise
        if time.monotonic() > end:
            raise UserError(f"{manifest.parent} is being written over and over; wait for the other process to end")
        time.sleep(0.01)


def _identity(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError:
        return ()
    return (found.st_ino, found.st_size, found.st_mtime_ns)
