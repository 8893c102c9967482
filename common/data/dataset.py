"""A prepared data set: its tables under `data/<dataset>/`, made first where they are missing."""

import dataclasses
import logging
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from common.data.manifest import FORMAT, READY_MADE, hash_frames, read_manifest, without_unused_items
from common.data.matrix_files import MATRIX, MatrixFiles, is_matrix_folder, read_matrix_manifest
from common.data.preparation.raw_folder import is_raw_folder, prepare_raw_folder
from common.data.reading.schema import REFUSE
from common.data.sources.large_logs.out_of_core import is_prepared
from common.data.sources.registry import SOURCES, SYNTHETIC, choose_dataset, resolve_name, source_of, without_mark
from common.data.synthetic.settings import SyntheticSettings
from common.data.tables import Tables
from common.utils.errors import UserError
from common.utils.io import ROOT, read_json, read_parquet, write_json, write_parquet
from common.utils.manifests import entries

PLACE = "folder.json"
"""Says below `data_dir` where a folder of matrix form lies, for those who know its name alone."""
MOST_SHOWN = 5_000_000
"""Of more pairs in matrices, figures show those of some users, about so many."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Dataset:
    """A prepared data set: its name, its folder, its manifest, and its tables, read when first used."""

    name: str
    folder: Path
    manifest: dict[str, Any]
    test_users: int | None = None
    """At most so many users are evaluated in a folder of matrix form; None: as its split was drawn before."""

    @cached_property
    def matrix(self) -> MatrixFiles | None:
        """The arrays of a folder of matrix form, None for tables."""
        return MatrixFiles(self.folder, self.manifest) if self.manifest.get("form") == MATRIX else None

    @cached_property
    def tables(self) -> Tables:
        """The prepared tables; one that the source lacks is None. Refused for matrices too large for tables."""
        if self.matrix is not None:
            return self.matrix.tables()
        frames: dict[str, Any] = {name: read_parquet(self.folder / f"{name}.parquet") for name in self.manifest["rows"]}
        return Tables(**frames)

    @cached_property
    def shown(self) -> Tables:
        """The tables, of a large folder of matrix form those of some users: what figures are drawn from."""
        if self.matrix is None:
            return self.tables
        some = self.matrix.some_users(MOST_SHOWN)
        if len(some) < len(self.matrix.users):
            log.info("figures are of %s of %s users, drawn at random", f"{len(some):,}", f"{len(self.matrix.users):,}")
        return self.matrix.tables(some)

    @cached_property
    def predefined(self) -> dict[str, pd.DataFrame]:
        """Parts of a split that came with the data, by name (train, test, ...); empty where Encore draws the split."""
        return {
            part: read_parquet(self.folder / READY_MADE / f"{part}.parquet")
            for part in self.manifest.get(READY_MADE, [])
        }

    @property
    def protocol(self) -> str:
        """The protocol to begin with: `temporal` for logs that were cut in time when prepared, else `listen`."""
        return "listen" if self.matrix is None else "temporal"

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


def load_dataset(
    name: str = "auto",
    data_dir: Path | str = ROOT / "data",
    synthetic: SyntheticSettings | None = None,
    missing: str | None = None,
    test_users: int | None = None,
) -> Dataset:
    """The prepared data set, made first where it is missing or damaged, or where its source has changed.

    name: `lastfm-2k` or another of `sources.registry`, `synthetic`, a folder of one's own (tables, raw logs with a
    `raw.toml`, or one that `prepare` wrote), or `auto`: `lastfm-2k` where its files are, else `synthetic`. A name that
    ends in `-deduplicated`: the same with the spellings of each artist made one (`--deduplicate`).
    synthetic: size and seed of the generated data. missing: what becomes of rows of a folder that lack an id: `refuse`,
    `drop` or `keep`; None: as the tables were prepared before, else `refuse`. test_users: of a folder of matrix form at
    most so many users are evaluated. Raises UserError naming what is wrong with the source.
    """
    synthetic, data_dir = synthetic or SyntheticSettings(), Path(data_dir)
    kind = choose_dataset(name, data_dir) if without_mark(name)[0] == "auto" else name
    name = resolve_name(kind, data_dir, synthetic)
    folder = folder_of(kind, data_dir, synthetic)
    _refuse_again(kind)
    if kind in SOURCES and (prepare := SOURCES[kind].prepare) and not is_prepared(folder):
        prepare(data_dir, folder)
    if kind not in (*SOURCES, SYNTHETIC) and is_raw_folder(Path(kind)):
        prepare_raw_folder(Path(kind), folder)
    if is_matrix_folder(folder):
        if folder != data_dir / name and stored_at(name, data_dir) != folder.resolve():
            write_json(data_dir / name / PLACE, {"folder": str(folder.resolve())})
        return Dataset(name, folder, read_matrix_manifest(folder), test_users)
    manifest = read_manifest(folder)
    missing = missing_of(kind, folder, missing)
    source = source_of(kind, synthetic, missing)
    fingerprint = source.fingerprint(data_dir)
    if manifest and fingerprint in (None, manifest["source"]) and missing == manifest.get("missing", missing):
        return Dataset(name, folder, manifest)
    tables = source.read(data_dir)
    for warning in tables.notes.get("warnings", []):  # type: ignore[attr-defined]
        log.warning("%s", warning)
    data = write_dataset(name, folder, tables, fingerprint or "", source.next_core, missing)
    for repair in data.manifest["repairs"]:
        log.info("repaired in %s, %s rows: %s", repair["table"], f"{repair['rows']:,}", repair["what"])
    return data


def _refuse_again(kind: str) -> None:
    """Refuse to deduplicate the artists of logs that the ten steps prepare."""
    plain, marked = without_mark(kind)
    folder = Path(plain)
    prepared = SOURCES[plain].prepare if plain in SOURCES else is_raw_folder(folder) or is_matrix_folder(folder)
    if marked and prepared:
        raise UserError(f"{plain}: the ten steps make the spellings of an artist one anyway; leave --deduplicate out")


def folder_of(kind: str, data_dir: Path, synthetic: SyntheticSettings | None = None) -> Path:
    """The folder of the prepared files: below `data_dir`, but for a folder of matrix form, which is one itself."""
    own = without_mark(kind)[0] not in ("auto", *SOURCES, SYNTHETIC) and is_matrix_folder(Path(kind))
    return Path(kind) if own else data_dir / resolve_name(kind, data_dir, synthetic)


def stored_at(name: str, data_dir: Path) -> Path:
    """The folder of the prepared files of a data set by its name, those of a folder of matrix form where it lies."""
    try:
        return Path(read_json(data_dir / name / PLACE)["folder"])
    except (UserError, KeyError, TypeError):
        return data_dir / name


def missing_of(kind: str, folder: Path, missing: str | None) -> str:
    """What becomes of rows without an id: as asked, else as before; of a folder of one's own alone."""
    if without_mark(kind)[0] in (*SOURCES, SYNTHETIC):
        return REFUSE
    return missing or (read_manifest(folder) or {}).get("missing", REFUSE)


def write_dataset(
    name: str, folder: Path, tables: Tables, source: str, next_core: int = 1, missing: str = REFUSE
) -> Dataset:
    """Write the tables and, last, the manifest that makes them valid. Items without interactions are left out."""
    tables = without_unused_items(tables)
    frames = tables.frames()
    predefined = {f"{READY_MADE}/{part}": frame for part, frame in tables.predefined.items()}
    for table, frame in (frames | predefined | tables.reviews).items():
        write_parquet(folder / f"{table}.parquet", frame)
    manifest = {
        "dataset": name,
        "format": FORMAT,
        "source": source,
        "sha256": hash_frames(frames | predefined),
        "next_core": next_core,
        "missing": missing,
        "rows": {table: len(frame) for table, frame in frames.items()},
        "files": entries(folder, (f"{table}.parquet" for table in frames | predefined | tables.reviews)),
        "repairs": [dataclasses.asdict(repair) for repair in tables.repairs],
        "notes": tables.notes,
    }
    if predefined:
        manifest[READY_MADE] = list(tables.predefined)
    write_json(folder / "manifest.json", manifest)
    return Dataset(name, folder, read_json(folder / "manifest.json"))
