"""What a model may see in a phase: every table without what is held out.

Phase `select` (train) holds out the valid and the test part: fit here, choose on valid. Phase `final` (train_valid)
holds out the test part only: refit on train + valid, report on test; under protocols that fit on train alone it holds
out both. A held-out pair vanishes from every table:
interactions, tag assignments, and so from every count and friend's history derived from them. A held-out newcomer
vanishes whole.
"""

import difflib
import hashlib
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, cast

import numpy as np
import pandas as pd
from scipy import sparse

from common.data.dataset import Dataset
from common.data.ids import PAIR, among_pairs, codes_of, id_text, sorted_ids, stack
from common.splits.histories import Histories
from common.splits.mapped.drawing import PROTOCOL
from common.splits.mapped.split import MappedSplit
from common.splits.mapped.train_valid import train_valid
from common.splits.mapped.visible import StoredInteractions, some_rows, visible
from common.splits.split import Split
from common.splits.store import load_split
from common.utils.arrays import counts_of
from common.utils.errors import UserError, check_known, did_you_mean, short

PHASES = ("select", "final")
MOST_COMPARED = 200
"""Characters of an unknown id or name by which near ones are looked for."""


@dataclass(frozen=True)
class TrainView:
    """Every table without the pairs that the phase holds out, ids replaced by int32 codes.

    Code i of an item is the i-th id in sorted order of the protocol's catalogue, code u of a user the u-th id among
    the users who have interactions in train; in data of matrix form the order is that of the folder. `items` and
    `users` have one row per code. The other tables carry columns `user`, `item`, `friend` of codes instead of ids; a
    table that the data lacks is None.
    """

    dataset: str
    protocol: str
    phase: str
    split_sha256: str
    count_floor: int
    """Counts up to this one share one value in every popularity feature: an item of the catalogue that has fewer
    listeners in train must have held-out ones, and a model could tell (1; in `next` of a k-core, k)."""
    items: pd.DataFrame
    users: pd.DataFrame
    interactions: pd.DataFrame
    social: pd.DataFrame | None = None
    item_tags: pd.DataFrame | None = None
    user_item_tags: pd.DataFrame | None = None
    songs: pd.DataFrame | None = None
    stored: Histories | None = None
    """The interactions as histories that are mapped, in data of matrix form: `interactions` is then made from them,
    for those who ask."""
    listeners: np.ndarray | None = None
    """`counts`, where they are known without the interactions: several processes have added up theirs."""

    @property
    def n_users(self) -> int:
        """Number of users a model is fitted on."""
        return len(self.users)

    @property
    def n_items(self) -> int:
        """Number of items in the catalogue, those without a listener in train included."""
        return len(self.items)

    @cached_property
    def histories(self) -> Histories:
        """The items of each user, in the protocol's order."""
        if self.stored is not None:
            return self.stored
        rows = self.interactions
        users, items, weights = (rows[column].to_numpy() for column in ("user", "item", "weight"))
        times = rows["timestamp"].to_numpy() if "timestamp" in rows else None
        return Histories.from_events(users, items, weights, self.n_users, self.n_items, times)

    def some_interactions(self, most: int) -> pd.DataFrame:
        """The interactions; in data of matrix form at most so many of them, drawn at random, as no table holds all."""
        return self.interactions if self.stored is None else some_rows(self.stored, most)

    @cached_property
    def matrix(self) -> sparse.csr_array:
        """Weights of users x items, float32 (n_users, n_items): the arrays of `histories`, read-only, in their order.

        A row's items stand in the protocol's order, so the indices are not sorted; copy before anything that sorts.
        """
        matrix: Any = sparse.csr_array((self.n_users, self.n_items), dtype=np.float32)
        matrix.data, matrix.indices = _read_only(self.histories.weights), _read_only(self.histories.items)
        matrix.indptr = _read_only(self.histories.indptr.astype(np.int32 if matrix.data.size < 2**31 else np.int64))
        matrix.has_sorted_indices = False
        return matrix

    @cached_property
    def counts(self) -> np.ndarray:
        """Listeners of each item in train, int64 (n_items,)."""
        if self.listeners is not None:
            return self.listeners
        items = self.interactions["item"].to_numpy() if self.stored is None else self.stored.items
        return counts_of(items, self.n_items)

    @cached_property
    def popularity(self) -> np.ndarray:
        """Popularity of each item, float32 (n_items,): its listeners in train, but never below `count_floor`."""
        return np.maximum(self.counts, self.count_floor).astype(np.float32)

    def most_popular(self, k: int) -> np.ndarray:
        """Codes of the k items with the most listeners in train, int64 (<= k,), ties by code."""
        return np.argsort(-self.counts, kind="stable")[:k]

    @cached_property
    def names(self) -> pd.Series:
        """The name of each item by code, str objects; its id where it has none."""
        ids = self.items["item_id"].astype(object)
        return self.items["name"].astype(object).fillna(ids) if "name" in self.items else ids

    @cached_property
    def labels(self) -> pd.Series:
        """What to call each item by code, str objects: its name, of a track also the artist's."""
        if "artist" not in self.items:
            return self.names
        artist, ids = (self.items[column].astype(object) for column in ("artist", "item_id"))
        own = artist.isna() | (artist == ids) | (artist == self.names)
        return self.names.where(own, self.names + " - " + artist.fillna(""))

    def item_code(self, item: str | int, flag: str = "") -> int:
        """The code of an item by its id, else by its name in any case; of several of one name the most popular one.

        Raises UserError with the nearest names for an unknown one, and for what is neither text nor a whole number;
        `flag` names the flag that it was given by.
        """
        item = id_text(f"{flag} item".strip(), item)
        code = self._code_of_item_id.get(item, self._code_of_name.get(item.casefold()))
        if code is None:
            near = difflib.get_close_matches(item.casefold()[:MOST_COMPARED], self._code_of_name, n=3)
            raise _unknown(flag, "item", item, [self.names[self._code_of_name[name]] for name in near])
        return code

    def user_code(self, user: str | int, flag: str = "") -> int:
        """The code of a user by id. Raises UserError with the nearest ids for an unknown one."""
        user = id_text(f"{flag} user".strip(), user)
        code = self._code_of_user_id.get(user)
        if code is None:
            near = difflib.get_close_matches(user[:MOST_COMPARED], self._code_of_user_id, n=3)
            raise _unknown(flag, "user", user, near or [self.users["user_id"].iloc[0]])
        return code

    @cached_property
    def _code_of_item_id(self) -> dict[str, int]:
        return {name: code for code, name in enumerate(self.items["item_id"])}

    @cached_property
    def _code_of_name(self) -> dict[str, int]:
        least_popular_first = self.most_popular(self.n_items)[::-1].tolist()
        texts = (self.labels, self.names) if self.labels is not self.names else (self.names,)
        folded = [[str(text).casefold() for text in of] for of in texts]
        return {of[code]: code for of in folded for code in least_popular_first}

    @cached_property
    def _code_of_user_id(self) -> dict[str, int]:
        return {name: code for code, name in enumerate(self.users["user_id"])}

    @cached_property
    def catalogue_sha256(self) -> str:
        """Hash of the item ids in code order: what a saved model must agree with."""
        return hash_ids(self.items["item_id"])


