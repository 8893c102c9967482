"""Which models have graphs, and what quantisation makes of them."""

import numpy as np
import onnx
import pytest

from common.models.inference.onnx_export import FORESTS, NETWORKS, graphs
from common.models.inference.onnx_runtime import through_onnx
from common.models.linear.als import ALS
from common.models.neural.sasrec.model import SASRec
from common.models.registry import MODELS
from common.utils.errors import UserError
from tests.models.contract_tests import block_visible
from tests.serving.saved_models import fit_tiny


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    return block_visible(tmp_path_factory.mktemp("blocks"))


@pytest.mark.parametrize("name", FORESTS)
def test_forests_recommend_the_same(train, tmp_path, name):
    model = fit_tiny(name, train)
    for file, one in graphs(model).items():
        (tmp_path / file).write_bytes(one.content)
    users = np.arange(5)
    other = through_onnx(model, tmp_path)
    np.testing.assert_allclose(other.score(users), model.score(users), rtol=1e-6)
    pairs = np.arange(3), np.arange(3)
    found, expected = other.predict_plays(*pairs), model.predict_plays(*pairs)
    assert found is not None and expected is not None
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_int8_is_a_quarter_of_the_size_and_nearly_the_same(train, tmp_path):
    model = SASRec(epochs=3, width=64, heads=2, layers=1, length=10, learning_rate=0.01).fit(train)
    whole, small = graphs(model)["sasrec.onnx"].content, graphs(model, quantised=True)["sasrec.onnx"].content
    assert len(small) < 0.4 * len(whole), "names of nodes and norms weigh more in a tiny model"
    kinds = {array.data_type for array in onnx.load_model_from_string(small).graph.initializer}
    assert onnx.TensorProto.INT8 in kinds
    (tmp_path / "sasrec.onnx").write_bytes(small)
    users = np.arange(20)
    expected, found = model.score(users), through_onnx(model, tmp_path).score(users)
    assert 0 < np.abs(found - expected).max() < 0.1 * np.ptp(expected)


def test_other_models_are_refused(train):
    with pytest.raises(UserError, match="als cannot be exported; give a run of sasrec, two_tower, hybrid_listnet"):
        graphs(ALS(factors=2).fit(train))
    with pytest.raises(UserError, match="--quantise int8: forest is made of thresholds"):
        graphs(MODELS["forest"](), quantised=True)
    assert set(NETWORKS) | set(FORESTS) < set(MODELS)
