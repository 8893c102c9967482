"""A data set as a SQLite file: looked up by name or id in milliseconds, and where likes and dislikes are kept.

    outputs/<dataset>/library.sqlite

Of every protocol that was asked for it holds what phase `final` shows, in the codes of the models: users, catalogue,
interactions. Names have a full-text index that forgives case and accents (FTS5, unicode61). Listeners of items are
counted once a day, likes included. The file holds rows of the data set, so it is never to be published.

Likes are written in a transaction and synced to disk before the next line is printed (write-ahead log, full sync).
Every value is bound as a parameter, so that a name is never read as SQL.
"""

import contextlib
import datetime
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from common.splits.histories import Histories
from common.utils.errors import UserError
from common.utils.io import display, read_json

VERSION = 2
"""Raised when the schema changes."""
APPLICATION = int.from_bytes(b"Enco", "big")
"""SQLite's application_id of a library, by which a file of anybody else's is known."""
PATIENCE = 10.0
"""Seconds to wait for another process that is writing."""
TAGS = 3
"""Tags kept of each item, most given first."""
CHUNK = 10_000
"""Rows written between two steps of the progress bar."""

SCHEMA = """
CREATE TABLE protocols (protocol TEXT PRIMARY KEY, data_sha256 TEXT NOT NULL, split_sha256 TEXT NOT NULL);
CREATE TABLE items (
    protocol TEXT, item INTEGER, item_id TEXT NOT NULL, name TEXT NOT NULL, artist TEXT NOT NULL,
    genres TEXT NOT NULL, tags TEXT NOT NULL, work TEXT NOT NULL, PRIMARY KEY (protocol, item)) WITHOUT ROWID;
CREATE UNIQUE INDEX item_ids ON items (protocol, item_id);
CREATE VIRTUAL TABLE names USING fts5 (
    name, artist, protocol UNINDEXED, item UNINDEXED, tokenize = 'unicode61 remove_diacritics 2');
CREATE TABLE users (protocol TEXT, user INTEGER, user_id TEXT NOT NULL, PRIMARY KEY (protocol, user)) WITHOUT ROWID;
CREATE UNIQUE INDEX user_ids ON users (protocol, user_id);
CREATE TABLE interactions (
    protocol TEXT, user INTEGER, position INTEGER, item INTEGER NOT NULL, weight REAL NOT NULL, timestamp INTEGER,
    PRIMARY KEY (protocol, user, position)) WITHOUT ROWID;
CREATE INDEX listeners ON interactions (protocol, item);
CREATE TABLE popularity (
    protocol TEXT, day TEXT, item INTEGER, listeners INTEGER NOT NULL, PRIMARY KEY (protocol, day, item)) WITHOUT ROWID;
CREATE TABLE feedback (
    id INTEGER PRIMARY KEY AUTOINCREMENT, listener TEXT NOT NULL, item_id TEXT NOT NULL,
    liked INTEGER NOT NULL CHECK (liked IN (0, 1)), at TEXT NOT NULL, UNIQUE (listener, item_id));
"""
MIGRATIONS = {1: f"PRAGMA application_id = {APPLICATION}"}
"""What turns a library of a version into the next, likes kept."""
OF_A_PROTOCOL = ("items", "names", "users", "interactions", "popularity", "protocols")


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


@dataclass(frozen=True)
class Sources:
    """Hashes of the data and the split that a protocol's rows were made from."""

    data_sha256: str
    split_sha256: str


