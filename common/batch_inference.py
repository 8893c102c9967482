"""Lists for many people at once, through the index that stage 5 has kept:

    python -m common.batch_inference --run outputs/lastfm-2k/listen/two_tower/tuned/seed0 --output lists.parquet
    python -m common.batch_inference --run ... --histories people.csv -k 50 --output lists.parquet

`people.csv` (or .tsv, .parquet) holds user_id and item_id: the histories of people whom the model may never have seen.
Without it everybody whom the model knows gets a list. The lists go into the file batch by batch: memory holds one.
"""

import logging
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import tyro
from tqdm import tqdm

from common.command_line import DataSettings, command, parse
from common.data.histories import Histories
from common.data.ids import PAIR, codes_of
from common.data.own_files import SUFFIXES, read_table
from common.data.prepare import Dataset, load_dataset
from common.data.splits import folder_name
from common.data.visible import Visible, visible
from common.errors import UserError
from common.files import atomic, display, read_json
from common.models.two_tower import TwoTower
from common.retrieval import Index

SCHEMA = pa.schema([("user_id", pa.string()), ("rank", pa.int32()), ("item_id", pa.string()), ("score", pa.float32())])
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings(DataSettings):
    """Write lists for many people into a parquet file: user_id, rank, item_id, score."""

    run: Path = Path("outputs/lastfm-2k/listen/two_tower/tuned/seed0")
    """Folder of a finished run of 5_two_tower.py: holds model/ and index/."""
    histories: Path | None = None
    """Table of user_id and item_id; without it everybody whom the model knows."""
    k: Annotated[int, tyro.conf.arg(aliases=["-k"])] = 100
    """Length of a list; a catalogue that has fewer new items for somebody gives fewer."""
    batch: int = 4096
    """People at once."""
    output: Path = Path("lists.parquet")
    """The file to write, whole or not at all."""

    def check(self) -> None:
        """Raise a UserError for the first flag that makes no sense."""
        super().check()
        for flag in ("k", "batch"):
            if getattr(self, flag) < 1:
                raise UserError(f"--{flag} {getattr(self, flag)}: give 1 or more")
        if self.output.suffix != ".parquet":
            raise UserError(f"--output {self.output}: lists are written as parquet; give a name that ends in .parquet")
        if self.histories is not None and self.histories.suffix not in SUFFIXES:
            raise UserError(f"--histories {self.histories}: give a file that ends in {', '.join(SUFFIXES)}")


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Load, look up, write."""
    settings = parse(Settings, argv)
    data = load_dataset(settings.dataset, settings.data_dir, settings.synthetic)
    config = read_json(settings.run / "config.json")
    if config.get("dataset") != data.name:
        raise UserError(
            f"{settings.run} is a run on {config.get('dataset')!r}, not on {data.name!r}; name its --dataset"
        )
    seen = shown_to(settings.run, config, data)
    model = TwoTower.load(settings.run / "model", seen.catalogue_sha256)
    index = Index.load(settings.run / "index", model.item_vectors())
    if settings.histories is None:
        users, histories = seen.users["user_id"].to_numpy(object), model.histories
    else:
        users, histories = read_histories(settings.histories, seen)
    start = time.perf_counter()
    rows = write_lists(settings.output, lists(model, index, users, histories, settings, seen))
    seconds = time.perf_counter() - start
    log.info(
        "%s lists, %s rows, %.0f people a second: %s",
        f"{len(users):,}",
        f"{rows:,}",
        len(users) / seconds,
        display(settings.output),
    )


def shown_to(run: Path, config: dict[str, Any], data: Dataset) -> Visible:
    """What the model of a run was fitted on: what `final` shows, or `select` where the run stopped before test.

    Raises a UserError if the data or the split are no longer those of the run: codes would then stand for others.
    """
    seen = visible(
        data, folder_name(config["protocol"], config["split_seed"]), "final" if (run / "test").exists() else "select"
    )
    now = {"data_sha256": data.sha256, "split_sha256": seen.split_sha256}
    if any(config.get(name) != value for name, value in now.items()):
        raise UserError(f"{run} was fitted on other data than {data.name!r} holds now; run 5_two_tower.py again")
    return seen


def read_histories(path: Path, seen: Visible) -> tuple[np.ndarray, Histories]:
    """Ids, sorted, and histories in the file's order; items outside the catalogue are left out, and said to be."""
    table = read_table(path, PAIR)
    rows = pd.DataFrame({column: table.ids(column) for column in PAIR})
    users = rows["user_id"].cat.categories.to_numpy(object)
    items = codes_of(rows["item_id"], pd.Index(seen.items["item_id"]))
    known = items >= 0
    if not known.any():
        raise UserError(f"{path}: not one item_id of it is in the catalogue; spell ids as the data set does")
    if not known.all():
        log.info(
            "%s of %s rows name items outside the catalogue and are left out", f"{(~known).sum():,}", f"{len(rows):,}"
        )
    pairs = pd.DataFrame({"user": rows["user_id"].cat.codes[known].to_numpy(np.int64), "item": items[known]})
    pairs = pairs.drop_duplicates().sort_values("user", kind="stable")
    ones = np.ones(len(pairs), np.float32)
    return users, Histories.from_events(
        pairs["user"].to_numpy(), pairs["item"].to_numpy(), ones, len(users), seen.n_items
    )


def lists(
    model: TwoTower, index: Index, users: np.ndarray, histories: Histories, settings: Settings, seen: Visible
) -> Iterator[pa.Table]:
    """The lists of one batch of people after another, as SCHEMA has them."""
    ids = seen.items["item_id"].to_numpy(object)
    places = range(0, len(users), settings.batch)
    for start in tqdm(places, "lists", delay=2, leave=False, disable=None):
        some = np.arange(start, min(start + settings.batch, len(users)))
        vectors = model.user_vectors(some) if settings.histories is None else model.vectors(histories.take(some))
        codes, scores = index.search_new(vectors, histories.take(some), min(settings.k, seen.n_items))
        row, rank = np.nonzero(codes >= 0)
        columns = [users[some][row], (rank + 1).astype(np.int32), ids[codes[row, rank]], scores[row, rank]]
        yield pa.table([pa.array(column, kind) for column, kind in zip(columns, SCHEMA.types, strict=True)], SCHEMA)


def write_lists(path: Path, tables: Iterator[pa.Table]) -> int:
    """Write tables one after the other into a file that is there only once it is whole; returns the rows."""
    rows = 0
    with atomic(path) as temporary, pq.ParquetWriter(temporary, SCHEMA) as writer:
        for table in tables:
            writer.write_table(table)
            rows += table.num_rows
    return rows


if __name__ == "__main__":
    sys.exit(main())
