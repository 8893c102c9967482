"""Splits read by tests."""

import pandas as pd

from common.data.ids import PAIR
from common.splits.split import hash_split


def hash_of(split) -> str:
    return hash_split({**split.parts(), "negatives99": split.negatives99})


def as_pairs(frame: pd.DataFrame) -> set[tuple[str, str]]:
    return set(frame[PAIR].itertuples(index=False, name=None))
