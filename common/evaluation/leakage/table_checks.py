"""Whether other tables give held-out pairs away: as they lie in the data set, and as Encore shows them to models."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from common.data.dataset import Dataset
from common.data.ids import PAIR, among_pairs, codes_of, stack
from common.evaluation.leakage.findings import LEAK, LOOK, Finding, finding, row_of
from common.splits.split import Split
from common.splits.store import load_split
from common.splits.train_view import PHASES, TrainView, held_out_pairs, make_train_view

COUNTED = 0.5
"""Share of the items with held-out listeners whose number is exactly the count of everybody: then it was counted so."""
FEWEST = 5


def check_tables(data: Dataset, protocol: str) -> list[Finding]:
    """What tables beside the split say of held-out pairs (`protocol`: a folder name such as `listen-s3`)."""
    split = load_split(data, protocol)
    shown = [make_train_view(data, split, protocol, phase) for phase in PHASES]
    found = [*raw_tables(data, split, protocol), *counted_columns(data, split)]
    return [*found, *(told for train in shown for told in train_view_tables(train, split))]


def source_of(data: Dataset, protocol: str) -> str:
    """The table whose rows a protocol's events are."""
    dated = "timestamp" in data.tables.interactions or data.predefined
    return "interactions" if dated or not protocol.startswith("next") else "user_item_tags"


def raw_tables(data: Dataset, split: Split, protocol: str) -> Iterator[Finding]:
    """Held-out pairs in the prepared tables that are not the split's own source."""
    held_out = held_out_pairs(split, "select")
    for name, frame in data.tables.frames().items():
        if name == source_of(data, protocol) or not {*PAIR} <= {*frame}:
            continue
        advice = (
            f"whoever reads {name} itself sees the answer; Encore's models get it without these rows, other programs "
            "have to drop them"
        )
        yield finding(f"held-out pairs in {name}", LOOK, among_pairs(frame, held_out), row_of(name), advice)


def counted_columns(data: Dataset, split: Split) -> Iterator[Finding]:
    """Numbers of items and songs that are the listeners or the plays of everybody, held-out ones included."""
    everything = stack(list(split.parts().values()))
    by_item = everything.groupby("item_id", observed=True)["weight"]
    held_out = split.test["item_id"].astype(object).unique()
    for table, frame in (("items", data.tables.items), ("songs", data.tables.songs)):
        if frame is None or "item_id" not in frame:
            continue
        rows = frame[frame["item_id"].isin(held_out)]
        ids = rows["item_id"].astype(object)
        totals = [ids.map(of_item).to_numpy(float) for of_item in (by_item.size(), by_item.sum())]
        for column in map(str, rows.select_dtypes("number")):
            values = rows[column].to_numpy(float)
            same = max(int((values == total).sum()) for total in totals)
            if same >= FEWEST and same > COUNTED * len(rows) and len(np.unique(values)) > 1:
                advice = "a count that includes held-out listeners says which items are held out: count train alone"
                yield Finding(f"{table}.{column} counts held-out rows", LEAK, same, len(rows), column, advice)


def train_view_tables(train: TrainView, split: Split) -> Iterator[Finding]:
    """Held-out pairs, and in `temporal` later assignments, in the tables that a phase shows to models."""
    held_out = held_out_pairs(split, train.phase)
    users, items = pd.Index(train.users["user_id"]), pd.Index(train.items["item_id"])
    keys = codes_of(held_out["user_id"], users) * len(items) + codes_of(held_out["item_id"], items)
    keys = keys[np.isin(held_out["user_id"].astype(object), users)]
    for name in ("interactions", "user_item_tags"):
        frame = getattr(train, name)
        if frame is None:
            continue
        shown = np.isin(frame["user"].to_numpy(np.int64) * len(items) + frame["item"].to_numpy(np.int64), keys)
        advice = "a model of this phase is told what it is asked for: this is a mistake of Encore, report it"
        check = f"held-out pairs shown to models, {train.phase}: {name}"
        yield finding(check, LEAK, shown, row_of(name), advice)
    yield from later_tags(train, split)


def later_tags(train: TrainView, split: Split) -> Iterator[Finding]:
    """Assignments of tags that a phase shows and that were made after what the user is asked for."""
    asked, tags = (split.valid if train.phase == "select" else split.test), train.user_item_tags
    if tags is None or "timestamp" not in tags or "timestamp" not in asked or train.protocol.startswith("listen"):
        return
    users = codes_of(asked["user_id"], pd.Index(train.users["user_id"]))
    later = (tags["timestamp"] > tags["user"].map(asked["timestamp"].groupby(users).min())).to_numpy()
    severity = LEAK if train.protocol.startswith("temporal") else LOOK
    advice = "tags given after the held-out event describe items with later knowledge: cut them at its date"
    check = f"tags after the held-out event, {train.phase}"
    yield finding(check, severity, later, row_of("user_item_tags"), advice)
