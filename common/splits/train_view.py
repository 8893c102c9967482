"""What a model may see in a phase: every table without what is held out.

Phase `select` hides the valid and the test part: fit here, choose on valid. Phase `final` hides the test part
only: fit again on train + valid, report on test. A held-out pair vanishes from every table: interactions, tag
assignments, and so from every count and friend's history derived from them. A held-out newcomer vanishes whole.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from common.data.dataset import Dataset
from common.data.ids import PAIR, among_pairs, codes_of, sorted_ids, stack
from common.splits.histories import Histories
from common.splits.split import Split
from common.splits.store import load_split
from common.utils.errors import unknown_name

PHASES = ("select", "final")


@dataclass(frozen=True)
class TrainView:
    """Every table without what the phase hides, ids replaced by int32 codes.

    Code i of an item is the i-th id in sorted order of the protocol's catalogue, code u of a user the u-th id among
    the users who have visible interactions. `items` and `users` have one row per code. The other tables carry
    columns `user`, `item`, `friend` of codes instead of ids; a table that the data lacks is None.
    """

    dataset: str
    protocol: str
    phase: str
    split_sha256: str
    count_floor: int
    """Counts up to this one say nothing but "few" and share one value in every feature of popularity: an item of the
    catalogue with fewer listeners must have hidden ones (1; in `next` of a k-core, k)."""
    items: pd.DataFrame
    users: pd.DataFrame
    interactions: pd.DataFrame
    social: pd.DataFrame | None
    item_tags: pd.DataFrame | None
    user_item_tags: pd.DataFrame | None
    songs: pd.DataFrame | None

    @property
    def n_users(self) -> int:
        """Number of users a model is fitted on."""
        return len(self.users)

    @property
    def n_items(self) -> int:
        """Number of items in the catalogue, those without a visible listener included."""
        return len(self.items)

    @cached_property
    def histories(self) -> Histories:
        """The visible items of each user, in the protocol's order."""
        rows = self.interactions
        times = rows["timestamp"].to_numpy() if "timestamp" in rows else None
        return Histories.from_events(
            rows["user"].to_numpy(),
            rows["item"].to_numpy(),
            rows["weight"].to_numpy(),
            self.n_users,
            self.n_items,
            times,
        )

    @cached_property
    def counts(self) -> np.ndarray:
        """Visible listeners of each item, int64 (n_items,)."""
        return np.bincount(self.interactions["item"], minlength=self.n_items)

    @cached_property
    def popularity(self) -> np.ndarray:
        """Popularity of each item, float32 (n_items,): its visible listeners, but never below `count_floor`."""
        return np.maximum(self.counts, self.count_floor).astype(np.float32)

    @cached_property
    def catalogue_sha256(self) -> str:
        """Hash of the item ids in code order: what a saved model must agree with."""
        return hash_ids(self.items["item_id"])


def hash_ids(ids: pd.Series) -> str:
    """SHA-256 of ids in order."""
    return hashlib.sha256("\n".join(ids).encode()).hexdigest()


def held_out_pairs(split: Split, phase: str) -> pd.DataFrame:
    """The pairs (user_id, item_id) that a phase hides; of a hidden newcomer also everything that is given later."""
    if phase not in PHASES:
        raise unknown_name("phase", phase, PHASES)
    parts = [split.test] if phase == "final" else [split.valid, split.test]
    hidden = stack([part[PAIR] for part in parts])
    if split.given is not None:
        given = split.given[split.given["user_id"].isin(hidden["user_id"])]
        hidden = pd.concat([hidden, given[PAIR]])
    return hidden


def load_train_view(data: Dataset, protocol: str, phase: str) -> TrainView:
    """Every table of `data` without what `phase` of `protocol` (a folder name such as `listen-s3`) hides."""
    return make_train_view(data, load_split(data, protocol), protocol, phase)


