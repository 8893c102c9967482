"""MLlib's ALS solves what the module's head says, and popularity counts listeners."""

import numpy as np
import pytest

from common.cluster.paths import url
from common.models.linear.als import ALSSettings
from common.models.on_spark.fitting import fit_als, listeners
from tests.spark import needs_spark, on_threads

pytestmark = [pytest.mark.thorough, needs_spark]
SETTINGS = ALSSettings(factors=3, iterations=3, regularisation=0.3, alpha=2.0, weighting="log")


def test_user_factors_solve_the_formula_given_the_item_factors(tmp_path):
    rng = np.random.default_rng(0)
    plays = rng.integers(1, 50, (12, 8)) * (rng.random((12, 8)) < 0.5)
    plays[:, 0], plays[0] = 1, 1
    rows = [(int(u), int(i), float(plays[u, i])) for u, i in zip(*np.nonzero(plays), strict=True)]
    with on_threads() as spark:
        spark.sparkContext.setCheckpointDir(url(tmp_path / "checkpoints"))
        pairs = spark.createDataFrame(rows, "user int, item int, weight double")
        counted = {row.item: row.listeners for row in listeners(pairs).collect()}
        assert counted == dict(enumerate((plays > 0).sum(axis=0)))
        model = fit_als(pairs, SETTINGS, seed=1, blocks=2)
        assert model.getOrDefault("coldStartStrategy") == "drop"
        assert list((tmp_path / "checkpoints").rglob("part-*")), "nothing was checkpointed"
        users, items = (
            np.array([row.features for row in frame.orderBy("id").collect()])
            for frame in (model.userFactors, model.itemFactors)
        )
    gram = items.T @ items
    for user, own in enumerate(plays):
        has = np.flatnonzero(own)
        extra = SETTINGS.alpha * np.log1p(own[has])
        system = gram + items[has].T @ (extra[:, None] * items[has]) + 0.3 * len(has) * np.eye(3)
        solved = np.linalg.solve(system, items[has].T @ (1 + extra))
        assert users[user] == pytest.approx(solved, abs=2e-3)
