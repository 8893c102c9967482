"""The catalogue, users, interactions and popularity of each protocol, in the codes of the models."""

import contextlib
import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import Select, delete, func, insert, intersect, select, union_all

from common.serving.store.database import Database
from common.serving.store.tables import TABLES, feedback, interactions, items, popularity, protocols, users, words
from common.serving.store.words import LAST, beginnings, words_of
from common.splits.histories import Histories
from common.utils.errors import UserError

TAGS = 3
"""Tags kept of each item, most given first."""
CHUNK = 10_000
"""Rows written between two steps of the progress bar."""
OF_A_PROTOCOL = (items, words, users, interactions, popularity, protocols)


@dataclass(frozen=True)
class Catalogue:
    """What is known of a protocol's items by code: object (n_items,) each, listeners int64 (n_items,).

    work: the same for versions of one track; tags and genres joined by "|", "" where nothing is known.
    """

    item_ids: np.ndarray
    names: np.ndarray
    artists: np.ndarray
    genres: np.ndarray
    tags: np.ndarray
    works: np.ndarray
    listeners: np.ndarray

    def __len__(self) -> int:
        """Number of items."""
        return len(self.item_ids)

    @cached_property
    def of_artists(self) -> bool:
        """Whether the items are artists, not tracks."""
        known = self.artists != ""
        return bool(known.any() and np.mean(self.names[known] == self.artists[known]) > 0.9)

    def label(self, item: int) -> str:
        """What to call an item: its name, of a track also the artist."""
        name, artist = str(self.names[item]), str(self.artists[item])
        return name if artist in ("", name) else f"{name} - {artist}"


def catalogue_of(train: Any) -> Catalogue:
    """The catalogue of a train view, straight from its tables; listeners as they are counted there."""
    rows = rows_of(train)["items"]
    item_ids, names, artists, genres, tags, works = np.array(rows, object).reshape(-1, 7).T[1:]
    listeners = np.bincount(train.histories.items, minlength=train.n_items).astype(np.int64)
    return Catalogue(item_ids, names, artists, genres, tags, works, listeners)


class Sources(NamedTuple):
    """Hashes of the data and the split that a protocol's rows were made from."""

    data_sha256: str
    split_sha256: str


class CatalogueTables:
    """The tables of the data: for every protocol asked for, the train view of phase `final`."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def holds(self, protocol: str, sources: Sources) -> bool:
        """Whether a protocol's rows are there and were made from these sources."""
        query = select(protocols.c.data_sha256, protocols.c.split_sha256).where(protocols.c.protocol == protocol)
        return self.database.all(query) == [sources]

    def build(self, protocol: str, sources: Sources, tables: dict[str, Sequence[tuple[Any, ...]]]) -> None:
        """Put a protocol's rows in the place of older ones, all of them or none; feedback stays.

        `tables` maps a table's name to its rows without the protocol: items, users, interactions.
        """
        from tqdm import tqdm

        total = sum(map(len, tables.values()))
        progress = tqdm(total=total, desc="store", delay=2, leave=False, disable=None)
        with self.database.transaction() as connection, progress:
            for table in OF_A_PROTOCOL:
                connection.execute(delete(table).where(table.c.protocol == protocol))
            for name, rows in tables.items():
                for start in range(0, len(rows), CHUNK):
                    some = rows[start : start + CHUNK]
                    self.database.load(connection, TABLES.tables[name], ((protocol, *row) for row in some))
                    if name == items.name:
                        self.database.load(connection, words, _words(protocol, some))
                    progress.update(len(some))
            connection.execute(insert(protocols).values((protocol, *sources)))
            self.database.place.after_loading(connection)

    def catalogue(self, protocol: str, day: str | None = None) -> Catalogue:
        """All items of a protocol, with their listeners as counted on a day (today)."""
        columns = [getattr(items.c, name) for name in ("item_id", "name", "artist", "genres", "tags", "work")]
        rows = self.database.all(select(*columns).where(items.c.protocol == protocol).order_by(items.c.item))
        table = [np.array(column, object) for column in zip(*rows, strict=True)] if rows else [np.array([], object)] * 6
        listeners = np.zeros(len(rows), np.int64)
        for item, count in self.popularity(protocol, day):
            listeners[item] = count
        item_ids, names, artists, genres, tags, works = table
        return Catalogue(item_ids, names, artists, genres, tags, works, listeners)

    def popularity(self, protocol: str, day: str | None = None) -> list[tuple[int, int]]:
        """Items and how many listen to them or like them, most first: counted once a day, then cached."""
        day = day or datetime.date.today().isoformat()
        own, most_first = popularity.c.protocol == protocol, (popularity.c.listeners.desc(), popularity.c.item)
        known = select(popularity.c.item, popularity.c.listeners).where(own, popularity.c.day == day)
        if rows := self.database.all(known.order_by(*most_first)):
            return rows
        rows = self.database.all(_counts(protocol))
        # A read-only store still answers.
        with contextlib.suppress(UserError), self.database.transaction() as connection:
            connection.execute(delete(popularity).where(own))
            self.database.load(connection, popularity, ((protocol, day, *row) for row in rows))
        return rows

    def has_times(self, protocol: str) -> bool:
        """Whether events of a protocol have times."""
        times = select(interactions.c.timestamp).where(interactions.c.protocol == protocol)
        return self.database.one(times.limit(1)) is not None

    def user(self, protocol: str, user_id: str) -> int | None:
        """The code of a user, None where there is none of that id."""
        return self.database.one(select(users.c.user).where(users.c.protocol == protocol, users.c.user_id == user_id))

    def user_ids(self, protocol: str) -> list[str]:
        """All ids of users, in the order of their codes."""
        query = select(users.c.user_id).where(users.c.protocol == protocol).order_by(users.c.user)
        return [row[0] for row in self.database.all(query)]

    def history(self, protocol: str, user: int, n_items: int) -> Histories:
        """What a user has, in the protocol's order."""
        query = select(interactions.c.item, interactions.c.weight, interactions.c.timestamp)
        query = query.where(interactions.c.protocol == protocol, interactions.c.user == user)
        rows = self.database.all(query.order_by(interactions.c.position))
        codes, weights, times = zip(*rows, strict=True) if rows else ((), (), ())
        known = np.array(times, np.int64) if times and None not in times else None
        indptr = np.array([0, len(rows)], np.int64)
        return Histories(indptr, np.array(codes, np.int32), np.array(weights, np.float32), n_items, known)

    def search(self, protocol: str, typed: Sequence[str], most: int = 20) -> list[int]:
        """Items whose name or artist has words that begin with all of these, whatever case and accents.

        Those that most listened to on the last day they were counted come first.
        """
        if not (begun := beginnings(typed)):
            return []
        own = words.c.protocol == protocol
        matches = [select(words.c.item).where(own, words.c.word >= one, words.c.word <= one + LAST) for one in begun]
        found = intersect(*matches, matches[0]).subquery()  # a set, also of one word
        counts, counted = popularity.c, popularity.alias().c
        day = select(func.max(counted.day)).where(counted.protocol == protocol).scalar_subquery()
        known = (counts.protocol == protocol, counts.day == day, counts.item == found.c.item)
        listeners = func.coalesce(select(counts.listeners).where(*known).scalar_subquery(), 0)
        query = select(found.c.item).order_by(listeners.desc(), found.c.item).limit(most)
        return [row[0] for row in self.database.all(query)]