class Store:
    """An open library. Several processes may have it open; whoever writes waits for the others."""

    def __init__(self, path: Path, patience: float = PATIENCE) -> None:
        self.path = path
        with self._told():
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise UserError(
                    f"cannot write {display(path.parent)}: {error.strerror}; name another folder"
                ) from error
            self.connection = sqlite3.connect(path, timeout=patience, isolation_level=None)
            self.connection.execute(f"PRAGMA busy_timeout = {int(1000 * patience)}")
            self._prepare()

    def _prepare(self) -> None:
        """The schema, made or brought up to date as a whole or not at all; a file that is no library is refused."""
        if self._version() < VERSION:
            self.connection.execute("PRAGMA journal_mode = WAL")
            with self.writing():
                version = self._version()  # another process may have been here while we waited
                for statement in SCHEMA.strip().split(";\n") if version == 0 else ():
                    self.connection.execute(statement)
                for older in range(max(1, version), VERSION):
                    self.connection.execute(MIGRATIONS[older])
                self.connection.execute(f"PRAGMA user_version = {VERSION}")
        self.connection.execute("PRAGMA synchronous = FULL")

    def _version(self) -> int:
        """The version of the schema, 0 for an empty file; a UserError for a later one and for somebody else's file."""
        version, application = self._one("PRAGMA user_version"), self._one("PRAGMA application_id")
        tables = {row[0] for row in self._all("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        name = display(self.path)
        if application == APPLICATION and version > VERSION:
            raise UserError(f"{name} was made by a later version; update, or move the file away")
        ours = application == APPLICATION or not tables or (version == 1 and {"protocols", "feedback"} <= tables)
        if not ours:
            raise UserError(f"{name} is no library of likes; move it away, or choose another --output-dir")
        return version if tables else 0

    def close(self) -> None:
        """Close the file."""
        self.connection.close()

    def __enter__(self) -> "Store":
        """The library itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """What SQLite complains of, in words that say what to do."""
        try:
            yield
        except sqlite3.Error as error:
            name, said = display(self.path), str(error)
            if "locked" in said or "busy" in said:
                remedy = "is in use by another process that does not let go of it; wait for it to end and try again"
            elif "readonly" in said:
                remedy = "cannot be written to; make the file and its folder writable, or choose another --output-dir"
            elif "unable to open" in said:
                remedy = (
                    "cannot be opened; make it a readable file in a writable folder, or choose another --output-dir"
                )
            elif isinstance(error, sqlite3.OperationalError) and ("full" in said or "I/O" in said):
                remedy = f"could not be written ({said}); nothing was changed, free some space and try again"
            else:
                remedy = f"is damaged ({said}); move it away, and it is built anew without the likes that it kept"
            raise UserError(f"{name} {remedy}") from error

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """A transaction: everything that the block writes, or nothing of it."""
        with self._told():
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self.connection.execute("ROLLBACK")
                raise
            self.connection.execute("COMMIT")

    def _all(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._told():
            return self.connection.execute(query, values).fetchall()

    def _one(self, query: str, *values: Any) -> Any:
        rows = self._all(query, *values)
        return rows[0][0] if rows else None

    # What the data say

    def holds(self, protocol: str, sources: Sources) -> bool:
        """Whether a protocol's rows are there and were made from these sources."""
        query = "SELECT data_sha256, split_sha256 FROM protocols WHERE protocol = ?"
        return self._all(query, protocol) == [(sources.data_sha256, sources.split_sha256)]

    def build(self, protocol: str, sources: Sources, tables: dict[str, Sequence[tuple[Any, ...]]]) -> None:
        """Put a protocol's rows in the place of older ones, all of them or none; feedback stays.

        `tables` maps a table's name to its rows without the protocol: items, users, interactions.
        """
        from tqdm import tqdm

        total = sum(map(len, tables.values()))
        with self.writing(), tqdm(total=total, desc="library", delay=2, leave=False, disable=None) as bar:
            for table in OF_A_PROTOCOL:
                self.connection.execute(f"DELETE FROM {table} WHERE protocol = ?", (protocol,))
            for table, rows in tables.items():
                for start in range(0, len(rows), CHUNK):
                    some = rows[start : start + CHUNK]
                    places = ", ".join("?" * (len(some[0]) + 1))
                    added = ((protocol, *row) for row in some)
                    self.connection.executemany(f"INSERT INTO {table} VALUES ({places})", added)
                    bar.update(len(some))
            names = "INSERT INTO names SELECT name, artist, protocol, item FROM items WHERE protocol = ?"
            self.connection.execute(names, (protocol,))
            made = (protocol, sources.data_sha256, sources.split_sha256)
            self.connection.execute("INSERT INTO protocols VALUES (?, ?, ?)", made)

    def catalogue(self, protocol: str, day: str | None = None) -> Catalogue:
        """All items of a protocol, with their listeners as counted on a day (today)."""
        columns = "item_id, name, artist, genres, tags, work"
        rows = self._all(f"SELECT {columns} FROM items WHERE protocol = ? ORDER BY item", protocol)
        table = [np.array(column, object) for column in zip(*rows, strict=True)] if rows else [np.array([], object)] * 6
        listeners = np.zeros(len(rows), np.int64)
        for item, count in self.popularity(protocol, day):
            listeners[item] = count
        item_ids, names, artists, genres, tags, works = table
        return Catalogue(item_ids, names, artists, genres, tags, works, listeners)

    def popularity(self, protocol: str, day: str | None = None) -> list[tuple[int, int]]:
        """Items and how many listen to them or like them, most first: counted once a day, then remembered."""
        day = day or datetime.date.today().isoformat()
        known = "SELECT item, listeners FROM popularity WHERE protocol = ? AND day = ? ORDER BY listeners DESC, item"
        if rows := self._all(known, protocol, day):
            return rows
        count = """
            SELECT item, count(*) AS listeners FROM (
                SELECT item FROM interactions WHERE protocol = ?1 UNION ALL
                SELECT item FROM items JOIN feedback USING (item_id) WHERE protocol = ?1 AND liked)
            GROUP BY item ORDER BY listeners DESC, item"""
        rows = self._all(count, protocol)
        with contextlib.suppress(UserError), self.writing():  # a library that cannot be written to is still read
            self.connection.execute("DELETE FROM popularity WHERE protocol = ?", (protocol,))
            remembered = ((protocol, day, *row) for row in rows)
            self.connection.executemany("INSERT INTO popularity VALUES (?, ?, ?, ?)", remembered)
        return rows

    def has_times(self, protocol: str) -> bool:
        """Whether events of a protocol have times."""
        return self._one("SELECT timestamp FROM interactions WHERE protocol = ? LIMIT 1", protocol) is not None

    def user(self, protocol: str, user_id: str) -> int | None:
        """The code of a user, None where there is none of that id."""
        return self._one("SELECT user FROM users WHERE protocol = ? AND user_id = ?", protocol, user_id)

    def user_ids(self, protocol: str) -> list[str]:
        """All ids of users, in the order of their codes."""
        return [row[0] for row in self._all("SELECT user_id FROM users WHERE protocol = ? ORDER BY user", protocol)]

    def history(self, protocol: str, user: int, n_items: int) -> Histories:
        """What a user has, in the protocol's order."""
        query = "SELECT item, weight, timestamp FROM interactions WHERE protocol = ? AND user = ? ORDER BY position"
        rows = self._all(query, protocol, user)
        times = [row[2] for row in rows]
        return Histories(
            np.array([0, len(rows)], np.int64),
            np.array([row[0] for row in rows], np.int32),
            np.array([row[1] for row in rows], np.float32),
            n_items,
            None if None in times or not times else np.array(times, np.int64),
        )

    def search(self, protocol: str, words: Sequence[str], most: int = 20) -> list[int]:
        """Items whose name or artist has words that begin with all of these, whatever case and accents."""
        if not words:
            return []
        wanted = " ".join('"' + word.replace('"', '""') + '"*' for word in words)  # FTS5's own quoting; bound below
        query = "SELECT item FROM names WHERE names MATCH ? AND protocol = ? ORDER BY rank LIMIT ?"
        return [row[0] for row in self._all(query, wanted, protocol, most)]

    # What listeners say

    def say(self, listener: str, item_id: str, liked: bool) -> None:
        """Keep that somebody likes or dislikes an item; the last word counts. On disk when this returns."""
        keep = """
            INSERT INTO feedback (listener, item_id, liked, at) VALUES (?, ?, ?, datetime('now'))
            ON CONFLICT (listener, item_id) DO UPDATE SET liked = excluded.liked, at = excluded.at"""
        with self.writing():
            self.connection.execute(keep, (listener, item_id, int(liked)))

    def unsay(self, listener: str, item_id: str | None = None) -> int:
        """Forget what somebody said of an item, or of all; how many words that were."""
        with self.writing():
            if item_id is None:
                return self.connection.execute("DELETE FROM feedback WHERE listener = ?", (listener,)).rowcount
            both = (listener, item_id)
            return self.connection.execute("DELETE FROM feedback WHERE listener = ? AND item_id = ?", both).rowcount

    def said(self, listener: str) -> tuple[list[str], list[str]]:
        """Ids of the items that somebody likes, and of those disliked, each in the order they were first said."""
        rows = self._all("SELECT item_id, liked FROM feedback WHERE listener = ? ORDER BY id", listener)
        return [item for item, liked in rows if liked], [item for item, liked in rows if not liked]


def open_store(dataset: str, protocol: str, data_dir: Path, output_dir: Path, synthetic: Any = None) -> Store:
    """The library of a data set (its resolved name or an own folder), with the rows of a protocol folder (`listen`).

    Prepared data and the split are made first where they are missing; rows that come from older ones are replaced.
    """
    from common.data.dataset import load_dataset
    from common.data.sources.registry import resolve_name

    name = resolve_name(dataset, data_dir, synthetic)
    library = Store(output_dir / name / "library.sqlite")
    sources = _sources(data_dir / name, protocol)
    if sources and library.holds(protocol, sources):
        return library
    from common.splits.train_view import load_train_view

    data = load_dataset(dataset, data_dir, synthetic)
    train = load_train_view(data, protocol, "final")
    library.build(protocol, Sources(data.sha256, train.split_sha256), rows_of(train))
    return library


def _sources(folder: Path, protocol: str) -> Sources | None:
    """What the prepared files say they are; None where there are none yet."""
    manifest, split = folder / "manifest.json", folder / "splits" / protocol / "split.json"
    if not (manifest.exists() and split.exists()):
        return None
    return Sources(read_json(manifest).get("sha256", ""), read_json(split).get("split_sha256", ""))


def rows_of(train: Any) -> dict[str, Sequence[tuple[Any, ...]]]:
    """A phase's visible data (`TrainView`) as rows of the tables items, users and interactions."""
    items, n = train.items, train.n_items

    def column(name: str) -> list[str]:
        values = items[name] if name in items else [""] * n
        return [str(value) if isinstance(value, str) else "" for value in values]

    ids = items["item_id"].astype(str).tolist()
    names = [name or item_id for name, item_id in zip(column("name"), ids, strict=True)]
    # Where items are artists, the column `artist` holds their own ids.
    artists = [name if artist == i else artist for name, artist, i in zip(names, column("artist"), ids, strict=True)]
    works = [work or f"item {item_id}" for work, item_id in zip(column("group_id"), ids, strict=True)]
    events = train.interactions
    order = events["user"].to_numpy().argsort(kind="stable")
    events = events.iloc[order]
    position = np.arange(len(events)) - train.histories.indptr[events["user"].to_numpy()]
    times = events["timestamp"].tolist() if "timestamp" in events else [None] * len(events)
    columns = (events["user"].tolist(), position.tolist(), events["item"].tolist(), events["weight"].tolist(), times)
    return {
        "items": list(zip(range(n), ids, names, artists, column("genres"), top_tags(train), works, strict=True)),
        "users": list(enumerate(train.users["user_id"].astype(str).tolist())),
        "interactions": list(zip(*columns, strict=True)),
    }


def top_tags(train: Any) -> list[str]:
    """The TAGS most given tags of each item, joined by "|"; "" where it has none."""
    found = [""] * train.n_items
    if train.item_tags is None:
        return found
    table = train.item_tags.sort_values(["item", "weight", "tag"], ascending=[True, False, True], kind="stable")
    for item, tags in table.groupby("item").head(TAGS).groupby("item")["tag"]:
        found[item] = "|".join(tags.astype(str))
    return found
