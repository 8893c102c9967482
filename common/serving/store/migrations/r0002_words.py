"""Words of names in a table that every database has, in place of the full-text index that SQLite had.

And an index for clicks that are taken back.
"""

from alembic import op
from sqlalchemy import Column, Integer, insert, text

from common.serving.store.tables import TEXT
from common.serving.store.words import words_of

revision, down_revision = "0002", "0001"


def upgrade() -> None:
    """Make the index and the table, and fill it from the items."""
    connection = op.get_bind()
    op.create_index("clicks_of", "clicks", ["session", "item_id"])
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
