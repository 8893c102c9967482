"""Trees predict what scikit-learn predicts, fitted and read back from a file."""

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor, RandomForestRegressor

from common.models.inference.trees import Trees, as_bytes, read_trees

RNG = np.random.default_rng(0)
FEATURES = RNG.random((200, 4)).astype(np.float32)
FEATURES[RNG.random(FEATURES.shape) < 0.2] = np.nan
TARGET = np.nan_to_num(FEATURES[:, 0], nan=0.3) > 0.5


@pytest.mark.parametrize(
    "estimator",
    [
        RandomForestRegressor(5, random_state=0),
        HistGradientBoostingClassifier(max_iter=5, min_samples_leaf=5),
        HistGradientBoostingRegressor(max_iter=5, min_samples_leaf=5),
    ],
)
def test_predictions_are_those_of_scikit_learn(estimator, tmp_path):
    trees = Trees.of(estimator.fit(FEATURES, TARGET.astype(float)))
    shares = hasattr(estimator, "predict_proba")
    expected = estimator.predict_proba(FEATURES)[:, 1] if shares else estimator.predict(FEATURES)
    (tmp_path / "trees.skops").write_bytes(as_bytes(trees))
    read = read_trees(tmp_path / "trees.skops")
    assert read is not None
    for ours in (trees, read):
        np.testing.assert_allclose(ours.predict(FEATURES), expected, rtol=1e-6)
        np.testing.assert_allclose(ours.walk(FEATURES), expected, rtol=1e-12)


def test_no_trees_are_kept_as_none(tmp_path):
    (tmp_path / "none.skops").write_bytes(as_bytes(None))
    assert read_trees(tmp_path / "none.skops") is None
