"""A small generated log, read back as one table."""

from pathlib import Path

import pandas as pd

from common.data.synthetic.raw.files import COLUMNS, file_name
from common.data.synthetic.raw.world import RawLogSettings, World

SETTINGS = RawLogSettings(12_000, users=150, tracks=2_000, seed=3)


def read_file(world: World, file: int, folder: Path) -> pd.DataFrame:
    """The rows of a file, columns as `COLUMNS["iso"]`, and `time`: seconds, missing where it cannot be read."""
    path = folder / file_name(world, file)
    if path.suffix == ".parquet":
        frame = pd.read_parquet(path)
    elif path.suffix == ".gz":
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, na_values=[""])
    else:
        frame = pd.read_json(path, lines=True, dtype=False)
    frame = frame.rename(columns=dict(zip(COLUMNS["number"], COLUMNS["iso"], strict=True)))
    return frame.assign(time=_seconds(frame["played_at"]), plays=pd.to_numeric(frame["plays"], errors="coerce"))


def _seconds(column: pd.Series) -> pd.Series:
    number = pd.to_numeric(column, errors="coerce")
    if number.notna().any():
        return (number // (1_000 if number.median() > 1e11 else 1)).astype("Int64")
    dates = pd.to_datetime(column, errors="coerce", utc=True)
    return ((dates - pd.Timestamp(0, tz="UTC")) // pd.Timedelta(seconds=1)).astype("Int64")


def read_log(world: World, folder: Path) -> pd.DataFrame:
    """All rows, with `file`."""
    return pd.concat([read_file(world, file, folder).assign(file=file) for file in range(world.files)])
