from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from common.models.vector_index import Index
from common.serving.batch import read_histories, recommend, train_view_of, write_lists
from common.splits.histories import Histories
from common.splits.train_view import load_train_view
from common.utils.errors import UserError
from common.utils.io import read_parquet


@pytest.fixture(scope="module")
def train(small_data):
    return load_train_view(small_data, "listen", "final")


@dataclass
class Towers:
    """Vectors of users and items that are drawn, in the place of a trained model."""

    histories: Histories
    items: np.ndarray
    users: np.ndarray

    def user_vectors(self, users: np.ndarray) -> np.ndarray:
        return self.users[users]

    def vectors(self, histories: Histories) -> np.ndarray:
        return np.stack([self.items[histories[row]].mean(axis=0) for row in range(len(histories))])


@pytest.fixture
def towers(train):
    rng = np.random.default_rng(0)
    vectors = (rng.standard_normal((n, 8)).astype(np.float32) for n in (train.n_items, train.n_users))
    return Towers(train.histories, *vectors)


def test_lists_hold_the_best_new_items_whatever_the_batch(train, towers, tmp_path):
    users, index = train.users["user_id"].to_numpy(object), Index(towers.items, "flat")
    paths = [tmp_path / f"{batch}.parquet" for batch in (7, 4096)]
    for path, batch in zip(paths, (7, 4096), strict=True):
        rows = write_lists(path, recommend(towers, index, users, None, train, 5, batch))
        assert rows == 5 * len(users)
    found, whole = map(read_parquet, paths)
    pd.testing.assert_frame_equal(found, whole)
    scores = towers.users[3] @ towers.items.T
    scores[train.histories[3]] = -np.inf
    best = np.argsort(-scores)[:5]
    own = found[found["user_id"] == users[3]]
    assert own["item_id"].tolist() == train.items["item_id"].to_numpy()[best].tolist()
    assert own["rank"].tolist() == [1, 2, 3, 4, 5]
    np.testing.assert_allclose(own["score"], scores[best], rtol=1e-5)


def test_histories_of_a_file_keep_its_order_and_known_items_once(train, tmp_path, caplog):
    caplog.set_level("INFO")
    first, second = train.items["item_id"][[4, 2]]
    rows = [("b", first), ("a", second), ("b", "nothing"), ("b", second), ("b", first)]
    pd.DataFrame(rows, columns=["user_id", "item_id"]).to_csv(tmp_path / "h.csv", index=False)
    users, histories = read_histories(tmp_path / "h.csv", train)
    assert users.tolist() == ["a", "b"]
    assert [histories[row].tolist() for row in range(2)] == [[2], [4, 2]]
    assert "1 of 5 rows name items outside the catalogue" in caplog.text
    pd.DataFrame([*rows, ("NA", first)], columns=["user_id", "item_id"]).to_csv(tmp_path / "gap.csv", index=False)
    read_histories(tmp_path / "gap.csv", train, "drop")
    assert "1 rows: row without user_id left out" in caplog.text
    pd.DataFrame([("a", "nothing")], columns=["user_id", "item_id"]).to_csv(tmp_path / "none.csv", index=False)
    with pytest.raises(UserError, match="not one item_id of it is in the catalogue"):
        read_histories(tmp_path / "none.csv", train)


def test_the_view_is_that_of_the_run_or_refused(train, small_data, tmp_path):
    config = {"protocol": "listen", "split_seed": 0, "data_sha256": small_data.sha256}
    config["split_sha256"] = train.split_sha256
    assert train_view_of(tmp_path, config, small_data).phase == "select"
    (tmp_path / "test").mkdir()
    assert train_view_of(tmp_path, config, small_data).phase == "final"
    with pytest.raises(UserError, match="was fitted on other data"):
        train_view_of(tmp_path, config | {"data_sha256": "other"}, small_data)


def test_a_file_is_there_only_once_it_is_whole(tmp_path):
    def broken():
        yield from ()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_lists(tmp_path / "lists.parquet", broken())
    assert list(tmp_path.iterdir()) == []
