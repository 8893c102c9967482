"""From raw files (or the generator) to prepared tables under `data/<dataset>/`, and back into memory."""

import dataclasses
import hashlib
import json
import logging
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from common.data.download import LASTFM_FOLDER, SPOTIFY_FILE, download
from common.data.ids import sorted_ids
from common.data.lastfm_spotify import read_lastfm_spotify
from common.data.own_folder import fingerprint, own_name, read_own_folder
from common.data.synthetic import SyntheticSettings, generate
from common.data.tables import Repair, Tables
from common.errors import UserError
from common.files import read_json, read_parquet, write_json, write_parquet

ROOT = Path(__file__).resolve().parents[2]
LASTFM, SYNTHETIC = "lastfm-2k", "synthetic"
READY_MADE = "ready_made"
"""Folder of the parts of a split that the user has made."""
FORMAT = 2
"""Raised when a reader or a table changes, so that older prepared files are made anew."""

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
    def ready_made(self) -> dict[str, pd.DataFrame]:
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


def find_sources(data_dir: Path) -> tuple[Path, Path] | None:
    """Folder of the Last.fm files and the Spotify file, under `$MUSIC_DATA`, else `<data_dir>/raw`; None if absent."""
    named = os.environ.get("MUSIC_DATA")
    if named and not Path(named).is_dir():
        raise UserError(f"MUSIC_DATA names {named}, which is no folder; correct it or unset it")
    for root in [Path(named), data_dir / "raw"] if named else [data_dir / "raw"]:
        if (root / LASTFM_FOLDER).is_dir() and (root / SPOTIFY_FILE).is_file():
            return root / LASTFM_FOLDER, root / SPOTIFY_FILE
    return None


def is_at_hand(data_dir: Path) -> bool:
    """Whether `lastfm-2k` can be had without the network: from its files or from its prepared tables."""
    return find_sources(data_dir) is not None or _prepared(data_dir / LASTFM) is not None


def choose_dataset(name: str, data_dir: Path, may_download: bool = False) -> str:
    """A `--dataset` value with `auto` decided, after an attempt to download `lastfm-2k` where that is wanted.

    `auto` is `lastfm-2k` if its files or its prepared tables are there or can be downloaded, else `synthetic`, with
    a notice. Raises UserError where `lastfm-2k` is asked for by name and cannot be had.
    """
    if name not in ("auto", LASTFM) or is_at_hand(data_dir):
        return LASTFM if name == "auto" else name
    reason = "nothing was to be downloaded"
    if may_download:
        try:
            download(data_dir)
            return LASTFM
        except UserError as failure:
            reason = str(failure)
    if name == LASTFM:
        raise _missing_sources(data_dir, reason)
    log.warning(
        "\n%s\n  NO REAL DATA: neither $MUSIC_DATA nor %s holds %s and %s,\n  and %s.\n"
        "  Going on with the generated data set 'synthetic'. Its figures say nothing about real listeners.\n%s",
        *("!" * 100, data_dir / "raw", LASTFM_FOLDER, SPOTIFY_FILE, reason, "!" * 100),
    )
    return SYNTHETIC


def _missing_sources(data_dir: Path, reason: str) -> UserError:
    return UserError(
        f"data set {LASTFM!r} needs {LASTFM_FOLDER}/ and {SPOTIFY_FILE} ({reason}): put them under "
        f"{data_dir / 'raw'} or point MUSIC_DATA at the folder that holds them, or choose --dataset synthetic"
    )


def resolve_name(name: str, data_dir: Path, synthetic: SyntheticSettings | None = None) -> str:
    """The name of the data set, and of its folders, that a `--dataset` value means.

    A generator of another size or seed, and every own folder, has a name of its own, so that two never mix.
    """
    name = choose_dataset(name, data_dir) if name == "auto" else name
    if name == SYNTHETIC and synthetic not in (None, SyntheticSettings()):
        return f"{SYNTHETIC}-{synthetic.users}x{synthetic.items}-{_settings_hash(synthetic)}"
    return name if name in (LASTFM, SYNTHETIC) else own_name(Path(name), ["auto", LASTFM, SYNTHETIC])


def load_dataset(name: str, data_dir: Path, synthetic: SyntheticSettings | None = None) -> Dataset:
    """The prepared data set, made first where it is missing or where its source has changed."""
    synthetic = synthetic or SyntheticSettings()
    kind = choose_dataset(name, data_dir) if name == "auto" else name
    name = resolve_name(kind, data_dir, synthetic)
    folder = data_dir / name
    source = _source_hash(kind, data_dir, synthetic)
    manifest = _prepared(folder)
    if manifest and source in (None, manifest["source"]):
        return Dataset(name, folder, manifest)
    tables = _read(kind, data_dir, synthetic)
    for warning in tables.notes.get("warnings", []):  # type: ignore[attr-defined]
        log.warning("%s", warning)
    return write_dataset(name, folder, tables, source or "", next_core=5 if name == LASTFM else 1)


def _prepared(folder: Path) -> dict[str, Any] | None:
    """The manifest of prepared tables, None where there are none of today's format."""
    manifest = read_json(folder / "manifest.json") if (folder / "manifest.json").exists() else None
    if not manifest or manifest["format"] != FORMAT:
        return None
    whole = all((folder / f"{table}.parquet").exists() for table in manifest["rows"])
    return manifest if whole else None


def _read(kind: str, data_dir: Path, synthetic: SyntheticSettings) -> Tables:
    if kind == SYNTHETIC:
        return generate(synthetic)
    if kind != LASTFM:
        return read_own_folder(Path(kind))
    sources = find_sources(data_dir)
    if sources is None:
        raise _missing_sources(data_dir, "they are not there")
    return read_lastfm_spotify(*sources)


def _source_hash(kind: str, data_dir: Path, synthetic: SyntheticSettings) -> str | None:
    """What the prepared tables were made from; None where only they are at hand."""
    if kind == SYNTHETIC:
        return _settings_hash(synthetic)
    return _lastfm_source(data_dir) if kind == LASTFM else fingerprint(Path(kind))


def write_dataset(name: str, folder: Path, tables: Tables, source: str, next_core: int = 1) -> Dataset:
    """Write the tables and, last, the manifest that makes them valid. Items that nobody has are left out."""
    tables = without_unheard_items(tables)
    frames = tables.frames()
    ready = {f"{READY_MADE}/{part}": frame for part, frame in tables.ready_made.items()}
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
        manifest[READY_MADE] = list(tables.ready_made)
    write_json(folder / "manifest.json", manifest)
    return Dataset(name, folder, read_json(folder / "manifest.json"))


def without_unheard_items(tables: Tables) -> Tables:
    """The tables without catalogue rows of items that no interaction names, counted as a repair."""
    heard = tables.items["item_id"].isin(sorted_ids(tables.interactions["item_id"]))
    if heard.all():
        return tables
    repair = Repair("items", "items that nobody has left out", int((~heard).sum()))
    return dataclasses.replace(tables, items=tables.items[heard], repairs=[*tables.repairs, repair])


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


def _lastfm_source(data_dir: Path) -> str | None:
    """Hash of the raw files, or None where only the prepared tables are at hand."""
    sources = find_sources(data_dir)
    if sources is None:
        return None
    digest = hashlib.sha256()
    for path in [*sorted(sources[0].glob("*.dat")), sources[1]]:
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _settings_hash(settings: SyntheticSettings) -> str:
    return hashlib.sha256(json.dumps(dataclasses.asdict(settings), sort_keys=True).encode()).hexdigest()[:8]
