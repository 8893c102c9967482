"""A prepared data set: its tables under `data/<dataset>/`, made first where they are missing."""

import dataclasses
import logging
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from common.data.manifest import FORMAT, READY_MADE, hash_frames, read_manifest, without_unheard_items
from common.data.sources.registry import LASTFM, SYNTHETIC, choose_dataset, read_source, resolve_name, source_hash
from common.data.synthetic.generator import SyntheticSettings
from common.data.tables import Tables
from common.utils.io import read_json, read_parquet, write_json, write_parquet

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Dataset:
    """A prepared data set: its name, its folder, its manifest, and its tables read when first asked for."""

    name: str
    folder: Path
    manifest: dict[str, Any]

    @cached_property
    def tables(self) -> Tables:
        """The prepared tables; one that the source lacks is None."""
        frames: dict[str, Any] = {name: read_parquet(self.folder / f"{name}.parquet") for name in self.manifest["rows"]}
        return Tables(**frames)

    @cached_property
    def predefined(self) -> dict[str, pd.DataFrame]:
        """Parts of the user's own split by name (train, test, ...); empty where Encore draws the split."""
        return {
            part: read_parquet(self.folder / READY_MADE / f"{part}.parquet")
            for part in self.manifest.get(READY_MADE, [])
        }

    @property
    def presets(self) -> str:
        """Name of the file in presets/: generated data share one, whatever their size."""
        return SYNTHETIC if self.name.startswith(f"{SYNTHETIC}-") else self.name

    @property
    def sha256(self) -> str:
        """Hash of the tables' content."""
        return self.manifest["sha256"]

    @property
    def next_core(self) -> int:
        """Least events per user and per item in protocol `next` (k-core); 1 where no core is applied."""
        return self.manifest["next_core"]


def load_dataset(name: str, data_dir: Path, synthetic: SyntheticSettings | None = None) -> Dataset:
    """The prepared data set, made first where it is missing or where its source has changed."""
    synthetic = synthetic or SyntheticSettings()
    kind = choose_dataset(name, data_dir) if name == "auto" else name
    name = resolve_name(kind, data_dir, synthetic)
    folder = data_dir / name
    source = source_hash(kind, data_dir, synthetic)
    manifest = read_manifest(folder)
    if manifest and source in (None, manifest["source"]):
        return Dataset(name, folder, manifest)
    tables = read_source(kind, data_dir, synthetic)
    for warning in tables.notes.get("warnings", []):  # type: ignore[attr-defined]
        log.warning("%s", warning)
    return write_dataset(name, folder, tables, source or "", next_core=5 if name == LASTFM else 1)


def write_dataset(name: str, folder: Path, tables: Tables, source: str, next_core: int = 1) -> Dataset:
    """Write the tables and, last, the manifest that makes them valid. Items that nobody has are left out."""
    tables = without_unheard_items(tables)
    frames = tables.frames()
    ready = {f"{READY_MADE}/{part}": frame for part, frame in tables.predefined.items()}
    for table, frame in (frames | ready).items():
        write_parquet(folder / f"{table}.parquet", frame)
    manifest = {
        "dataset": name,
        "format": FORMAT,
        "source": source,
        "sha256": hash_frames(frames | ready),
        "next_core": next_core,
        "rows": {table: len(frame) for table, frame in frames.items()},
        "repairs": [dataclasses.asdict(repair) for repair in tables.repairs],
        "notes": tables.notes,
    }
    if ready:
        manifest[READY_MADE] = list(tables.predefined)
    write_json(folder / "manifest.json", manifest)
    return Dataset(name, folder, read_json(folder / "manifest.json"))