def make_train_view(data: Dataset, split: Split, protocol: str, phase: str) -> TrainView:
    """`visible` for a split at hand."""
    hidden = held_out_pairs(split, phase)
    shown = _shown_interactions(split, hidden)
    item_ids = split.catalogue()
    user_ids = sorted_ids(shown["user_id"])
    tables, code = data.tables, _Coder(item_ids, user_ids)
    assignments = tables.user_item_tags
    if assignments is not None:
        assignments = _shown_assignments(assignments, hidden, split, protocol)
        assignments = code(assignments, {"user_id": "user", "item_id": "item"})
    return TrainView(
        dataset=data.name,
        protocol=protocol,
        phase=phase,
        split_sha256=split.info.get("split_sha256", ""),
        count_floor=data.next_core if protocol.startswith("next") else 1,
        items=_rows_of(item_ids, tables.items, "item_id"),
        users=_rows_of(user_ids, tables.users, "user_id"),
        interactions=code(shown, {"user_id": "user", "item_id": "item"}),
        social=code.maybe(tables.social, {"user_id": "user", "friend_id": "friend"}),
        item_tags=_count_tags(code.maybe(tables.item_tags, {"item_id": "item"}), assignments),
        user_item_tags=assignments,
        songs=code.maybe(tables.songs, {"item_id": "item"}),
    )


class _Coder:
    """Replaces id columns by int32 codes and drops rows whose id has no code."""

    def __init__(self, item_ids: np.ndarray, user_ids: np.ndarray) -> None:
        items, users = pd.Index(item_ids), pd.Index(user_ids)
        self.index = {"item_id": items, "user_id": users, "friend_id": users}

    def __call__(self, frame: pd.DataFrame, columns: dict[str, str]) -> pd.DataFrame:
        codes = {new: codes_of(frame[old], self.index[old]).astype(np.int32) for old, new in columns.items()}
        known = np.logical_and.reduce([values >= 0 for values in codes.values()])
        rest = frame.drop(columns=list(columns))
        return pd.concat([pd.DataFrame(codes, index=frame.index), rest], axis=1)[known].reset_index(drop=True)

    def maybe(self, frame: pd.DataFrame | None, columns: dict[str, str]) -> pd.DataFrame | None:
        """The same for a table that the data may lack."""
        return None if frame is None else self(frame, columns)


def _shown_interactions(split: Split, hidden: pd.DataFrame) -> pd.DataFrame:
    """Train, and every other part's rows that are not hidden, each user's rows in the protocol's order."""
    rows = stack(list(split.parts().values()))
    rows = rows.drop(columns="position", errors="ignore")
    rows = rows[~among_pairs(rows, hidden)]
    return rows.sort_values("user_id", kind="stable", ignore_index=True)


def _shown_assignments(rows: pd.DataFrame, hidden: pd.DataFrame, split: Split, protocol: str) -> pd.DataFrame:
    """Tag assignments without hidden pairs; under a cut in time, without those made after it too."""
    shown = ~among_pairs(rows, hidden)
    if split.given is not None:
        shown &= ~rows["user_id"].isin(hidden["user_id"]).to_numpy()
    if protocol.startswith("temporal") and "timestamp" in rows:
        after = pd.concat([split.valid, split.test]).merge(hidden, on=PAIR)["timestamp"].min()
        shown &= rows["timestamp"].to_numpy() < after
    return rows[shown]


def _rows_of(ids: np.ndarray, table: pd.DataFrame, key: str) -> pd.DataFrame:
    return pd.DataFrame({key: ids}).merge(table.astype({key: object}), on=key, how="left")


def _count_tags(catalogue: pd.DataFrame | None, assignments: pd.DataFrame | None) -> pd.DataFrame | None:
    """Tags of items: the catalogue's own weights plus one per visible assignment, sorted by item and tag."""
    parts = [] if catalogue is None else [catalogue]
    if assignments is not None:
        parts.append(assignments[["item", "tag"]].assign(weight=1.0))
    if not parts:
        return None
    return pd.concat(parts).groupby(["item", "tag"])["weight"].sum().reset_index()


def names_of(train: TrainView) -> pd.Series:
    """The name of each item by code; its id where it has none."""
    ids = train.items["item_id"].astype(object)
    return train.items["name"].astype(object).fillna(ids) if "name" in train.items else ids


def most_popular(train: TrainView, k: int) -> np.ndarray:
    """Codes of the k items with the most visible listeners, ties by code."""
    return np.argsort(-train.counts, kind="stable")[:k]
