"""A split that lies in matrices: its parts as tables only for those who ask, and only where they fit."""

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from common.data.dataset import Dataset
from common.data.matrix_files import MatrixFiles
from common.splits.mapped.drawing import Drawing, is_known, pair_keys
from common.splits.split import Split


class MappedSplit(Split):
    """The split of a folder of matrix form. `drawing` says who is evaluated; the parts are all that the matrices hold.

    A pair weighs its plays in the part.
    """

    def __init__(self, data: Dataset, folder: Path, info: dict[str, Any]) -> None:
        assert data.matrix is not None
        arrays = {file.removesuffix(".npy"): np.load(folder / file, allow_pickle=False) for file in info["files"]}
        own = {"files": data.matrix, "drawing": Drawing(**arrays), "given": None, "info": info}
        for name, value in own.items():
            object.__setattr__(self, name, value)

    files: MatrixFiles
    drawing: Drawing

    @cached_property
    def train(self) -> pd.DataFrame:
        """The pairs of train."""
        return self.files.rows("train")

    @cached_property
    def valid(self) -> pd.DataFrame:
        """The pairs of valid that are new to the user."""
        return self._new("valid")

    @cached_property
    def test(self) -> pd.DataFrame:
        """The pairs of test that are new to the user."""
        return self._new("test")

    def _new(self, part: str) -> pd.DataFrame:
        rows, users = self.files.rows(part), np.arange(len(self.files.users))
        return rows[~is_known(self.files, part, users, pair_keys(self.files, part, users))].reset_index(drop=True)

    @cached_property
    def negatives99(self) -> pd.DataFrame:
        """The drawn negatives: user_id, item_id, negative_id."""
        drawn = self.drawing
        rows, columns = np.nonzero(drawn.negatives >= 0)
        items = {"item_id": drawn.negative_items[rows], "negative_id": drawn.negatives[rows, columns]}
        ids = {"user_id": self.files.user_ids(drawn.negative_users[rows])}
        return pd.DataFrame(ids | {name: self.files.item_ids(codes) for name, codes in items.items()})

    def catalogue(self) -> np.ndarray:
        """All item ids, sorted; their codes are the folder's own."""
        return np.sort(self.files.items["item_id"].to_numpy(object))
