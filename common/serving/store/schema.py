"""The SQLite file of a data set: its tables, migrations, transactions, and SQLite's errors in words.

    outputs/<dataset>/library.sqlite

Names have a full-text index that ignores case and accents (FTS5, unicode61). The file holds rows of the data set, so it
is never to be published. A transaction is synced to disk before it returns (write-ahead log, full sync). Every value
is bound as a parameter, so that a name is never read as SQL.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from common.utils.errors import UserError
from common.utils.io import display

VERSION = 3
"""Raised when the schema changes."""
APPLICATION = int.from_bytes(b"Enco", "big")
"""SQLite's application_id of a store, by which a file of another program is told."""
PATIENCE = 10.0
"""Seconds to wait for another process that is writing."""

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
"""The first version; a new file becomes it, then goes through every migration."""
IMPRESSIONS = """
CREATE TABLE impressions (
    id INTEGER PRIMARY KEY AUTOINCREMENT, request_id TEXT NOT NULL UNIQUE, protocol TEXT NOT NULL,
    experiment TEXT NOT NULL, listener TEXT NOT NULL, session TEXT NOT NULL, at TEXT NOT NULL);
CREATE INDEX impressions_of ON impressions (protocol, experiment);
CREATE TABLE impression_items (
    impression INTEGER, position INTEGER, item_id TEXT NOT NULL, team TEXT NOT NULL,
    PRIMARY KEY (impression, position)) WITHOUT ROWID;
CREATE TABLE clicks (
    id INTEGER PRIMARY KEY AUTOINCREMENT, request_id TEXT NOT NULL, session TEXT NOT NULL, item_id TEXT NOT NULL,
    kind TEXT NOT NULL, at TEXT NOT NULL, UNIQUE (request_id, session, item_id, kind));
"""
"""Lists that were shown, the team of each item in an interleaved one, and what was done with them."""
MIGRATIONS = {1: f"PRAGMA application_id = {APPLICATION}", 2: IMPRESSIONS}
"""What turns a store of a version into the next, likes kept."""
REMEDIES = (
    (("locked", "busy"), "is in use by another process that does not let go of it; wait for it to end and try again"),
    (("readonly",), "cannot be written to; make the file and its folder writable, or choose another --output-dir"),
    (
        ("unable to open",),
        "cannot be opened; make it a readable file in a writable folder, or choose another --output-dir",
    ),
    (("full", "I/O"), "could not be written ({message}); nothing was changed, free some space and try again"),
    (("",), "is damaged ({message}); move it away, and it is built anew without the likes that it kept"),
)
"""Words of SQLite's message -> what is wrong and what to do about it; the last fits every message."""


class Database:
    """An open file of the schema above. Several processes may have it open; whoever writes waits for the others."""

    def __init__(self, path: Path, patience: float = PATIENCE) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"cannot write {display(path.parent)}: {error.strerror}; name another folder") from error
        with self._errors_in_words():
            self.connection = sqlite3.connect(path, timeout=patience, isolation_level=None)
            self.connection.execute(f"PRAGMA busy_timeout = {int(1000 * patience)}")
            self._prepare()

    def _prepare(self) -> None:
        """The schema, made or brought up to date as a whole or not at all."""
        if self._version() < VERSION:
            self.connection.execute("PRAGMA journal_mode = WAL")
            with self.transaction():
                version = self._version()  # another process may have been here while we waited
                scripts = [SCHEMA] * (version == 0) + [MIGRATIONS[v] for v in range(max(1, version), VERSION)]
                for statement in (one for script in scripts for one in script.strip().split(";\n")):
                    self.connection.execute(statement)
                self.connection.execute(f"PRAGMA user_version = {VERSION}")
        self.connection.execute("PRAGMA synchronous = FULL")

    def _version(self) -> int:
        """The version of the schema, 0 for an empty file; a UserError for a later one and for another program's."""
        version, application = self.one("PRAGMA user_version"), self.one("PRAGMA application_id")
        tables = {row[0] for row in self.all("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        name = display(self.path)
        if application == APPLICATION and version > VERSION:
            raise UserError(f"{name} was made by a later version; update, or move the file away")
        ours = application == APPLICATION or not tables or (version == 1 and {"protocols", "feedback"} <= tables)
        if not ours:
            raise UserError(f"{name} is another program's file; move it away, or choose another --output-dir")
        return version if tables else 0

    @contextlib.contextmanager
    def _errors_in_words(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise UserError(f"{display(self.path)} {remedy(error)}") from error

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Everything that the block writes, or nothing of it."""
        with self._errors_in_words():
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
            except BaseException:
                self.connection.execute("ROLLBACK")
                raise
            self.connection.execute("COMMIT")

    def all(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        with self._errors_in_words():
            return self.connection.execute(query, values).fetchall()

    def one(self, query: str, *values: Any) -> Any:
        """The first value of a query's first row; None where it has no row."""
        rows = self.all(query, *values)
        return rows[0][0] if rows else None


def remedy(error: sqlite3.Error) -> str:
    """What is wrong with the file and what to do about it.

    >>> remedy(sqlite3.OperationalError("database or disk is full"))
    'could not be written (database or disk is full); nothing was changed, free some space and try again'
    """
    message = str(error)
    told = next(told for words, told in REMEDIES if any(word in message for word in words))
    return told.format(message=message)
