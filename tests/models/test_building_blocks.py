"""What models are built from: histories, popularity below all evidence, and parts under their names."""

import numpy as np
import pytest

from common.models.baselines import Popularity
from common.models.building_blocks import order_rest_by_popularity, pack_parts, restore_parts, similar_by_parts
from common.models.knn.item_knn import ItemKNN
from common.splits.histories import Histories
from tests.models.contract_tests import N_ITEMS, block_visible


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    return block_visible(tmp_path_factory.mktemp("blocks"))


def test_what_has_no_score_is_ordered_by_popularity_below_all_that_has():
    scores = np.array([[0.1, -3.0, 0.0, 2.0]], np.float32)
    ordered = order_rest_by_popularity(scores, np.array([1.0, 2.0, 8.0, 4.0], np.float32))
    np.testing.assert_allclose(ordered, [[0.1, -0.75, 0.0, 2.0]])


def test_a_known_user_is_scored_by_the_history_and_a_model_is_restored_with_it(train):
    model, again = ItemKNN().fit(train), ItemKNN()
    np.testing.assert_array_equal(model.score(np.array([3, 0])), model.fold_in(train.histories.take(np.array([3, 0]))))
    again.restore(model.arrays())
    np.testing.assert_array_equal(again.score(np.array([3])), model.score(np.array([3])))
    np.testing.assert_array_equal(again.histories.items, train.histories.items)


def test_items_that_have_nothing_in_common_with_a_history_are_explained_by_popularity(train):
    alike, other = ItemKNN().fit(train).explain_list(Histories.from_lists([[0, 1]], N_ITEMS), [2, N_ITEMS - 1])
    assert set(alike.parts) == {"item_knn"}
    assert set(other.parts) == {"popularity"}
    assert other.score == pytest.approx(train.popularity[-1] / train.popularity.max() - 1)


def test_parts_are_packed_under_their_names_and_restored(train):
    parts = {"popularity": Popularity().fit(train), "item_knn": ItemKNN().fit(train)}
    arrays, again = pack_parts(parts), {"popularity": Popularity(), "item_knn": ItemKNN()}
    assert {name.split("/")[0] for name in arrays} == set(parts)
    restore_parts(again, arrays)
    for name, part in parts.items():
        np.testing.assert_array_equal(again[name].score(np.array([0, 7])), part.score(np.array([0, 7])))


def test_similarity_of_parts_is_mixed_in_units_of_the_largest(train):
    model = ItemKNN().fit(train)
    items, similarity = similar_by_parts([(model, 0.5), (model, 1.0)], 5, 3, N_ITEMS)
    np.testing.assert_array_equal(items, model.similar(5, 3)[0])
    assert similarity[0] == pytest.approx(1.5)
