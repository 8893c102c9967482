"""A store in a file of SQLite, which is the default.

    outputs/<dataset>/library.sqlite

The file holds rows of the data set, so it is never to be published. A transaction is synced to disk before it returns
(write-ahead log, full sync).
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, insert

from common.utils.errors import UserError
from common.utils.io import display

APPLICATION = int.from_bytes(b"Enco", "big")
"""SQLite's application_id of a store, by which a file of another program is told."""
VERSION = 4
"""SQLite's user_version of today's files, so that releases before Alembic's table refuse them."""
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


@dataclass(frozen=True)
class SQLiteFile:
    """The place of a store on this machine. Several processes may have it open; whoever writes waits for the others."""

    path: Path
    errors = (sqlite3.Error,)

    def __str__(self) -> str:
        """The file as messages show it."""
        return display(self.path)

    def identity(self) -> int:
        """The file's inode, 0 where there is none."""
        return self.path.stat().st_ino if self.path.exists() else 0

    def engine(self, patience: float) -> Engine:
        """Its connections, which wait so many seconds for another process that is writing."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            folder = display(self.path.parent)
            raise UserError(f"cannot write {folder}: {error.strerror}; name another folder") from error
        made = create_engine(URL.create("sqlite", database=str(self.path)), connect_args={"timeout": patience})
        event.listen(made, "connect", _connected)
        event.listen(made, "begin", _begun)
        return made

    def check(self, connection: Connection, tables: set[str]) -> None:
        """A UserError where the file is of a later version, or another program's."""
        version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        application = connection.exec_driver_sql("PRAGMA application_id").scalar_one()
        if application == APPLICATION and version > VERSION:
            raise UserError(f"{self} was made by a later version; update, or move the file away")
        if application != APPLICATION and tables and not (version == 1 and {"protocols", "feedback"} <= tables):
            raise UserError(f"{self} is another program's file; move it away, or choose another --output-dir")

    def before_migration(self, connection: Connection) -> None:
        """Switch the write-ahead log on, which is impossible in a transaction and lasts."""
        connection.exec_driver_sql("PRAGMA journal_mode = WAL")

    def in_migration(self, connection: Connection) -> None:
        """Sign the file; its transaction locks it."""
        connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION}")
        connection.exec_driver_sql(f"PRAGMA user_version = {VERSION}")

    def load(self, connection: Connection, table: Table, rows: Iterable[tuple[Any, ...]]) -> None:
        """Add rows, whose values are in the order of the table's columns."""
        if rows := list(rows):
            connection.exec_driver_sql(str(insert(table).compile(dialect=connection.dialect)), rows)

    def after_loading(self, connection: Connection) -> None:
        """Nothing: SQLite plans its queries by the indexes alone."""

    def remedy(self, error: BaseException) -> str:
        """What is wrong with the file and what to do about it.

        >>> SQLiteFile(Path("x")).remedy(sqlite3.OperationalError("database or disk is full"))
        'could not be written (database or disk is full); nothing was changed, free some space and try again'
        """
        message = str(error)
        told = next(told for words, told in REMEDIES if any(word in message for word in words))
        return told.format(message=message)


def _connected(connection: sqlite3.Connection, _: Any) -> None:
    connection.isolation_level = None  # transactions begin below, not where the module thinks that they should
    connection.execute("PRAGMA synchronous = FULL")


def _begun(connection: Connection) -> None:
    if connection.get_execution_options().get("writes"):
        connection.connection.driver_connection.execute("BEGIN IMMEDIATE")  # type: ignore[union-attr]
