"""What a train view holds of a matrix: histories of the users who have any, and their table for those who ask."""

from typing import Any

import numpy as np
import pandas as pd

from common.data.matrix_files import ROW_BYTES, SMALLER, Matrix
from common.splits.histories import Histories
from common.utils.memory import require

COLUMNS = ("user", "item", "weight", "timestamp")


def visible(matrix: Matrix, n_items: int) -> tuple[np.ndarray, Histories]:
    """Codes of the users who have pairs, rising, int64, and their histories: the matrix's own arrays, still mapped."""
    has = np.diff(matrix.indptr) > 0
    indptr = np.concatenate([[0], matrix.indptr[1:][has]]).astype(np.int64)
    return np.flatnonzero(has), Histories(indptr, matrix.indices, matrix.data, n_items, matrix.first)


def some_rows(histories: Histories, most: int) -> pd.DataFrame:
    """About so many of the pairs, drawn at random, in their order, as a table with COLUMNS; all if there are fewer."""
    n = len(histories.items)
    places = np.arange(n) if n <= most else np.unique(np.random.default_rng(0).integers(0, n, most))
    return _table(histories, histories.owners(places), places)


def _table(histories: Histories, users: np.ndarray, places: np.ndarray | slice) -> pd.DataFrame:
    assert histories.timestamps is not None
    columns = (
        *(users.astype(np.int32), histories.items[places]),
        *(histories.weights[places].astype(np.float64), histories.timestamps[places]),
    )
    return pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)))


class StoredInteractions:
    """Histories as the table `interactions` of a train view: user, item, weight, timestamp.

    How many rows and which columns it has costs nothing. All else is answered by the whole table, which is refused
    where it is too large.
    """

    def __init__(self, histories: Histories) -> None:
        self._histories = histories
        self._frame: pd.DataFrame | None = None

    columns = pd.Index(COLUMNS)

    def __len__(self) -> int:
        """Number of rows."""
        return len(self._histories.items)

    def __contains__(self, column: str) -> bool:
        """Whether the table has a column."""
        return column in COLUMNS

    def __getitem__(self, key: Any) -> Any:
        """What the whole table gives for a column, columns or a mask."""
        return self.frame()[key]

    def __getattr__(self, name: str) -> Any:
        """A method or property of the whole table."""
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.frame(), name)

    def frame(self) -> pd.DataFrame:
        """The whole table. Raises a UserError where it is too large."""
        if self._frame is None:
            require("a table of all interactions", ROW_BYTES * len(self), SMALLER)
            self._frame = _table(self._histories, self._histories.rows, slice(None))
        return self._frame
