"""Splits on disk: named, loaded, drawn if missing, written, hashed."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from common.data.dataset import Dataset
from common.data.ids import sorted_ids
from common.splits.mapped.drawing import PROTOCOL, write_drawing
from common.splits.mapped.split import MappedSplit
from common.splits.protocols import FITTED_ON_TRAIN, PROTOCOLS, draw_split
from common.splits.split import Split, hash_split
from common.utils.errors import LARGEST, UserError, check_known, short
from common.utils.io import read_json, read_parquet, sha256_file, write_json, write_parquet
from common.utils.manifests import is_intact, seal_of

FORMAT = 2
"""Raised when a protocol changes, so that older splits are drawn anew."""


def folder_name(protocol: str, split_seed: int = 0) -> str:
    """Folder of a protocol's split.

    >>> folder_name("listen"), folder_name("listen", 3)
    ('listen', 'listen-s3')
    """
    return protocol if split_seed == 0 else f"{protocol}-s{split_seed}"


def parse_folder_name(name: str) -> tuple[str, int]:
    """Protocol and split seed of a folder name.

    >>> parse_folder_name("next-shuffled-s2")
    ('next-shuffled', 2)
    """
    match = re.fullmatch(r"(.+?)(?:-s([1-9]\d*))?", name)
    protocol, seed = (match[1], match[2] or "0") if match else (name, "0")
    check_known("protocol", PROTOCOLS, protocol)
    if len(seed) > len(str(LARGEST)) or int(seed) > LARGEST:
        raise UserError(f"protocol {short(name)}: the split seed after -s goes up to {LARGEST:,}; give a smaller one")
    return protocol, int(seed)


def load_split(data: Dataset, protocol: str) -> Split:
    """The split of a protocol folder (`listen`, `next-s2`, ...), drawn first where it is missing or out of date."""
    name, seed = parse_folder_name(protocol)
    folder = data.folder / "splits" / protocol
    info = _read_info(folder / "split.json")
    if data.matrix is not None and name != PROTOCOL:
        raise UserError(f"data set {data.name!r} was cut in time when it was prepared; use --protocol {PROTOCOL}")
    if not _is_current(info, data):
        if data.matrix is None:
            write_split(folder, draw_split(data, name, seed), data, name, seed)
        else:
            write_drawing(folder, data, seed, FORMAT)
        info = read_json(folder / "split.json")
    assert info is not None
    for file, expected in info["files"].items():
        if sha256_file(folder / file) != expected:
            raise UserError(f"{folder / file} was changed since it was drawn; delete {folder} to redraw it")
    if data.matrix is not None:
        return MappedSplit(data, folder, info)
    frames = {file.split(".")[0]: read_parquet(folder / file) for file in info["files"]}
    return Split(**frames, info=info, fits_valid=name not in FITTED_ON_TRAIN)


def is_drawn(data: Dataset, protocol: str) -> bool:
    """Whether the split of a protocol folder lies there, drawn from these very data."""
    return _is_current(_read_info(data.folder / "splits" / protocol / "split.json"), data)


def _is_current(info: dict[str, Any] | None, data: Dataset) -> bool:
    if not info or (info.get("format"), info.get("data_sha256")) != (FORMAT, data.sha256):
        return False
    return not _is_resized(info, data)


def _is_resized(info: dict[str, Any], data: Dataset) -> bool:
    """Whether another number of users is to be evaluated than the split was drawn for."""
    return data.test_users is not None and info.get("test_users", data.test_users) != data.test_users


def _read_info(path: Path) -> dict[str, Any] | None:
    """`split.json`; None where it is missing, damaged or of another shape, or a file that it names is gone."""
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
        sound = (
            is_intact(info) and info["split_sha256"] and all((path.parent / file).exists() for file in info["files"])
        )
        return info if sound else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def write_split(folder: Path, split: Split, data: Dataset, protocol: str, seed: int) -> None:
    """Write the parts and, last, `split.json` with protocol, seed, counts and hashes."""
    frames = {**split.parts(), "negatives99": split.negatives99}
    for name, frame in frames.items():
        write_parquet(folder / f"{name}.parquet", frame)
    parts = split.parts().values()
    info = {
        "dataset": data.name,
        "format": FORMAT,
        "protocol": protocol,
        "split_seed": seed,
        "data_sha256": data.sha256,
        "split_sha256": hash_split(frames),
        "users": len(np.unique(np.concatenate([sorted_ids(part["user_id"]) for part in parts]))),
        "items": len(split.catalogue()),
        "rows": {name: len(frame) for name, frame in frames.items()},
        "files": {f"{name}.parquet": sha256_file(folder / f"{name}.parquet") for name in frames},
    }
    write_json(folder / "split.json", info | {"seal": seal_of(info)})
