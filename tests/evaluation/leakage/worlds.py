"""A clean split of three users, and the same with rows changed."""

import pandas as pd

from common.data.sources.custom.folder import NEGATIVES
from common.data.sources.custom.raw_rows import RawTable
from common.evaluation.leakage.findings import make_parts
from tests.data.worlds import pairs

CLEAN = {
    "train": pairs(anna="a@1 b@2 c@3", ben="c@1 d@2 a@3", cleo="b@2 d@3 e@4"),
    "valid": pairs(anna="d@4", ben="b@5", cleo="a@5"),
    "test": pairs(anna="e@6", ben="e@6", cleo="c@7"),
}


def split_of(protocol="next", negatives=None, **changed):
    frames = {**CLEAN, **changed}
    tables = {name: RawTable(frame, place_in(name)) for name, frame in frames.items()}
    if negatives is not None:
        tables[NEGATIVES] = RawTable(negatives, lambda row: f"line {row + 2}")
    return make_parts(protocol, tables)


def place_in(part):
    return lambda row: f"{part} {row + 1}"


def with_rows(part, **of_users):
    return pd.concat([CLEAN[part], pairs(**of_users)], ignore_index=True)
