import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from common.experiments.analysis.similar_items import show_index, similar_items, similarities_of
from common.features.work_versions import groups_of, one_per_group
from common.models.ensemble import Ensemble, EnsembleSettings
from common.models.knn.item_knn import ItemKNN
from common.models.linear.als import ALSSettings
from common.splits.train_view import load_train_view


@pytest.fixture(scope="module")
def train(small_data):
    return load_train_view(small_data, "listen", "select")


@pytest.fixture(scope="module")
def index(train) -> pd.DataFrame:
    ensemble = Ensemble(EnsembleSettings(als=ALSSettings(factors=8, regularisation=1.0))).fit(train)
    return similar_items(similarities_of(ensemble, ItemKNN().fit(train)), train, k=5)


def test_the_index_holds_other_items_best_first(index, train):
    assert list(index["by"].cat.categories) == ["factors", "listening", "content"]
    assert (index["item_id"].astype(str) != index["similar_id"].astype(str)).all()
    for _, rows in index.groupby(["item_id", "by"], observed=True):
        assert rows["rank"].tolist() == list(range(1, len(rows) + 1))
        assert rows["likeness"].is_monotonic_decreasing
        assert len(rows) <= 5
    assert index["item_id"].nunique() > 0.9 * train.n_items


def test_items_of_which_nothing_is_known_are_similar_to_none(train):
    nothing = sparse.csr_array((train.n_items, train.n_items))
    index = similar_items({"content": nothing}, train)
    assert not len(index)
    assert list(index) == ["item_id", "by", "rank", "similar_id", "likeness"]


def test_no_list_holds_two_versions_or_the_items_own(index, train):
    groups = pd.Series(groups_of(train.items), train.items["item_id"])
    assert groups.duplicated().any()
    own, other = groups[index["item_id"]].to_numpy(), groups[index["similar_id"]].to_numpy()
    assert (own != other).all()
    assert not index.assign(group=other).duplicated(["item_id", "by", "group"]).any()


def test_a_version_further_down_makes_room():
    items = pd.DataFrame({"item_id": list("abcd"), "group_id": ["x", "y", "y", "z"]})
    train = type("Seen", (), {"items": items})()
    similarity = sparse.csr_array(np.array([[0, 0.9, 0.8, 0.5]] + 3 * [[0.0] * 4]))
    found = similar_items({"factors": similarity}, train, k=2)
    assert found["similar_id"].tolist() == ["b", "d"]


def test_groups_that_are_over_are_left_out():
    groups = np.array([0, 0, 1, 2])
    assert one_per_group(np.array([1, 2, 0, 3]), groups).tolist() == [True, True, False, True]
    assert one_per_group(np.array([1, 2, 0, 3]), groups, taken=[2]).tolist() == [True, True, False, False]


def test_items_without_groups_are_their_own():
    assert groups_of(pd.DataFrame({"item_id": ["a", "b"]})).tolist() == [0, 1]


def test_the_index_is_shown_by_name(index, train, caplog):
    caplog.set_level("INFO")
    show_index(index, train, [0])
    assert train.items["name"].iloc[0] in caplog.text
    assert caplog.text.count("  by ") == 3
