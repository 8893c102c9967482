"""Folders of one's own, written by tests."""

from pathlib import Path

import pandas as pd
import pytest

from common.data.dataset import Dataset, load_dataset
from common.utils.errors import UserError

COLUMNS = "user_id,item_id\n"


TIMED = "user_id,item_id,timestamp\n"


def write(folder: Path, **tables: str | pd.DataFrame) -> Path:
    """Write tables as CSV from text, or as parquet from a frame; `name_tsv` gives another suffix."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in tables.items():
        if isinstance(content, pd.DataFrame):
            content.to_parquet(folder / f"{name}.parquet", index=False)
        else:
            stem, _, suffix = name.partition("__")
            (folder / f"{stem}.{suffix or 'csv'}").write_text(content, encoding="utf-8")
    return folder


def load(tmp_path: Path, **tables: str | pd.DataFrame) -> Dataset:
    return load_dataset(str(write(tmp_path / "mine", **tables)), tmp_path / "data")


def csv(*rows: str, columns: str = COLUMNS) -> str:
    return columns + "".join(f"{row}\n" for row in rows)


def refusal(tmp_path: Path, **tables: str | pd.DataFrame) -> str:
    with pytest.raises(UserError) as caught:
        load(tmp_path, **tables)
    return str(caught.value)


READY = {
    "train": csv(*(f"u{user},i{item}" for user in range(4) for item in range(6))),
    "test": csv("u0,i6", "u1,i7", "u2,new", "stranger,i1"),
}
