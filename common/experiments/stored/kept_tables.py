"""Tables beside runs, such as what a grid has tried: `<name>.json` vouches for `<name>.parquet`.

It says what the table was made of, too: one of other data or settings is not shown as if it were of these.
"""

from pathlib import Path
from typing import Any

import pandas as pd

from common.experiments.stored.run_files import tell
from common.utils.errors import UserError
from common.utils.io import display, read_parquet, strict, write_json, write_parquet
from common.utils.manifests import entries, fault, read_manifest, sealed
from common.utils.temporary import swapped_in


def write_kept(path: Path, frame: pd.DataFrame, made_of: dict[str, Any]) -> None:
    """Write a table and what vouches for it, both at once. made_of: all that it depends on, as JSON."""
    with swapped_in(path.parent) as fresh:
        write_parquet(fresh / path.name, frame)
        content = {"made_of": made_of, "files": entries(fresh, [path.name])}
        write_json(fresh / path.with_suffix(".json").name, sealed(content))


def read_kept(path: Path, made_of: dict[str, Any], remedy: str) -> pd.DataFrame | None:
    """A table as it was written; None where there is none. One that is not sound, or of something else, is None too,
    and a warning names it with the remedy."""
    if not path.exists():
        return None
    try:
        _check(path, made_of, remedy)
        return read_parquet(path)
    except UserError as error:
        tell(f"left out: {error}")
        return None


def _check(path: Path, made_of: dict[str, Any], remedy: str) -> None:
    manifest = path.with_suffix(".json")
    if not manifest.exists():
        raise UserError(f"nothing vouches for {display(path)}; {remedy}")
    content = read_manifest(manifest, remedy)
    files = content.get("files")
    entry = files.get(path.name, {}) if isinstance(files, dict) else {}
    if wrong := fault(path, entry):
        raise UserError(f"{display(path)} {wrong}; {remedy}")
    if content.get("made_of") != strict(made_of):
        raise UserError(f"{display(path)} is of other data or settings; {remedy}")
