"""The tables of user_version 3 of SQLite files; what a file of versions 1 to 3 has already stays as it is."""

from typing import Any

from alembic import op
from sqlalchemy import CheckConstraint, Column, Index, Integer, MetaData, Table, UniqueConstraint

from common.serving.store.tables import LONG, NUMBER, TEXT, TIME

revision, down_revision = "0001", None

KINDS: dict[str, Any] = {"text": TEXT, "long": LONG, "int": Integer(), "number": NUMBER, "time": TIME}


def columns(keys: str, others: str) -> list[Column[Any]]:
    """Columns from words such as `listener` or `user:int`, those of the primary key first."""
    made: list[Column[Any]] = []
    for words, is_key in ((keys, True), (others, False)):
        for name, _, kind in (word.partition(":") for word in words.split()):
            is_id, may_lack = name == "id", name == "timestamp"
            made.append(Column(name, KINDS[kind or "text"], primary_key=is_key, nullable=may_lack, autoincrement=is_id))
    return made


def tables() -> MetaData:
    """The schema of this revision."""
    schema = MetaData()
    plain: dict[str, Any] = {"sqlite_with_rowid": False}
    counted: dict[str, Any] = {"sqlite_autoincrement": True}
    Table("protocols", schema, *columns("protocol", "data_sha256 split_sha256"))
    described = "item_id name artist genres tags work"
    unique_item = Index("item_ids", "protocol", "item_id", unique=True)
    Table("items", schema, *columns("protocol item:int", described), unique_item, **plain)
    unique_user = Index("user_ids", "protocol", "user_id", unique=True)
    Table("users", schema, *columns("protocol user:int", "user_id"), unique_user, **plain)
    event = columns("protocol user:int position:int", "item:int weight:number timestamp:long")
    Table("interactions", schema, *event, Index("listeners", "protocol", "item"), **plain)
    Table("popularity", schema, *columns("protocol day item:int", "listeners:int"), **plain)
    once, either = UniqueConstraint("listener", "item_id"), CheckConstraint("liked IN (0, 1)")
    Table("feedback", schema, *columns("id:long", "listener item_id liked:int at:time"), either, once, **counted)
    shown = columns("id:long", "request_id protocol experiment listener session at:time")
    found = Index("impressions_of", "protocol", "experiment")
    Table("impressions", schema, *shown, UniqueConstraint("request_id"), found, **counted)
    Table("impression_items", schema, *columns("impression:long position:int", "item_id team"), **plain)
    done = columns("id:long", "request_id session item_id kind at:time")
    Table("clicks", schema, *done, UniqueConstraint("request_id", "session", "item_id", "kind"), **counted)
    return schema


def upgrade() -> None:
    """Make the tables that are not there."""
    tables().create_all(op.get_bind())
