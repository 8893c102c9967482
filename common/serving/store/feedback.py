"""Likes and dislikes of listeners; the newest on an item counts."""

from sqlalchemy import delete, func, select

from common.serving.store.database import Database
from common.serving.store.tables import feedback


class Feedback:
    """The table of likes and dislikes, by listener and item id."""

    def __init__(self, database: Database) -> None:
        self.database = database
        insert = database.insert(feedback).values(at=func.current_timestamp())
        new = {"liked": insert.excluded.liked, "at": insert.excluded.at}
        self._upsert = insert.on_conflict_do_update(index_elements=["listener", "item_id"], set_=new)

    def add(self, listener: str, item_id: str, liked: bool) -> None:
        """Keep a like or dislike in place of an earlier one of the item. On disk when this returns."""
        with self.database.transaction() as connection:
            connection.execute(self._upsert, {"listener": listener, "item_id": item_id, "liked": int(liked)})

    def remove(self, listener: str, item_id: str | None = None) -> int:
        """Delete a listener's feedback on an item, or all of it; returns the number of rows."""
        removal = delete(feedback).where(feedback.c.listener == listener)
        if item_id is not None:
            removal = removal.where(feedback.c.item_id == item_id)
        with self.database.transaction() as connection:
            return connection.execute(removal).rowcount

    def of(self, listener: str) -> tuple[list[str], list[str]]:
        """Ids of the items that a listener likes, and of those disliked, each in the order of their first feedback."""
        own = select(feedback.c.item_id, feedback.c.liked).where(feedback.c.listener == listener)
        rows = self.database.all(own.order_by(feedback.c.id))
        return [item for item, liked in rows if liked], [item for item, liked in rows if not liked]
