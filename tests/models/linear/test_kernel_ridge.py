"""Kernel ridge regression against wide networks, dense matrices, and derivatives taken by differences."""

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest

from common.models.linear import kernel_ridge
from common.models.linear.ials import rank_shares
from common.models.linear.kernel_ridge import KernelRidge, slope, tangent
from common.splits.histories import Histories
from common.splits.train_view import TrainView
from common.utils import memory
from common.utils.errors import UserError
from tests.models.contract_tests import QUICK, ContractTests
from tests.models.linear.test_ease import drawn, train_of

QUICK["kernel_ridge"] = {"item_power": 0.3, "lowest": 0.5}  # where they do nothing, shift and power do nothing either
WEIGHED: dict[str, Any] = {
    **{"weighting": "log", "shift": 5.0, "item_power": 0.5},
    **{"lowest": 0.3, "power": 1.5, "discount": 0.1},
}


def textbook(train: TrainView, settings: dict[str, Any]) -> np.ndarray:
    """Scores of all users of a train view, from dense matrices and the sum over pairs of users."""
    histories, n = train.histories, len(train.histories)
    x = histories.matrix().toarray().astype(float)
    x = np.log1p(x) if settings["weighting"] == "log" else (x > 0).astype(float)
    x *= (train.popularity + settings["shift"]) ** -settings["item_power"]
    kernel = np.zeros((n, n))
    for u in range(n):
        for v in range(n):
            a, b = np.linalg.norm(x[u]), np.linalg.norm(x[v])
            angle = np.arccos(np.clip(x[u] @ x[v] / (a * b), -1, 1))
            kernel[u, v] = a * b * (2 * np.cos(angle) * (1 - angle / np.pi) + np.sin(angle) / np.pi)
    y = histories.matrix().astype(float)
    y.data = settings["lowest"] + (1 - settings["lowest"]) * rank_shares(y) ** settings["power"]
    ridge = kernel + settings["regularisation"] * np.trace(kernel) / n * np.eye(n)
    return kernel @ np.linalg.solve(ridge, y.toarray()) / train.popularity ** settings["discount"]


class TestKernelRidge(ContractTests):
    kind = KernelRidge
    folds_as_it_scores = True
    other_settings: ClassVar = {"regularisation": 2.0, **WEIGHED}

    @pytest.mark.parametrize(("n_users", "n_items"), [(15, 24), (24, 15)])
    @pytest.mark.parametrize("block", [4, 512])
    def test_scores_are_those_of_the_formula(self, n_users, n_items, block, monkeypatch):
        monkeypatch.setattr(kernel_ridge, "BLOCK", block)
        train, settings = train_of(drawn(n_users, n_items)), WEIGHED | {"regularisation": 0.7}
        found = KernelRidge(**settings).fit(train).score(np.arange(n_users))
        np.testing.assert_allclose(found, textbook(train, settings), rtol=1e-4, atol=1e-6)

    def test_the_kernel_is_that_of_a_wide_network(self):
        # f(x) = sqrt(2 / m) sum of v_j relu(w_j x): the products of its derivatives by all v and w
        rng = np.random.default_rng(0)
        x, z = np.array([1.0, 0.0]), np.array([0.6, 0.8])
        hidden = rng.normal(size=(400_000, 2))
        on = (hidden @ x > 0) & (hidden @ z > 0)
        by_second = (on * (hidden @ x) * (hidden @ z)).mean()
        by_first = on.mean() * (x @ z)
        assert tangent(np.array([x @ z]))[0] == pytest.approx(2 * (by_second + by_first), rel=0.01)

    def test_the_slope_is_the_derivative(self):
        cosines = np.linspace(-0.95, 0.95, 39)
        by_difference = (tangent(cosines + 1e-6) - tangent(cosines - 1e-6)) / 2e-6
        np.testing.assert_allclose(slope(cosines), by_difference, rtol=1e-6, atol=1e-8)

    def test_what_an_item_adds_is_its_weight_times_the_derivative_by_it(self):
        train = train_of(drawn(20, 30))
        model = KernelRidge(regularisation=0.5, **WEIGHED).fit(train)
        history, target = Histories.from_lists([[2, 5, 11]], 30), 7
        [explanation] = model.explain_list(history, [target])
        inputs, step = model._inputs(history), 1e-6
        for place in range(3):
            moved = []
            for way in (-1, 1):
                rows = inputs.copy()
                rows.data[place] *= 1 + way * step
                weights = model._kernel(rows) @ model.inverse
                moved.append((model.targets @ weights.T)[target, 0] * model.factor[target])
            assert explanation.contributions[place] == pytest.approx((moved[1] - moved[0]) / (2 * step), rel=1e-4)

    def test_a_user_known_from_fit_is_explained_though_their_own_cosine_is_1(self):
        train = train_of(drawn(20, 30))
        model = KernelRidge(regularisation=0.5).fit(train)
        [explanation] = model.explain_list(train.histories.take([3]), [9])
        assert explanation.contributions.sum() == pytest.approx(model.score(np.array([3]))[0, 9], rel=1e-4)

    def test_a_kernel_that_does_not_fit_is_refused_with_what_can_be_used(self, train):
        memory.use("1GB")
        users = pd.DataFrame({"user_id": np.arange(100_000).astype(str)})
        sentence = r"kernel_ridge needs about \d+ GB .* 1 GB; leave kernel_ridge out of --models; als needs less"
        with pytest.raises(UserError, match=sentence):
            KernelRidge().fit(replace(train, users=users))