def _read_only(array: np.ndarray) -> np.ndarray:
    view = array.view()
    view.flags.writeable = False
    return view


def _unknown(flag: str, kind: str, name: str, near: list[str]) -> UserError:
    hint = did_you_mean(map(repr, near), "check the spelling")
    what = f"{flag} {short(name)}: no {kind} has that id or name" if flag else f"unknown {kind} {short(name)}"
    return UserError(f"{what}; {hint}")


def hash_ids(ids: pd.Series) -> str:
    """SHA-256 of ids in order."""
    return hashlib.sha256("\n".join(ids).encode()).hexdigest()


def held_out_pairs(split: Split, phase: str) -> pd.DataFrame:
    """The pairs (user_id, item_id) that a phase holds out; of a held-out newcomer also all that is given later."""
    check_known("phase", PHASES, phase)
    parts = [split.test] if phase == "final" and split.fits_valid else [split.valid, split.test]
    held_out = stack([part[PAIR] for part in parts])
    if split.given is not None:
        given = split.given[split.given["user_id"].isin(held_out["user_id"])]
        held_out = pd.concat([held_out, given[PAIR]])
    return held_out


def load_train_view(data: Dataset, protocol: str, phase: str) -> TrainView:
    """Every table of `data` without what `phase` of `protocol` (a folder name such as `listen-s3`) holds out."""
    return make_train_view(data, load_split(data, protocol), protocol, phase)


