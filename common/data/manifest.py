"""What stands in `manifest.json`: the format, hashes, row counts and repairs of prepared tables."""

import dataclasses
import hashlib
import json
import logging
from pathlib import Path
from typing import Any

import pandas as pd

from common.data.ids import sorted_ids
from common.data.synthetic.settings import SyntheticSettings
from common.data.tables import Repair, Tables
from common.utils.manifests import fault
from common.utils.settings import kept_values

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
    for name, entry in manifest["files"].items():
        if wrong := fault(folder / name, entry):
            log.warning("%s %s: the tables are prepared anew", folder / name, wrong)
            return None
    return manifest


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
    return hashlib.sha256(json.dumps(kept_values(settings), sort_keys=True).encode()).hexdigest()[:8]
