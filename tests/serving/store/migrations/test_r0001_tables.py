import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import select, text

from common.serving.store.sqlite import APPLICATION, VERSION
from common.serving.store.store import Store
from common.serving.store.tables import TABLES
from tests.serving.store.migrations.old_files import old_file


@pytest.mark.parametrize("version", [1, 2, 3])
def test_files_of_earlier_releases_are_taken_over_without_the_loss_of_a_row(tmp_path, version):
    path = tmp_path / "library.sqlite"
    rows = old_file(path, version)
    for number in range(2):
        with Store(path) as store:
            for name, kept in rows.items() if not number else ():
                assert store.database.all(select(TABLES.tables[name])) == kept, name
            assert store.database.one(text("PRAGMA user_version")) == VERSION
            assert store.database.one(text("PRAGMA application_id")) == APPLICATION
            store.feedback.add("me", f"new {number}", True)
            assert store.feedback.of("me") == (["i1", *(f"new {n}" for n in range(number + 1))], ["i0"])
            store.impressions.add_impression(f"new {number}", "listen", ("als", "ease"), [("x", "als")])
            assert store.impressions.experiments("listen") == {("als", "ease"): number + 1 + (version == 3)}
            with store.database.engine.connect() as connection:
                different = compare_metadata(MigrationContext.configure(connection), TABLES)
            # Of the keys that SQLite's first files had, SQLite says that they may be NULL.
            keys = {("feedback", "id"), ("impressions", "id"), ("clicks", "id"), ("protocols", "protocol")}
            assert {(step[0], step[2:4] in keys) for ((step),) in different} <= {("modify_nullable", True)}


def test_a_file_that_cannot_be_brought_up_to_date_stays_as_it_is(tmp_path, monkeypatch):
    path = tmp_path / "library.sqlite"
    old_file(path, 3)
    with monkeypatch.context() as broken:
        broken.setattr("common.serving.store.words.words_of", None)
        with pytest.raises(TypeError):
            Store(path)
    with Store(path) as store:
        assert store.feedback.of("me") == (["i1"], ["i0"])
        assert store.data.search("listen", ["bjork"]) == [0]
