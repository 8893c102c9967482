"""The tables of a store, the same in every database; `migrations` makes them, and a test holds both together."""

from typing import Any

from sqlalchemy import (
    REAL,
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

TABLES = MetaData()
"""Of each data set; rows of the data are kept by protocol, in the codes of its models."""

# The kinds of columns stay what they are, since migrations are written with them, too.
LONG = BigInteger().with_variant(Integer(), "sqlite")
NUMBER: Any = Double().with_variant(REAL(), "sqlite")
TEXT = Text().with_variant(Text(collation="C"), "postgresql")
"""Sorted by code points everywhere, whatever the language of the server."""
TIME = DateTime(timezone=True).with_variant(Text(), "sqlite")
PLAIN: dict[str, Any] = {"sqlite_with_rowid": False}


def _own(name: str, kind: Any = TEXT) -> Column[Any]:
    return Column(name, kind, nullable=False)


def _key(name: str, kind: Any = TEXT) -> Column[Any]:
    return Column(name, kind, primary_key=True, autoincrement=False)


def _id() -> Column[Any]:
    return Column("id", LONG, primary_key=True, autoincrement=True)


protocols = Table("protocols", TABLES, _key("protocol"), _own("data_sha256"), _own("split_sha256"))
items = Table(
    "items",
    TABLES,
    *(_key("protocol"), _key("item", Integer)),
    *(_own(name) for name in ("item_id", "name", "artist", "genres", "tags", "work")),
    Index("item_ids", "protocol", "item_id", unique=True),
    **PLAIN,
)
words = Table("words", TABLES, _key("protocol"), _key("word"), _key("item", Integer), **PLAIN)
"""Folded words of names and artists (`words.words_of`), for searches by their beginnings."""
users = Table(
    "users",
    TABLES,
    *(_key("protocol"), _key("user", Integer), _own("user_id")),
    Index("user_ids", "protocol", "user_id", unique=True),
    **PLAIN,
)
interactions = Table(
    "interactions",
    TABLES,
    *(_key("protocol"), _key("user", Integer), _key("position", Integer)),
    *(_own("item", Integer), _own("weight", NUMBER), Column("timestamp", LONG)),
    Index("listeners", "protocol", "item"),
    **PLAIN,
)
popularity = Table(
    "popularity", TABLES, _key("protocol"), _key("day"), _key("item", Integer), _own("listeners", Integer), **PLAIN
)
feedback = Table(
    "feedback",
    TABLES,
    *(_id(), _own("listener"), _own("item_id"), _own("liked", Integer), _own("at", TIME)),
    CheckConstraint("liked IN (0, 1)"),
    UniqueConstraint("listener", "item_id"),
    sqlite_autoincrement=True,
)
impressions = Table(
    "impressions",
    TABLES,
    _id(),
    *(_own(name) for name in ("request_id", "protocol", "experiment", "listener", "session")),
    _own("at", TIME),
    UniqueConstraint("request_id"),
    Index("impressions_of", "protocol", "experiment"),
    sqlite_autoincrement=True,
)
"""Lists that were shown; the team of each item stands in `impression_items`, what was done with them in `clicks`."""
impression_items = Table(
    "impression_items",
    TABLES,
    *(_key("impression", LONG), _key("position", Integer), _own("item_id"), _own("team")),
    **PLAIN,
)
clicks = Table(
    "clicks",
    TABLES,
    *(_id(), *(_own(name) for name in ("request_id", "session", "item_id", "kind")), _own("at", TIME)),
    UniqueConstraint("request_id", "session", "item_id", "kind"),
    Index("clicks_of", "session", "item_id"),
    sqlite_autoincrement=True,
)
