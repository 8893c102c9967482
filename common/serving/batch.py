"""Recommendations for many users at once, through the vector index beside a two-tower run."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from common.data.dataset import Dataset
from common.data.ids import PAIR, codes_of
from common.data.reading.schema import ITEM, REFUSE, USER
from common.data.reading.table import read_table
from common.models.neural.two_tower.model import TwoTower
from common.models.vector_index import Index
from common.splits.histories import Histories
from common.splits.store import folder_name
from common.splits.train_view import TrainView, load_train_view
from common.utils.errors import UserError
from common.utils.io import atomic

log = logging.getLogger(__name__)


SCHEMA = pa.schema([("user_id", pa.string()), ("rank", pa.int32()), ("item_id", pa.string()), ("score", pa.float32())])


def train_view_of(run: Path, config: dict[str, Any], data: Dataset) -> TrainView:
    """The train view that the model of a run was fitted on: train and validation, or train where test was not opened.

    Raises a UserError if the data or the split are no longer those of the run: codes would then stand for others.
    """
    phase = "final" if (run / "test").exists() else "select"
    train = load_train_view(data, folder_name(config["protocol"], config["split_seed"]), phase)
    now = {"data_sha256": data.sha256, "split_sha256": train.split_sha256}
    if any(config.get(name) != value for name, value in now.items()):
        raise UserError(f"{run} was fitted on other data than {data.name!r} holds now; run 5_two_tower.py again")
    return train


def read_histories(path: Path, train: TrainView, missing: str = REFUSE) -> tuple[np.ndarray, Histories]:
    """Ids, sorted, and histories in the file's order; items outside the catalogue are left out, with a message."""
    table = read_table(path, (USER, ITEM), missing)
    rows = pd.DataFrame({column: table.ids(column) for column in PAIR})
    for repair in table.repairs:
        log.info("repaired in %s, %s rows: %s", path, f"{repair.rows:,}", repair.what)
    users = rows["user_id"].cat.categories.to_numpy(object)
    items = codes_of(rows["item_id"], pd.Index(train.items["item_id"]))
    known = items >= 0
    if not known.any():
        raise UserError(f"{path}: not one item_id of it is in the catalogue; spell ids as the data set does")
    if not known.all():
        counts = (f"{(~known).sum():,}", f"{len(rows):,}")
        log.info("%s of %s rows name items outside the catalogue and are left out", *counts)
    pairs = pd.DataFrame({"user": rows["user_id"].cat.codes[known].to_numpy(np.int64), "item": items[known]})
    pairs = pairs.drop_duplicates().sort_values("user", kind="stable")
    events = (pairs["user"].to_numpy(), pairs["item"].to_numpy(), np.ones(len(pairs), np.float32))
    return users, Histories.from_events(*events, len(users), train.n_items)


def recommend(
    model: TwoTower, index: Index, users: np.ndarray, histories: Histories | None, train: TrainView, k: int, batch: int
) -> Iterator[pa.Table]:
    """Tables of SCHEMA, one per batch of users; without histories those of the users of the model."""
    shown = model.histories if histories is None else histories
    ids = train.items["item_id"].to_numpy(object)
    for start in tqdm(range(0, len(users), batch), "lists", delay=2, leave=False, disable=None):
        some = np.arange(start, min(start + batch, len(users)))
        vectors = model.user_vectors(some) if histories is None else model.vectors(histories.take(some))
        codes, scores = index.search_new(vectors, shown.take(some), min(k, train.n_items))
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
