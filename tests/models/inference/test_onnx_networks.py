"""Networks as ONNX graphs score as the models do, for every setting that changes a graph."""

from typing import Any

import numpy as np
import onnx
import pytest

from common.models.inference.onnx_export import graphs
from common.models.inference.onnx_runtime import session, through_onnx
from common.models.neural.listnet.model import HybridListNet
from common.models.neural.sasrec.model import SASRec
from common.models.neural.two_tower.model import TwoTower
from common.splits.histories import Histories, Query
from tests.models.contract_tests import N_ITEMS, block_visible

NO_EPOCHS: dict[str, Any] = {"epochs": 1}
SASREC = {**NO_EPOCHS, "width": 8, "heads": 2, "layers": 2, "length": 7}
TOWER = {**NO_EPOCHS, "width": 8, "hidden": 8, "tags": 4}
HYBRID = {**NO_EPOCHS, "width": 8, "hidden": (8, 6), "tags": 4, "words": 4, "top": 20}
MODELS: dict[str, Any] = {
    "sasrec": (SASRec, SASREC),
    "sasrec, post norm, not tied, side features, by plays": (
        SASRec,
        {**SASREC, "norm": "post", "tied": False, "tags": 4, "audio": True, "inner": 2, "order": "plays"},
    ),
    "two_tower": (TwoTower, TOWER),
    "two_tower, products, half life, names": (TwoTower, {**TOWER, "normalise": False, "half_life": 3.0, "names": 4}),
    "hybrid_listnet": (HybridListNet, HYBRID),
    "hybrid_listnet, plain": (HybridListNet, {**HYBRID, "residual": False, "without": ("ids",), "task": "plays"}),
}
HISTORIES = Histories.from_lists([[0, 4, 2, 7, 1, 3, 5, 9, 8, 10], [5, 2], [], [9]], N_ITEMS)


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    return block_visible(tmp_path_factory.mktemp("blocks"))


def untrained(kind: Any, settings: dict[str, Any], train: Any) -> Any:
    """A model whose weights are large enough that mistakes show; training would take longer than the test."""
    model = kind(**settings).fit(train)
    owner = model.ranker if kind is HybridListNet else model
    rng = np.random.default_rng(0)
    state = owner.weights()
    for name, array in state.items():
        if array.dtype == np.float32 and not name.endswith(("variance", "scale")):
            state[name] = array + rng.normal(scale=0.3, size=array.shape).astype(np.float32)
    owner.load_weights(state)
    return model


@pytest.fixture(scope="module", params=list(MODELS))
def exported(request, train, tmp_path_factory) -> Any:
    """A model, and the folder of its graphs."""
    kind, settings = MODELS[request.param]
    model = untrained(kind, settings, train)
    folder = tmp_path_factory.mktemp("onnx")
    for name, one in graphs(model).items():
        (folder / name).write_bytes(one.content)
    return model, folder


def test_scores_are_the_models(train, exported):
    model, folder = exported
    other = through_onnx(model, folder)
    users = np.arange(0, train.n_users, 3)
    expected = model.score(users)
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(other.score(users), expected, rtol=1e-4, atol=1e-4)
    query = Query(np.full(len(HISTORIES), -1), HISTORIES)
    np.testing.assert_allclose(other.scores_of(query), model.scores_of(query), rtol=1e-4, atol=1e-4)


def test_a_model_read_without_torch_gives_the_same_graphs(train, exported, tmp_path):
    model, folder = exported
    model.save(tmp_path)
    for name, one in graphs(type(model).load(tmp_path, train, inference_only=True)).items():
        theirs = onnx.load(folder / name).graph.initializer
        ours = onnx.load_model_from_string(one.content).graph.initializer
        for mine, other in zip(ours, theirs, strict=True):
            found, expected = (onnx.numpy_helper.to_array(array) for array in (mine, other))
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_the_item_tower_places_catalogue_and_new_items(train, tmp_path):
    model = untrained(TwoTower, TOWER, train)
    for name, one in graphs(model).items():
        (tmp_path / name).write_bytes(one.content)
    through: Any = through_onnx(model, tmp_path)
    np.testing.assert_allclose(through.item_vectors(), model.item_vectors(), rtol=1e-4, atol=1e-5)
    run = session(tmp_path / "item_tower.onnx").run
    known = run(["vectors"], {"codes": np.arange(len(model.items)), "features": model.items})[0]
    np.testing.assert_allclose(known, model.item_vectors(), rtol=1e-4, atol=1e-5)
    found = run(None, {"codes": np.array([-1, -1]), "features": model.items[:2]})[0]
    made = model.network.items.of_content(model.tensor(model.items[:2]))
    np.testing.assert_allclose(found, model.array(model.network.scaled(made).detach()), rtol=1e-4, atol=1e-5)


def test_plays_are_predicted_by_the_second_head(train, tmp_path):
    model = untrained(HybridListNet, HYBRID, train)
    for name, one in graphs(model).items():
        (tmp_path / name).write_bytes(one.content)
    pairs = np.array([0, 1, 2]), np.array([3, 4, 5])
    expected = model.predict_plays(*pairs)
    found = through_onnx(model, tmp_path).predict_plays(*pairs)
    assert found is not None and expected is not None
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
