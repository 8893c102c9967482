import sqlite3

import pytest

from common.serving.http.experiment import keep_feedback
from common.serving.http.feedback_writer import FeedbackWriter
from common.serving.http.schemas import FeedbackRequest
from common.serving.store.sqlite import SQLiteFile
from common.serving.store.store import Store
from common.utils.errors import UserError


@pytest.fixture
def writer(tmp_path):
    writer = FeedbackWriter(SQLiteFile(tmp_path / "out" / "library.sqlite"))
    yield writer
    writer.close()


def like(item, user="ann", kind="like"):
    return FeedbackRequest(session="s", user=user, item=item, kind=kind)


def kept(writer, listener="ann"):
    with Store(writer.place.path) as store:
        return store.feedback.of(listener)


def test_what_is_acknowledged_is_in_the_file(writer):
    writer.submit(keep_feedback, like("a")).result()
    writer.submit(keep_feedback, like("b", kind="dislike")).result()
    assert kept(writer) == (["a"], ["b"])


def test_a_store_that_is_away_comes_back(writer):
    writer.submit(keep_feedback, like("a")).result()
    away = writer.place.path.rename(writer.place.path.with_suffix(".away"))
    for _ in range(2):
        with pytest.raises(UserError, match="is not there any more; put it back"):
            writer.submit(keep_feedback, like("b")).result()
    assert not writer.place.path.exists(), "no empty one takes its place"
    away.rename(writer.place.path)
    writer.submit(keep_feedback, like("c")).result()
    assert kept(writer) == (["a", "c"], [])


def test_another_file_in_its_place_is_opened(writer):
    writer.submit(keep_feedback, like("a")).result()
    other = writer.place.path.with_name("other.sqlite")
    Store(other).close()
    for path in (writer.place.path, *writer.place.path.parent.glob("library.sqlite-*")):
        path.rename(path.with_name(f"old {path.name}"))
    other.rename(writer.place.path)
    writer.submit(keep_feedback, like("b")).result()
    assert kept(writer) == (["b"], [])


def test_a_locked_store_is_refused_and_taken_up_again(writer, monkeypatch):
    monkeypatch.setattr("common.serving.http.feedback_writer.PATIENCE", 0.05)
    writer.submit(keep_feedback, like("a")).result()
    with sqlite3.connect(writer.place.path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(UserError, match="is in use by another process"):
            writer.submit(keep_feedback, like("b")).result()
        other.execute("ROLLBACK")
    other.close()
    writer.submit(keep_feedback, like("c")).result()
    assert kept(writer) == (["a", "c"], [])


def test_a_damaged_store_is_refused(writer):
    writer.place.path.parent.mkdir()
    writer.place.path.write_bytes(b"no database" * 1000)
    with pytest.raises(UserError, match="is damaged"):
        writer.submit(keep_feedback, like("a")).result()
