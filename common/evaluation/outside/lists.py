"""Lists that another program has made, as a ranking of this project's holdout.

A file holds a row per recommended item: user_id, item_id, and rank (1 is best) or score (higher is better); of
newcomers also given, the number of items that the list was made from. Where both are there, rank decides. Equal scores
are put in the order of the fixed hash of the item, as everywhere.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from common.data.ids import codes_of
from common.data.reading.schema import ITEM, REFUSE, USER, Column
from common.data.reading.table import read_table
from common.data.tables import Repair
from common.evaluation.evaluator import Evaluator
from common.evaluation.ranking import Ranking
from common.evaluation.recommendations import rows_of
from common.models.top_items import DEPTH
from common.utils.errors import UserError

COLUMNS = (
    USER,
    ITEM,
    Column("rank", "whole number", "place in the list, 1 is best", minimum=1, required=False),
    Column("score", "number", "higher is better", required=False, missing=True),
    Column("given", "whole number", "how many items of a newcomer were known", minimum=0, required=False),
)
"""What a file of lists may hold; other columns are left alone."""


@dataclass(frozen=True)
class Lists:
    """Recommended items, one each, float and codes of the same length (recommendations,).

    user_id, item_id: ids as read; rows: the evaluated row, -1 for none; items: item codes, -1 outside the catalogue;
    order: what puts a row's items in order, less is earlier; scores: as in the file, NaN without. by: `rank` or
    `score`, the column that decided. repairs: what reading the file has mended.
    """

    user_id: pd.Series
    item_id: pd.Series
    rows: np.ndarray
    items: np.ndarray
    order: np.ndarray
    scores: np.ndarray
    by: str
    repairs: tuple[Repair, ...] = ()

    def keep(self, kept: np.ndarray) -> "Lists":
        """The recommendations where `kept`, bool (recommendations,), holds."""
        ids = (self.user_id[kept].reset_index(drop=True), self.item_id[kept].reset_index(drop=True))
        arrays = (self.rows[kept], self.items[kept], self.order[kept], self.scores[kept])
        return Lists(*ids, *arrays, self.by, self.repairs)


def read_lists(path: Path, evaluator: Evaluator, missing: str = REFUSE) -> Lists:
    """The lists of a file (CSV, TSV or Parquet). Raises a UserError for what no list can be made of."""
    table = read_table(path, COLUMNS, missing)
    if "rank" not in table and "score" not in table:
        raise UserError(f"{path} has neither a column rank nor a column score; add one, which puts a list in order")
    frame = pd.DataFrame({name: table.ids(name) for name in ("user_id", "item_id")})
    newcomers = evaluator.n_given is not None
    if newcomers and "given" not in table:
        raise UserError(
            f"{path} has no column given: on newcomer, add how many items of the user each list was made from"
        )
    if newcomers:
        frame["given"] = table.numbers("given").astype(np.int64)
    scores = table.numbers("score") if "score" in table else np.full(len(frame), np.nan)
    return Lists(
        user_id=frame["user_id"],
        item_id=frame["item_id"],
        rows=rows_of(frame, evaluator.holdout),
        items=codes_of(frame["item_id"], pd.Index(evaluator.train.items["item_id"])),
        order=table.numbers("rank") if "rank" in table else -scores,
        scores=scores,
        by="rank" if "rank" in table else "score",
        repairs=tuple(table.repairs),
    )


def ranking_of(lists: Lists, evaluator: Evaluator) -> Ranking:
    """The ranking that lists without faults mean: the first 100 of each row, a held-out item that is in none of them
    behind all others, and no ranks among sampled negatives, which lists do not tell."""
    holdout, n_items = evaluator.holdout, evaluator.train.n_items
    by_place = np.lexsort((evaluator.places[lists.items], lists.order, lists.rows))
    rows, found = lists.rows[by_place], lists.items[by_place]
    place = np.arange(len(rows)) - np.searchsorted(rows, rows)
    top = place < DEPTH
    items = np.full((len(holdout.users), DEPTH), -1, np.int32)
    scores = np.full((len(holdout.users), DEPTH), np.nan, np.float32)
    items[rows[top], place[top]] = found[top]
    told = lists.scores if np.isfinite(lists.scores).all() else -lists.order
    scores[rows[top], place[top]] = told[by_place][top]
    rank, score = _of_targets(items, scores, holdout.target_rows, holdout.target_items, n_items)
    last = n_items - holdout.given.lengths[holdout.target_rows]
    ranks = np.where(rank > 0, rank, np.maximum(last, DEPTH + 1))
    return Ranking(items, scores, score, ranks, np.zeros(len(ranks), np.int64))


def _of_targets(
    items: np.ndarray, scores: np.ndarray, rows: np.ndarray, targets: np.ndarray, n_items: int
) -> tuple[np.ndarray, np.ndarray]:
    """Place of each target in its row's list, int64, 0 outside it, and its score, NaN outside."""
    at, place = np.nonzero(items >= 0)
    index = pd.Index(at * np.int64(n_items) + items[at, place])
    found = index.get_indexer(rows * np.int64(n_items) + targets)
    known = found >= 0
    return (
        np.where(known, place[found] + 1, 0).astype(np.int64),
        np.where(known, scores[at[found], place[found]], np.nan).astype(np.float32),
    )
