"""A data set's store: looked up by name or id in milliseconds, and where likes and dislikes are kept."""

from pathlib import Path
from typing import Any

from common.serving.store.catalogue import CatalogueTables, Sources, rows_of
from common.serving.store.database import PATIENCE, Database, Place
from common.serving.store.feedback import Feedback
from common.serving.store.impressions import Impressions
from common.serving.store.postgres import PostgresServer
from common.serving.store.sqlite import SQLiteFile
from common.utils.errors import UserError
from common.utils.io import read_json


class Store:
    """An open store: `data`, the tables of the data; `feedback`, likes and dislikes; `impressions`, lists shown."""

    def __init__(self, place: Path | Place, patience: float = PATIENCE) -> None:
        self.database = Database(place, patience)
        self.data, self.feedback = CatalogueTables(self.database), Feedback(self.database)
        self.impressions = Impressions(self.database)

    def close(self) -> None:
        """Close its connections."""
        self.database.close()

    def __enter__(self) -> "Store":
        """The store itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close its connections."""
        self.close()


def place_of(store: str, output_dir: Path, dataset: str) -> Place:
    """Where the store of a data set is: in the database that `--store` names, or in a file; a UserError for others."""
    return PostgresServer.parse(store, dataset) if store else SQLiteFile(output_dir / dataset / "library.sqlite")


def open_store(
    dataset: str, protocol: str, data_dir: Path, output_dir: Path, synthetic: Any = None, store: str = ""
) -> Store:
    """The store of a data set (its resolved name or an own folder), with the rows of a protocol folder (`listen`).

    Prepared data and the split are made first where they are missing; rows that come from older ones are replaced.
    """
    from common.data.dataset import folder_of, load_dataset
    from common.data.sources.registry import resolve_name

    name = resolve_name(dataset, data_dir, synthetic)
    opened = Store(place_of(store, output_dir, name))
    sources = _sources(folder_of(dataset, data_dir, synthetic), protocol)
    if sources and opened.data.holds(protocol, sources):
        return opened
    from common.splits.train_view import load_train_view

    data = load_dataset(dataset, data_dir, synthetic)
    train = load_train_view(data, protocol, "final")
    opened.data.build(protocol, Sources(data.sha256, train.split_sha256), rows_of(train))
    return opened


def _sources(folder: Path, protocol: str) -> Sources | None:
    """What the prepared files say they are; None where there are none yet."""
    manifest, split = folder / "manifest.json", folder / "splits" / protocol / "split.json"
    if not (manifest.exists() and split.exists()):
        return None
    found = [_text(manifest, "sha256"), _text(split, "split_sha256")]
    return Sources(*found) if all(found) else None


def _text(path: Path, key: str) -> str:
    """A text in a JSON file; empty where it has none, since then the file is made anew."""
    try:
        value = read_json(path)[key]
    except (UserError, KeyError, TypeError, IndexError):
        return ""
    return value if isinstance(value, str) else ""
