"""A new item stands where an item of the catalogue with the same content and no listeners stands."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from common import new_item
from common.features.new_item import as_new
from common.models.base import Recommender
from common.models.baselines import Popularity
from common.models.knn.content_knn import ContentKNN, TagKNN
from common.models.new_items import PLACING, PlacesNewItems
from common.models.registry import MODELS
from common.splits.histories import Query
from common.splits.train_view import TrainView
from common.utils.errors import UserError
from tests.models.contract_tests import BLOCK, N_ITEMS, block_visible

SILENT = [0, BLOCK + 1, 2 * BLOCK + 2]
"""Items whose listeners are taken away, in three blocks."""
SETTINGS: dict[str, dict[str, Any]] = {
    "two_tower": {"width": 8, "hidden": 8, "epochs": 2, "tags": 4, "names": 4},
    "content_knn": {"neighbours": 7, "power": 2.0, "popularity": 0.5},
    "tag_knn": {"neighbours": N_ITEMS, "shrinkage": 1.0, "history": "log"},
}


@pytest.fixture(scope="module")
def train(tmp_path_factory) -> TrainView:
    view = block_visible(tmp_path_factory.mktemp("blocks"))
    rows = view.interactions
    return dataclasses.replace(view, interactions=rows[~rows["item"].isin(SILENT)].reset_index(drop=True))


@pytest.fixture(scope="module", params=PLACING)
def model(request, train) -> Any:
    return MODELS[request.param](**SETTINGS[request.param]).fit(train)


@pytest.fixture(scope="module")
def by_tags(train) -> Recommender:
    return TagKNN().fit(train)


def test_a_new_item_scores_as_one_without_listeners(train, model, tmp_path):
    known = np.array([0, 11, 25])
    query = Query(np.array([*known, -1]), train.histories.take([*known, 3]))
    model.save(tmp_path)
    for one in (model, type(model).load(tmp_path, train, inference_only=True)):
        found = one.scores_of_new(query, as_new(train, SILENT))
        np.testing.assert_allclose(found, one.scores_of(query)[:, SILENT], rtol=1e-4, atol=1e-5)
    assert np.ptp(found) > 0.01


def test_its_similar_items_are_those_of_one_without_listeners(train, model):
    similarity = model.similarity_to_new(as_new(train, SILENT))
    for row, item in zip(similarity, SILENT, strict=True):
        codes, expected = model.similar(item, 6)
        near = row[codes] > 0  # one is left out at most, as the item itself takes a neighbour's place
        np.testing.assert_allclose(row[codes][near], expected[near], rtol=1e-4, atol=1e-5)
        assert near.sum() >= 5


def test_the_api_ranks_a_new_item_in_the_list_of_each_user(train, by_tags):
    found = new_item(by_tags, tags=["block 1"], users=["u01", "u00"], k=4)
    assert found.similar["rank"].tolist() == [1, 2, 3, 4]
    assert all(BLOCK <= train.item_code(item) < 2 * BLOCK for item in found.similar["item_id"])
    first, second = found.users["rank"].tolist()
    assert first <= 4 < second, "u01 listens to block 1"
    assert (found.users["of"] == 1 + N_ITEMS - np.diff(train.histories.indptr)[[1, 0]]).all()
    newcomers = new_item(by_tags, tags={"block 1": 5}, histories=[["i12", "i14"], []])
    assert newcomers.users["rank"].tolist()[0] <= 11
    assert new_item(by_tags, tags=["block 1"]).users.empty


def test_the_first_rank_is_one(train, by_tags):
    history = train.items["item_id"].tolist()
    found = new_item(by_tags, tags=["block 1"], histories=[history]).users
    assert found[["rank", "of"]].to_numpy().tolist() == [[1, 1]]


@pytest.mark.parametrize(
    ("mistake", "sentence"),
    [
        (
            lambda t, m: new_item(Popularity().fit(t), tags=["block 1"]),
            "popularity cannot place .*use two_tower",
        ),
        (lambda t, m: new_item("als", tags=["x"]), "model: str is none; give a fitted two_tower"),  # type: ignore[arg-type]
        (lambda t, m: new_item(TagKNN(), tags=["block 1"]), "tag_knn knows no content yet: call fit"),
        (lambda t, m: new_item(m), "nothing is known of the new item that tag_knn goes by; give tags"),
        (lambda t, m: new_item(m, name="Hm", genres=["genre 1"]), "that tag_knn goes by; give tags"),
        (lambda t, m: new_item(m, tags=["block 9"]), "tag 'block 9': no item .* has it; did you mean 'block"),
        (lambda t, m: new_item(m, tags=["block 1"], k=0), "k = 0: give a whole number"),
        (lambda t, m: new_item(m, tags=["block 1"], users=["nobody"]), "unknown user 'nobody'"),
        (lambda t, m: new_item(m, tags=["block 1"], users=["u00"], histories=[[]]), "users or histories, not both"),
        (
            lambda t, m: new_item(ContentKNN().fit(_bare(t)), tags=[]),
            "content_knn was fitted without item features",
        ),
    ],
)
def test_a_mistake_ends_in_a_sentence(train, by_tags, mistake, sentence):
    with pytest.raises(UserError, match=sentence) as error:
        mistake(train, by_tags)
    assert "\n" not in str(error.value)


def test_a_train_view_of_other_data_is_refused(train, tmp_path):
    kind = MODELS["two_tower"]
    kind(**SETTINGS["two_tower"]).fit(train).save(tmp_path)
    other = dataclasses.replace(train, items=train.items.assign(danceability=train.items["energy"]))
    with pytest.raises(UserError, match="two_tower was fitted on another train view"):
        new_item(kind.load(tmp_path, other), tags=["block 1"])


def test_the_models_that_place_are_those_that_messages_name():
    assert {name for name, kind in MODELS.items() if issubclass(kind, PlacesNewItems)} == set(PLACING)


def _bare(train: TrainView) -> TrainView:
    return dataclasses.replace(train, items=train.items[["item_id", "name"]])
