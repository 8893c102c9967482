"""Words of names in a table that every database has, in place of the full-text index that SQLite had."""

from alembic import op
from sqlalchemy import Column, Integer, Text, insert, text
from sqlalchemy.dialects import postgresql

from common.serving.store.words import words_of

revision, down_revision = "0002", "0001"

TEXT = Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the table and fill it from the items."""
    connection = op.get_bind()
    op.execute("DROP TABLE IF EXISTS names")
    keys = (("protocol", TEXT), ("word", TEXT), ("item", Integer()))
    columns = [Column(name, kind, primary_key=True, autoincrement=False) for name, kind in keys]
    words = op.create_table("words", *columns, sqlite_with_rowid=False)
    known = connection.execute(text("SELECT protocol, item, name, artist FROM items"))
    while rows := known.fetchmany(10_000):
        added = [
            {"protocol": protocol, "item": item, "word": word}
            for protocol, item, name, artist in rows
            for word in words_of(name, artist)
        ]
        if added:
            connection.execute(insert(words), added)
