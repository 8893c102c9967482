"""Files of SQLite as releases before SQLAlchemy made them, with rows in every table."""

import sqlite3
from pathlib import Path
from typing import Any

APPLICATION = 1164862319
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
ROWS: dict[str, list[tuple[Any, ...]]] = {
    "protocols": [("listen", "d", "s")],
    "items": [("listen", n, f"i{n}", name, "", "", "", f"w{n}") for n, name in enumerate(("Björk", "The Cure", "!!!"))],
    "names": [(name, "", "listen", n) for n, name in enumerate(("Björk", "The Cure", "!!!"))],
    "users": [("listen", 0, "u0")],
    "interactions": [("listen", 0, 0, 1, 2.5, 1_300_000_000_000), ("listen", 0, 1, 2, 1.0, None)],
    "popularity": [("listen", "2020-01-01", 1, 7)],
    "feedback": [(1, "me", "i1", 1, "2020-01-01 10:00:00"), (5, "me", "i0", 0, "2020-01-02 10:00:00")],
}
SHOWN: dict[str, list[tuple[Any, ...]]] = {
    "impressions": [(3, "r1", "listen", "als,ease", "", "s", "2020-01-01 10:00:00")],
    "impression_items": [(3, 0, "i1", "als"), (3, 1, "i2", "")],
    "clicks": [(4, "r1", "s", "i1", "like", "2020-01-01 10:00:00")],
}


def old_file(path: Path, version: int) -> dict[str, list[tuple[Any, ...]]]:
    """Make a file of user_version 1, 2 or 3; returns the rows that must not be lost."""
    assert int.from_bytes(b"Enco", "big") == APPLICATION
    rows = ROWS | (SHOWN if version == 3 else {})
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(SCHEMA + (IMPRESSIONS if version == 3 else ""))
        for table, added in rows.items():
            connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(added[0]))})", added)
        connection.execute(f"PRAGMA user_version = {version}")
        connection.execute(f"PRAGMA application_id = {APPLICATION if version > 1 else 0}")
    connection.close()
    return {table: kept for table, kept in rows.items() if table != "names"}