def make_train_view(data: Dataset, split: Split, protocol: str, phase: str) -> TrainView:
    """The train view of a phase for a split at hand."""
    if isinstance(split, MappedSplit):
        return _view_of_matrices(data, split, protocol, phase)
    held_out = held_out_pairs(split, phase)
    rows = _interactions_in_train(split, held_out)
    item_ids = split.catalogue()
    user_ids = sorted_ids(rows["user_id"])
    items, users = pd.Index(item_ids), pd.Index(user_ids)
    code = partial(_coded, ids={"user_id": users, "item_id": items, "friend_id": users})
    tables, assignments = data.tables, data.tables.user_item_tags
    if assignments is not None:
        assignments = code(_assignments_in_train(assignments, held_out, split, protocol))
    return TrainView(
        dataset=data.name,
        protocol=protocol,
        phase=phase,
        split_sha256=split.info.get("split_sha256", ""),
        count_floor=data.next_core if protocol.startswith("next") else 1,
        items=_rows_of(item_ids, tables.items, "item_id"),
        users=_rows_of(user_ids, tables.users, "user_id"),
        interactions=code(rows),
        social=code(tables.social),
        item_tags=_count_tags(code(tables.item_tags), assignments),
        user_item_tags=assignments,
        songs=code(tables.songs),
    )


def _view_of_matrices(data: Dataset, split: MappedSplit, protocol: str, phase: str) -> TrainView:
    """The train view of a folder of matrix form: its arrays stay where they are."""
    check_known("phase", PHASES, phase)
    files = split.files
    matrix, n_items = files.part("train"), len(files.items)
    if phase == "final":
        matrix = train_valid(matrix, files.part("valid"), data.folder / "splits" / PROTOCOL, data.sha256, n_items)
    users, histories = visible(matrix, n_items)
    return TrainView(
        dataset=data.name,
        protocol=protocol,
        phase=phase,
        split_sha256=split.info["split_sha256"],
        count_floor=1,
        items=files.items,
        users=files.users.iloc[users].reset_index(drop=True),
        interactions=cast(pd.DataFrame, StoredInteractions(histories)),
        stored=histories,
    )


def _coded(frame: pd.DataFrame | None, ids: dict[str, pd.Index]) -> Any:
    """A table with int32 codes in place of ids, without rows whose id has none; None for a table that the data lack."""
    if frame is None:
        return None
    there = {column: index for column, index in ids.items() if column in frame}
    codes = {name.removesuffix("_id"): codes_of(frame[name], index).astype(np.int32) for name, index in there.items()}
    known = np.logical_and.reduce([values >= 0 for values in codes.values()])
    rest = frame.drop(columns=list(there))
    return pd.concat([pd.DataFrame(codes, index=frame.index), rest], axis=1)[known].reset_index(drop=True)


def _interactions_in_train(split: Split, held_out: pd.DataFrame) -> pd.DataFrame:
    """Train, and every other part's rows that are not held out, each user's rows in the protocol's order."""
    rows = stack(list(split.parts().values())).drop(columns="position", errors="ignore")
    rows = rows[~among_pairs(rows, held_out)]
    return rows.sort_values("user_id", kind="stable", ignore_index=True)


def _assignments_in_train(rows: pd.DataFrame, held_out: pd.DataFrame, split: Split, protocol: str) -> pd.DataFrame:
    """Tag assignments without held-out pairs; under a cut in time, without those made after it too."""
    kept = ~among_pairs(rows, held_out)
    if split.given is not None:
        kept &= ~rows["user_id"].isin(held_out["user_id"]).to_numpy()
    if protocol.startswith("temporal") and "timestamp" in rows:
        after = pd.concat([split.valid, split.test]).merge(held_out, on=PAIR)["timestamp"].min()
        kept &= rows["timestamp"].to_numpy() < after
    return rows[kept]


def _rows_of(ids: np.ndarray, table: pd.DataFrame, key: str) -> pd.DataFrame:
    return pd.DataFrame({key: ids}).merge(table.astype({key: object}), on=key, how="left")


def _count_tags(catalogue: pd.DataFrame | None, assignments: pd.DataFrame | None) -> pd.DataFrame | None:
    """Tags of items: the catalogue's own weights plus one per assignment in train, sorted by item and tag."""
    if catalogue is None and assignments is None:
        return None
    once = None if assignments is None else assignments[["item", "tag"]].assign(weight=1.0)
    return pd.concat([catalogue, once]).groupby(["item", "tag"])["weight"].sum().reset_index()
