"""Trees as ONNX graphs predict what they predict here, in double precision, missing values included."""

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor, RandomForestRegressor

from common.models.inference.onnx_runtime import OnnxTrees
from common.models.inference.onnx_trees import trees
from common.models.inference.trees import Trees

RNG = np.random.default_rng(0)
FEATURES = RNG.random((300, 4)).astype(np.float32)
FEATURES[RNG.random(FEATURES.shape) < 0.2] = np.nan
TARGET = np.nan_to_num(FEATURES[:, 0], nan=0.3) > 0.5


@pytest.mark.parametrize(
    "estimator",
    [
        RandomForestRegressor(7, random_state=0),
        RandomForestRegressor(3, min_samples_leaf=400, random_state=0),  # each tree is a leaf alone
        HistGradientBoostingClassifier(max_iter=5, min_samples_leaf=5),
        HistGradientBoostingRegressor(max_iter=5, min_samples_leaf=5),
    ],
)
def test_predictions_are_the_same(estimator, tmp_path):
    fitted = Trees.of(estimator.fit(FEATURES, TARGET.astype(float)))
    (tmp_path / "trees.onnx").write_bytes(trees(fitted, 4, "what they predict").content)
    found = OnnxTrees(tmp_path / "trees.onnx").run(["predictions"], {"features": FEATURES})[0]
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, fitted.walk(FEATURES), rtol=1e-12)


def test_a_threshold_that_float32_cannot_tell_from_a_value_decides(tmp_path):
    """0.1 as float32 lies above 0.1 as float64: a row goes right, and would go left by a float32 threshold."""
    value = np.float32(0.1)
    forest = RandomForestRegressor(1, bootstrap=False).fit([[0.0], [1.0]], [0.0, 1.0])
    fitted = Trees.of(forest)
    fitted.nodes.threshold[0] = 0.1
    (tmp_path / "trees.onnx").write_bytes(trees(fitted, 1, "").content)
    assert OnnxTrees(tmp_path / "trees.onnx").predict(np.array([[value], [0.0999]])).tolist() == [1.0, 0.0]
    assert fitted.walk(np.array([[value]], np.float32)).tolist() == [1.0]
