"""A store on a PostgreSQL server, for services on several machines.

    --store postgresql+psycopg://user@host/database

Every data set has a schema of its own in the database. A transaction is on the server's disk before it returns. The
driver is imported with the first connection: `pip install -r requirements-serve.txt`.
"""

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError
from sqlalchemy.schema import CreateSchema

from common.serving.store.tables import TABLES
from common.utils.errors import UserError

USAGE = "give postgresql+psycopg://user@host/database, or leave --store out to keep likes in --output-dir"
LONGEST = 63
"""Bytes of a name in PostgreSQL."""
REMEDIES = (
    (
        ("28",),
        ("password", "pg_hba.conf", 'role "'),
        "refuses this user ({message}); correct --store, or the password in PGPASSWORD or ~/.pgpass",
    ),
    (("3D",), ("does not exist",), "is not there; make the database with createdb, or correct --store"),
    (
        ("42501",),
        (),
        "does not allow this user to do that ({message}); let the database's owner grant it, or name another user",
    ),
    (("53",), ("too many", "slots"), "has no room ({message}); nothing was changed, free some and try again"),
    (("55P03", "40"), (), "is in use by another process that does not let go of it; wait for it to end and try again"),
    (("25006",), (), "is a read-only copy; name the server that takes writes in --store"),
    (
        ("22", "23", "54"),
        ("NUL",),
        "does not take these values ({message}); nothing was changed, correct them and try again",
    ),
    (("08", "57"), ("",), "is away ({message}); start the server or correct --store, and try again"),
    (("",), (), "is not as it was left ({message}); put its tables back, or name another database in --store"),
)
"""Beginnings of an SQLSTATE, words of a message that has none since no connection came about -> what to do about it."""


@dataclass(frozen=True)
class PostgresServer:
    """The place of a data set's store in a database. Several processes on several machines may have it open."""

    url: URL
    dataset: str

    @staticmethod
    def parse(url: str, dataset: str = "") -> "PostgresServer":
        """The place that a `--store` names; a UserError, which does not repeat it, for anything else."""
        try:
            made = make_url(url)
        except (ArgumentError, ValueError):
            raise UserError(f"--store is no address of a database; {USAGE}") from None
        if made.drivername not in ("postgresql", "postgresql+psycopg"):
            raise UserError(f"--store takes no other database than PostgreSQL; {USAGE}")
        if "@" in f"{made.host}{made.database}":
            raise UserError(f"--store is no address of a database: the @ of a password is written %40; {USAGE}")
        if not made.database:
            raise UserError(f"--store names no database; {USAGE}")
        return PostgresServer(made.set(drivername="postgresql+psycopg"), dataset)

    @cached_property
    def errors(self) -> tuple[type[BaseException], ...]:
        """What the driver raises by itself, which is during COPY."""
        return (_driver().Error,)

    def __str__(self) -> str:
        """The database as messages show it, never with a password."""
        url = self.url
        return str(URL.create("postgresql", url.username, None, url.host, url.port, url.database))

    def identity(self) -> int:
        """The same for ever: another server in its place is connected to like this one after a restart."""
        return 1

    @property
    def schema(self) -> str:
        """The schema of the data set; a name that PostgreSQL would cut is replaced by its hash."""
        name = f"encore_{self.dataset}"
        return name if len(name.encode()) <= LONGEST else f"encore_{hashlib.sha256(name.encode()).hexdigest()[:40]}"

    def engine(self, patience: float) -> Engine:
        """Its connections, which wait so many seconds for the server, and for another process that has locked a row."""
        _driver()
        seconds = max(2, math.ceil(patience))
        waits = {"connect_timeout": seconds, "tcp_user_timeout": 1000 * seconds}
        made = create_engine(self.url, pool_pre_ping=True, connect_args=waits)

        @event.listens_for(made, "connect")
        def connected(connection: Any, _: Any) -> None:
            path = '"' + self.schema.replace('"', '""') + '"'
            wait = max(1, int(1000 * patience))
            connection.execute(f"SET search_path TO {path}; SET lock_timeout TO {wait}; SET synchronous_commit TO on")
            connection.commit()

        return made

    def check(self, connection: Connection, tables: set[str]) -> None:
        """A UserError where the schema has tables that are not of a store."""
        if tables and "alembic_version" not in tables:
            raise UserError(f"{self}: schema {self.schema} is another program's; name another database in --store")

    def before_migration(self, connection: Connection) -> None:
        """Nothing that must be done outside a transaction."""

    def in_migration(self, connection: Connection) -> None:
        """Let other processes that open the store wait, and make the schema of the data set."""
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:schema))"), {"schema": self.schema})
        connection.execute(CreateSchema(self.schema, if_not_exists=True))

    def load(self, connection: Connection, table: Table, rows: Iterable[tuple[Any, ...]]) -> None:
        """Add rows by COPY, whose values are in the order of the table's columns."""
        names = connection.dialect.identifier_preparer
        columns = ", ".join(map(names.format_column, table.columns))
        copying = f"COPY {names.format_table(table)} ({columns}) FROM STDIN"
        with connection.connection.cursor() as cursor, cursor.copy(copying) as copy:  # type: ignore[attr-defined]
            for row in rows:
                copy.write_row(row)

    def after_loading(self, connection: Connection) -> None:
        """Count what the tables hold, by which queries are planned, at once and not when the server finds the time."""
        for table in TABLES.sorted_tables:
            connection.exec_driver_sql(f"ANALYZE {table.name}")

    def remedy(self, error: BaseException) -> str:
        """What is wrong with the server and what to do about it, without a password."""
        message = " ".join(str(error).split("\n")[0].split())
        for secret in (self.url.password, self.url.query.get("password")):
            message = message.replace(str(secret), "***") if secret else message
        state = getattr(error, "sqlstate", None) or ""
        fitting = (
            told
            for states, words, told in REMEDIES
            if (state.startswith(states) if state else any(word in message for word in words))
        )
        return next(fitting).format(message=message)


def _driver() -> Any:
    try:
        import psycopg
    except ModuleNotFoundError:
        raise UserError("--store postgresql needs psycopg: pip install -r requirements-serve.txt") from None
    return psycopg
