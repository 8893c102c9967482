from sqlalchemy import inspect, select

from common.serving.store.store import Store
from common.serving.store.tables import words
from tests.serving.store.migrations.old_files import old_file


def test_words_of_known_items_take_the_place_of_the_full_text_index(tmp_path):
    path = tmp_path / "library.sqlite"
    old_file(path, 3)
    with Store(path) as store:
        assert not [name for name in inspect(store.database.engine).get_table_names() if name.startswith("names")]
        found = {(word, item) for _, word, item in store.database.all(select(words))}
        assert found == {("bjork", 0), ("the", 1), ("cure", 1), ("!!!", 2)}
        assert store.data.search("listen", ["CU"]) == [1]
