"""Whether two folders of outputs hold the same results: everything but times, memory, commits and figures."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd

PASSING = ("seconds", "_ms_", "per_second", "rss_mb", "gpu_mb", "commit", "dirty", "mtime", "seal", "files")
"""Parts of keys that differ between two runs of one command."""
COMPARED = (".json", ".parquet", ".npz", ".safetensors", ".skops")
LEFT_OUT = ("manifest.json", "log.txt", "leaderboard.json")
"""Files of times alone, or of what stands in the others."""
FOLDERS = ("figures", "training", "table", "wandb", "wandb-data")


def contents(outputs: Path) -> dict[str, Any]:
    """What every compared file under a folder holds, by its name below the folder."""
    return {
        path.relative_to(outputs).as_posix(): content_of(path)
        for path in sorted(outputs.rglob("*"))
        if path.suffix in COMPARED and path.name not in LEFT_OUT and not {*path.parts} & {*FOLDERS}
    }


def content_of(path: Path) -> Any:
    """What a file holds, without what passes."""
    if path.suffix == ".json":
        return lasting(json.loads(path.read_text(encoding="utf-8")))
    if path.suffix == ".parquet":
        frame = pd.read_parquet(path)
        kept = [name for name in frame if not any(part in str(name) for part in PASSING)]
        return frame[kept].astype(str).to_csv(index=False)
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:  # skops names its arrays, and counts them in its schema, by chance
            found = [info for info in archive.infolist() if info.filename != "schema.json"]
        return sorted((info.filename if path.suffix == ".npz" else "", info.CRC) for info in found)
    return path.read_bytes()


def lasting(content: Any) -> Any:
    """JSON without the keys of times, memory and commits."""
    if isinstance(content, dict):
        return {k: lasting(v) for k, v in content.items() if not any(part in k for part in PASSING)}
    return [lasting(value) for value in content] if isinstance(content, list) else content


def differences(one: Path, other: Path) -> list[str]:
    """Names of files that only one of two folders has, or that differ."""
    first, second = contents(one), contents(other)
    return sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))


def leftovers(folder: Path) -> list[str]:
    """Unfinished files under a folder."""
    return [path.name for path in folder.rglob(".*") if "@" in path.name]
