"""What stands in `manifest.json`: the format, hashes, row counts and repairs of prepared tables."""

import dataclasses
import hashlib
import json
import logging
from pathlib import Path
from typing import Any

import pandas as pd

from common.data.ids import sorted_ids
from common.data.synthetic.generator import SyntheticSettings
from common.data.tables import Repair, Tables
from common.utils.io import sha256_file

log = logging.getLogger(__name__)

READY_MADE = "ready_made"
"""Folder of the parts of a split that came with the data."""
FORMAT = 3
"""Raised when a reader or a table changes, so that older prepared files are made anew."""
SHAPE = {
    **dict.fromkeys(("dataset", "source", "sha256"), str),
    **dict.fromkeys(("format", "next_core"), int),
    **dict.fromkeys(("rows", "files", "notes"), dict),
    "repairs": list,
}
HASHED_ALWAYS = 64 * 2**20
"""Files of up to so many bytes are compared by their hash at every use, larger ones where their time is another."""


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest of prepared tables, None where there are none that are as they were written in today's format."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        return None
    if not all(isinstance(manifest.get(key), kind) for key, kind in SHAPE.items()):
        return None
    changed = [name for name, about in manifest["files"].items() if not _is_unchanged(folder / name, about)]
    if changed:
        log.warning("%s is not as it was prepared (cut, changed or gone)", folder / changed[0])
    return None if changed else manifest


def describe_file(path: Path) -> dict[str, Any]:
    """Size, time and hash of a file, by which a later change is seen."""
    about = path.stat()
    return {"bytes": about.st_size, "mtime_ns": about.st_mtime_ns, "sha256": sha256_file(path)}


def _is_unchanged(path: Path, written: Any) -> bool:
    try:
        about = path.stat()
        if about.st_size != written["bytes"]:
            return False
        same = about.st_mtime_ns == written["mtime_ns"] and about.st_size > HASHED_ALWAYS
        return same or sha256_file(path) == written["sha256"]
    except (OSError, KeyError, TypeError):
        return False


def without_unused_items(tables: Tables) -> Tables:
    """The tables without catalogue rows of items that have no interaction, counted as a repair."""
    used = tables.items["item_id"].isin(sorted_ids(tables.interactions["item_id"]))
    if used.all():
        return tables
    repair = Repair("items", "items that nobody has left out", int((~used).sum()))
    return dataclasses.replace(tables, items=tables.items[used], repairs=[*tables.repairs, repair])


def hash_frames(frames: dict[str, pd.DataFrame]) -> str:
    """SHA-256 over the content of some tables: names, columns and values, whatever the file format.

    >>> hash_frames({"a": pd.DataFrame({"x": ["1"]})}) == hash_frames({"a": pd.DataFrame({"x": ["2"]})})
    False
    """
    digest = hashlib.sha256()
    for name in sorted(frames):
        digest.update(f"{name}:{','.join(frames[name].columns)}\n".encode())
        digest.update(pd.util.hash_pandas_object(frames[name], index=False).to_numpy().tobytes())
    return digest.hexdigest()


def settings_hash(settings: SyntheticSettings) -> str:
    """What tells generated data sets of other settings apart: eight hexadecimal digits."""
    return hashlib.sha256(json.dumps(dataclasses.asdict(settings), sort_keys=True).encode()).hexdigest()[:8]
