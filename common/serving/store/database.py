"""An open store: its schema brought up to date, transactions, and the errors of a database in words.

Every value is bound as a parameter, so that a name is never read as SQL.
"""

import contextlib
import logging
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Executable, Table, inspect, text
from sqlalchemy.exc import DBAPIError

from common.serving.store.postgres import PostgresServer
from common.serving.store.sqlite import SQLiteFile
from common.utils.errors import UserError

REVISIONS = ("0001", "0002")
"""Of the schema, oldest first: the files of `migrations`."""
PATIENCE = 10.0
"""Seconds to wait for another process that is writing, and for a server that does not answer."""
Place = SQLiteFile | PostgresServer


class Database:
    """An open store of today's schema."""

    def __init__(self, place: Path | Place, patience: float = PATIENCE) -> None:
        self.place = SQLiteFile(place) if isinstance(place, Path) else place
        with self._errors_in_words():
            self.engine = self.place.engine(patience)
            self._writing = self.engine.execution_options(writes=True)
        try:
            self._prepare()
        except BaseException:
            self.close()
            raise

    def _prepare(self) -> None:
        """The schema, made or brought up to date as a whole or not at all."""
        with self._errors_in_words(), self.engine.connect() as connection:
            if self._is_current(connection):
                return
            self.place.before_migration(connection)
        with self.transaction() as connection:
            self.place.in_migration(connection)
            if not self._is_current(connection):  # another process may have been here while we waited
                migrate(connection)

    def _is_current(self, connection: Connection) -> bool:
        """Whether the schema is today's; a UserError for a later one and for another program's."""
        tables = set(inspect(connection).get_table_names())
        self.place.check(connection, tables)
        if "alembic_version" not in tables:
            return False
        revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        if revision and revision not in REVISIONS:
            raise UserError(f"{self.place} was made by a later version; update, or name or make another store")
        return revision == REVISIONS[-1]

    @contextlib.contextmanager
    def _errors_in_words(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise UserError(f"{self.place} {self.place.remedy(error.orig or error)}") from error
        except self.place.errors as error:
            raise UserError(f"{self.place} {self.place.remedy(error)}") from error

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Everything that the block writes, on disk once it ends, or nothing of it."""
        with self._errors_in_words(), self._writing.begin() as connection:
            yield connection

    def all(self, query: Executable) -> list[tuple[Any, ...]]:
        """All rows of a query, as the driver gives them: texts and numbers need no more."""
        with self._errors_in_words(), self.engine.connect() as connection:
            return connection.execute(query).cursor.fetchall()  # type: ignore[return-value]

    def one(self, query: Executable) -> Any:
        """The first value of a query's first row; None where it has no row."""
        rows = self.all(query)
        return rows[0][0] if rows else None

    def insert(self, table: Table) -> Any:
        """An insertion that can say what happens `on_conflict`, which every database writes in its own way."""
        dialect = import_module(f"sqlalchemy.dialects.{self.engine.dialect.name}")
        return dialect.insert(table).inline()

    def load(self, connection: Connection, table: Table, rows: Iterable[tuple[Any, ...]]) -> None:
        """Add many rows, in the order of the table's columns, in the quickest way of the database."""
        self.place.load(connection, table, rows)

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def migrate(connection: Connection) -> None:
    """Bring a schema up to date, whatever its revision, in the transaction of the connection."""
    logging.getLogger("alembic").setLevel(logging.WARNING)  # which speaks when it is imported
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    folder = Path(__file__).with_name("migrations")
    scripts = ScriptDirectory(folder, version_locations=[folder])

    def steps(revision: Any, _: Any) -> Any:
        return scripts._upgrade_revs(REVISIONS[-1], revision)

    with EnvironmentContext(Config(), scripts, fn=steps) as environment:
        environment.configure(connection=connection)
        environment.run_migrations()