def _counts(protocol: str) -> Select:
    """How many listen to each item or like it, most first."""
    events = select(interactions.c.item).where(interactions.c.protocol == protocol)
    liked = select(items.c.item).join_from(items, feedback, items.c.item_id == feedback.c.item_id)
    both = union_all(events, liked.where(items.c.protocol == protocol, feedback.c.liked == 1)).subquery()
    count = func.count().label("listeners")
    return select(both.c.item, count).group_by(both.c.item).order_by(count.desc(), both.c.item)


def _words(protocol: str, rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Rows of the table of words, from rows of items."""
    return [(protocol, word, item) for item, _, name, artist, *_ in rows for word in words_of(name, artist)]


def rows_of(train: Any) -> dict[str, Sequence[tuple[Any, ...]]]:
    """A train view as rows of the tables items, users and interactions."""
    items, n = train.items, train.n_items

    def column(name: str) -> list[str]:
        values = items[name] if name in items else [""] * n
        return [str(value) if isinstance(value, str) else "" for value in values]

    ids = items["item_id"].astype(str).tolist()
    names = [name or item_id for name, item_id in zip(column("name"), ids, strict=True)]
    # Where items are artists, the column `artist` holds their own ids.
    artists = [name if artist == i else artist for name, artist, i in zip(names, column("artist"), ids, strict=True)]
    works = [work or f"item {item_id}" for work, item_id in zip(column("group_id"), ids, strict=True)]
    return {
        "items": list(zip(range(n), ids, names, artists, column("genres"), top_tags(train), works, strict=True)),
        "users": list(enumerate(train.users["user_id"].astype(str).tolist())),
        "interactions": _Events(train.histories),
    }


class _Events(Sequence[tuple[Any, ...]]):
    """Histories as rows user, position, item, weight, time; a slice of them is made when it is asked for."""

    def __init__(self, histories: Histories) -> None:
        self.histories = histories

    def __len__(self) -> int:
        """Number of events."""
        return len(self.histories.items)

    def __getitem__(self, rows: Any) -> Any:
        """The rows of a slice."""
        own, places = self.histories, np.arange(*rows.indices(len(self)))
        users = np.searchsorted(own.indptr, places, side="right") - 1
        times = [None] * len(places) if own.timestamps is None else own.timestamps[places].tolist()
        columns = (users, places - own.indptr[users], own.items[places], own.weights[places])
        return list(zip(*(column.tolist() for column in columns), times, strict=True))


def top_tags(train: Any) -> list[str]:
    """The TAGS most given tags of each item, joined by "|"; "" where it has none."""
    if train.item_tags is None:
        return [""] * train.n_items
    table = train.item_tags.sort_values(["item", "weight", "tag"], ascending=[True, False, True], kind="stable")
    tags = table.groupby("item").head(TAGS).astype({"tag": str}).groupby("item")["tag"].agg("|".join)
    return tags.reindex(range(train.n_items), fill_value="").tolist()
