"""Generated data that look like Last.fm-2K to a notebook: numbers as ids, and two names that everybody knows."""

from pathlib import Path
from typing import Any

import pandas as pd

from common.data.dataset import Dataset, write_dataset
from common.data.tables import Tables

KNOWN = {"2": "Radiohead", "4": "Muse", "8": "17", "9": "4711"}
"""Item id -> name. There is an item of id 17, and none of id 4711."""


def numbered(data: Dataset, folder: Path) -> Dataset:
    """The data with ids 1, 2, ... for `u00`, `t000`, ..., and the names above."""
    frames: dict[str, Any] = {name: _numbered(frame) for name, frame in data.tables.frames().items()}
    items = frames["items"]
    frames["items"] = items.assign(name=items["item_id"].map(KNOWN).fillna(items["name"]))
    return write_dataset("numbered", folder, Tables(**frames), "made by a test")


def _numbered(frame: pd.DataFrame) -> pd.DataFrame:
    ids = [name for name in ("user_id", "friend_id", "item_id") if name in frame]
    return frame.assign(**{name: frame[name].astype(object).map(_number, na_action="ignore") for name in ids})


def _number(name: str) -> str:
    return str(int(name[1:]) + 1)
