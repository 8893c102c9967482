"""A few users, and what every model recommends to them, by name."""

import difflib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from common.data.dataset import Dataset, stored_at
from common.evaluation.task import Task
from common.reporting.html.leaderboards import Leaderboard
from common.splits.protocols import N_GIVEN
from common.splits.store import load_split
from common.splits.train_view import TrainView
from common.utils.errors import UserError
from common.utils.io import read_json, read_parquet

TOP = 10
N_SAMPLED = 3
"""Users that are shown where none are named."""


@dataclass(frozen=True)
class ListedItem:
    """An item in a list: its id and name, how many of the models recommend it, and whether it is held out."""

    item: str
    name: str
    models: int
    held_out: bool


@dataclass(frozen=True)
class SampleUser:
    """One user: the visible history, the held-out items with the number of models that found each, and all lists."""

    user: str
    history: list[str]
    order: str
    held_out: list[tuple[str, int]]
    lists: dict[str, list[ListedItem]]

    @property
    def hits(self) -> dict[str, int]:
        """How many held-out items are in each model's list."""
        return {label: sum(item.held_out for item in items) for label, items in self.lists.items()}


class SampleUsers:
    """The evaluated users of one leaderboard, from its runs' files and, for names and histories, the prepared data."""

    def __init__(self, board: Leaderboard, data_dir: Path) -> None:
        self.board, self.data = board, _matching_data(board, data_dir)
        first = next(iter(board.results.values()), None)
        self.targets = pd.DataFrame({"user_id": [], "item_id": []}) if first is None else _plain(first.targets)

    @cached_property
    def users(self) -> list[str]:
        """Ids of all evaluated users."""
        return self.targets["user_id"].drop_duplicates().tolist()

    @cached_property
    def names(self) -> dict[str, str]:
        """Name of each item, with its artist where items are tracks; empty without the data."""
        if self.data is None:
            return {}
        items = read_parquet(self.data.folder / "items.parquet")
        names = items["name"] if "name" in items else items["item_id"]
        ids = items["item_id"].astype(object)
        names = names.astype(object).where(names.notna(), ids)
        if "artist" in items:  # of a data set of artists, the artist is the item
            artists = items["artist"].astype(object)
            names = names.where(artists.isna() | (artists == ids), names + " · " + artists.fillna(""))
        return dict(zip(ids, names, strict=True))

    def sample(self, named: Sequence[str]) -> list[SampleUser]:
        """Those of the named users who were evaluated; the first few where none are named."""
        chosen = [user for user in named if user in set(self.users)] if named else self.users[:N_SAMPLED]
        best_first = self.board.rows.sort_values("valid_ndcg_10", ascending=False)["label"]
        shown = [label for label in best_first if label in self.board.results]
        lists = {label: _plain(self.board.results[label].recommendations) for label in shown}
        return [self._sample_user(user, lists) for user in chosen]

    def _sample_user(self, user: str, lists: dict[str, pd.DataFrame]) -> SampleUser:
        own = {label: _first_items(table, user) for label, table in lists.items()}
        models = Counter(item for items in own.values() for item in items)
        held_out = self.targets.loc[self.targets["user_id"] == user, "item_id"].tolist()
        history, order = self.history(user)
        return SampleUser(
            user=user,
            history=history,
            order=order,
            held_out=sorted(((self.name(item), models[item]) for item in held_out), key=lambda found: -found[1]),
            lists={
                label: [ListedItem(item, self.name(item), models[item], item in held_out) for item in items]
                for label, items in own.items()
            },
        )

    def name(self, item: str) -> str:
        """An item's name, else its id."""
        return str(self.names.get(item, item))

    @cached_property
    def _train(self) -> TrainView:
        assert self.data is not None
        task = Task(self.data, self.board.protocol)
        return task.train_valid if self.board.part == "test" else task.train

    def history(self, user: str) -> tuple[list[str], str]:
        """The names of the items in a user's visible history, and how they are ordered."""
        if self.data is None:
            return [], ""
        given = load_split(self.data, self.board.protocol).given if "newcomer" in self.board.protocol else None
        if given is not None:
            mine = given[(given["user_id"] == user) & (given["position"] < max(N_GIVEN))].sort_values("position")
            return [self.name(item) for item in mine["item_id"].astype(object)], "all given items"
        train = self._train
        code = np.flatnonzero(train.users["user_id"] == user)
        history = train.histories.take(code)
        items, order = history.items, "oldest first"
        if self.board.protocol.startswith("listen"):
            items = items[np.argsort(-history.weights, kind="stable")]
            order = "most played first" if len(set(history.weights)) > 1 else "in no order"
        return [self.name(item) for item in train.items["item_id"].iloc[items]], order


def _matching_data(board: Leaderboard, data_dir: Path) -> Dataset | None:
    """The prepared data of a leaderboard, if they and their split are those of its runs."""
    folder = stored_at(board.dataset, data_dir)
    split = folder / "splits" / board.protocol / "split.json"
    if not split.exists() or not (folder / "manifest.json").exists():
        return None
    try:
        data, info = Dataset(board.dataset, folder, read_json(folder / "manifest.json")), read_json(split)
        same = (info["split_sha256"], info["data_sha256"]) == (board.split_sha256, data.sha256)
    except (UserError, KeyError, TypeError):  # damaged: made anew by the next stage
        return None
    return data if same else None


def _plain(table: pd.DataFrame) -> pd.DataFrame:
    """A table of results with plain ids; of newcomers what was made of the largest given set."""
    if "given" in table:
        table = table[table["given"] == table["given"].max()]
    return table.assign(user_id=table["user_id"].astype(object), item_id=table["item_id"].astype(object))


def _first_items(table: pd.DataFrame, user: str) -> list[str]:
    mine = table[(table["user_id"] == user) & (table["rank"] <= TOP)]
    return mine.sort_values("rank")["item_id"].tolist()


def check_users(named: Sequence[str], samples: Sequence[SampleUsers]) -> None:
    """Raise a UserError for the first named user whom no data set and protocol has evaluated."""
    known = dict.fromkeys(user for sample in samples for user in sample.users)
    for user in named:
        if user not in known:
            near = difflib.get_close_matches(user, known, n=3) or list(known)[:3]
            raise UserError(
                f"--users {user}: no evaluated user has that id; there are, for instance, {', '.join(near)}"
            )
