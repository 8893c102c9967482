"""Likes and dislikes of listeners; the newest on an item counts."""

from common.serving.store.schema import Database


class Feedback:
    """The table of likes and dislikes, by listener and item id."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def add(self, listener: str, item_id: str, liked: bool) -> None:
        """Keep a like or dislike in place of an earlier one of the item. On disk when this returns."""
        insert = """
            INSERT INTO feedback (listener, item_id, liked, at) VALUES (?, ?, ?, datetime('now'))
            ON CONFLICT (listener, item_id) DO UPDATE SET liked = excluded.liked, at = excluded.at"""
        with self.database.transaction() as connection:
            connection.execute(insert, (listener, item_id, int(liked)))

    def remove(self, listener: str, item_id: str | None = None) -> int:
        """Delete a listener's feedback on an item, or all of it; returns the number of rows."""
        where, values = "listener = ?", (listener,) if item_id is None else (listener, item_id)
        where += "" if item_id is None else " AND item_id = ?"
        with self.database.transaction() as connection:
            return connection.execute(f"DELETE FROM feedback WHERE {where}", values).rowcount

    def of(self, listener: str) -> tuple[list[str], list[str]]:
        """Ids of the items that a listener likes, and of those disliked, each in the order of their first feedback."""
        rows = self.database.all("SELECT item_id, liked FROM feedback WHERE listener = ? ORDER BY id", listener)
        return [item for item, liked in rows if liked], [item for item, liked in rows if not liked]
