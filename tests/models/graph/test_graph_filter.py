"""GF-CF against the paper's formula with dense matrices, and against figures worked out on paper."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

from common.models.graph import graph_filter
from common.models.graph.graph_filter import GraphFilter, smoothest
from common.splits.histories import Histories
from common.utils import memory
from common.utils.errors import UserError
from tests.models.contract_tests import QUICK, ContractTests
from tests.models.linear.test_ease import drawn, train_of

QUICK["graph_filter"] = {"factors": 4}


def textbook(histories: Histories, factors: int, ideal: float, p: float, q: float, weighting: str) -> np.ndarray:
    """The filter of the module's head, items x items, from dense matrices."""
    r = histories.matrix().toarray().astype(float)
    r = np.log1p(r) if weighting == "log" else (r > 0).astype(float)
    users, items = r.sum(axis=1), r.sum(axis=0)
    tilde = r / users[:, None] ** p / items**q
    v = np.linalg.svd(tilde)[2][:factors].T
    return tilde.T @ tilde + ideal * np.diag(items**-q) @ v @ v.T @ np.diag(items**q)


class TestGraphFilter(ContractTests):
    kind = GraphFilter
    folds_as_it_scores = True
    other_settings: ClassVar = {
        **{"factors": 2, "ideal": 1.5, "user_power": 0.9, "item_power": 0.1},
        "weighting": "log",
    }

    def test_scores_are_those_worked_out_on_paper(self):
        # Users {0, 1} and {1}: R~ = [[1/sqrt 2, 1/2], [0, 1/sqrt 2]], R~'R~ = [[1/2, s], [s, 3/4]], s = 1/(2 sqrt 2).
        # Its eigenvalues are 1 and 1/4; of 1 the vector is (1, sqrt 2) / sqrt 3, as of every such graph: sqrt(degrees).
        # V V' = [[1, sqrt 2], [sqrt 2, 2]] / 3, and D^-1/2 V V' D^1/2 = [[1, 2], [1, 2]] / 3.
        train = train_of(Histories.from_lists([[0, 1], [1]], 2))
        model = GraphFilter(factors=1, ideal=0.3).fit(train)
        s = 1 / (2 * np.sqrt(2))
        np.testing.assert_allclose(model.fold_in([[0]])[0], [0.5 + 0.1, s + 0.2], rtol=1e-6)
        np.testing.assert_allclose(model.fold_in([[1]])[0], [s + 0.1, 0.75 + 0.2], rtol=1e-6)
        np.testing.assert_allclose(model.fold_in([[0, 1]])[0], [0.7 + s, s + 1.15], rtol=1e-6)

    @pytest.mark.parametrize(("n_users", "n_items"), [(15, 24), (24, 15)])
    @pytest.mark.parametrize(("p", "q", "weighting"), [(0.5, 0.5, "binary"), (0.8, 0.3, "log")])
    def test_scores_are_the_papers(self, n_users, n_items, p, q, weighting):
        histories = drawn(n_users, n_items)
        settings = {"factors": 3, "ideal": 0.7, "user_power": p, "item_power": q, "weighting": weighting}
        model = GraphFilter(**settings).fit(train_of(histories))
        x = histories.matrix().toarray().astype(float)
        x = np.log1p(x) if weighting == "log" else (x > 0).astype(float)
        expected = x @ textbook(histories, 3, 0.7, p, q, weighting)
        found = model.score(np.arange(n_users))
        assert (expected > 0).mean() > 0.5
        np.testing.assert_allclose(found[expected > 0], expected[expected > 0], rtol=1e-4, atol=1e-5)

    @pytest.mark.parametrize(("n_users", "n_items"), [(30, 50), (50, 30)])
    def test_signals_found_step_by_step_are_those_of_the_whole_matrix(self, n_users, n_items, monkeypatch):
        edges = drawn(n_users, n_items).matrix()
        whole = smoothest(edges, 5)
        monkeypatch.setattr(graph_filter, "EXACT", 10)
        parts = smoothest(edges, 5)
        np.testing.assert_allclose(parts @ parts.T, whole @ whole.T, atol=1e-5)
        np.testing.assert_array_equal(parts, smoothest(edges, 5))

    def test_no_more_signals_pass_than_the_graph_has(self):
        edges = Histories.from_lists([[0, 1], [0, 1], [2]], 4).matrix()
        assert smoothest(edges, 100).shape == (4, 2)

    def test_an_item_that_nobody_has_comes_after_all_that_a_history_reaches(self):
        model = GraphFilter(factors=1).fit(train_of(Histories.from_lists([[0, 1], [1, 2]], 4)))
        scores = model.fold_in([[0], []])
        assert scores[0, 3] < 0 < scores[0, :3].min()
        assert (np.argsort(-scores[1], kind="stable")[0], scores[1, 3]) == (1, scores[1].min())

    def test_a_graph_that_does_not_fit_is_refused_with_what_can_be_used(self, train):
        memory.use("1GB")
        items = pd.DataFrame({"item_id": np.arange(2_000_000).astype(str)})
        users = pd.DataFrame({"user_id": np.arange(200_000).astype(str)})
        with pytest.raises(
            UserError, match=r"graph_filter needs about .* 1 GB; lower --graph-filter.factors, or use als"
        ):
            GraphFilter().fit(replace(train, users=users, items=items))
