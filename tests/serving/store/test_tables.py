from sqlalchemy import select, text

from common.serving.store.tables import TABLES, feedback


def test_texts_sort_alike_in_every_database(empty_store):
    for name in ("b", "B", "é", "a", "Z"):
        empty_store.feedback.add(name, "x", True)
    rows = empty_store.database.all(select(feedback.c.listener).order_by(feedback.c.listener))
    assert [name for (name,) in rows] == ["B", "Z", "a", "b", "é"]


def test_numbers_come_back_as_they_were(empty_store):
    event = ("listen", 0, 0, 1, 0.1, 2**40)
    with empty_store.database.transaction() as connection:
        empty_store.database.load(connection, TABLES.tables["interactions"], [event])
    assert empty_store.database.all(select(TABLES.tables["interactions"])) == [event]


def test_a_like_has_its_time(empty_store):
    empty_store.feedback.add("me", "x", True)
    assert empty_store.database.one(text("SELECT CAST(at AS text) FROM feedback"))[:2] == "20"
