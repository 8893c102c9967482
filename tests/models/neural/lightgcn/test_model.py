"""LightGCN: the contract, people nobody has seen, and training that stops, is resumed and learns."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from common.models.graph import edges
from common.models.neural.lightgcn.model import LightGCN
from common.training.context import FitContext
from common.utils.errors import UserError
from tests.models.contract_tests import HEARD, N_USERS, QUICK, ContractTests

SMALL: dict[str, Any] = {"width": 8, "layers": 2, "epochs": 12, "batch": 64, "learning_rate": 0.05, "l2": 1e-4}
QUICK["lightgcn"] = {**SMALL, "epochs": 2}


class TestLightGCN(ContractTests):
    kind = LightGCN
    settings = SMALL
    other_settings = {  # noqa: RUF012
        "epochs": 11,
        "batch": 63,
        "learning_rate": 0.051,
        "weight_decay": 0.1,
        "clip": 0.01,
        "schedule": "cosine",
        "warmup": 2.0,
        "width": 9,
        "layers": 1,
        "l2": 1.0,
    }

    def test_training_lowers_the_loss(self, fitted):
        losses = fitted.curves["train/loss"]
        assert losses[-1] < 0.5 * losses[0]

    def test_it_stops_where_validation_falls_and_refits_for_as_long(self, train):
        values = iter([0.1, 0.3, 0.2, 0.2, 0.2, 0.2])
        model = self.make(patience=3).fit(train, lambda _: next(values))
        assert model.refit_schedule is not None
        assert len(model.curves["val/ndcg_10"]) == 5
        assert model.refit_schedule.epochs == 2
        model.refit(train)
        self.same(model, self.make(epochs=2).fit(train))

    def test_a_training_that_was_stopped_goes_on_as_if_it_had_not_been(self, train, fitted, tmp_path):
        class StoppedError(Exception):
            pass

        def stop(values: dict[str, float], epoch: int) -> None:
            if epoch == 7:
                raise StoppedError

        with pytest.raises(StoppedError):
            self.make().fit(train, context=FitContext(checkpoints=tmp_path, report=stop))
        again = self.make().fit(train, context=FitContext(checkpoints=tmp_path, resume=True))
        self.same(again, fitted)

    def test_a_new_user_is_what_the_items_of_the_history_make(self, fitted, train):
        found, history = fitted._spread(), train.histories[3]
        shares = train.counts[history] ** -0.5 / np.sqrt(len(history))
        expected = (shares[:, None] * found.shown[history]).sum(axis=0) @ found.items.T
        np.testing.assert_allclose(fitted.fold_in([history])[0], expected, rtol=1e-4, atol=1e-6)

    def test_an_empty_history_gets_the_popular_list(self, fitted, train):
        order = np.argsort(-fitted.fold_in([[]])[0], kind="stable")
        np.testing.assert_array_equal(order, np.argsort(-train.popularity, kind="stable"))

    def test_a_graph_of_too_many_edges_is_refused(self, train, monkeypatch):
        monkeypatch.setattr(edges, "MOST_EDGES", N_USERS * HEARD - 1)
        with pytest.raises(UserError, match="lightgcn: the graph has 360 edges and can have 359; leave out"):
            self.make().fit(train)

    def test_nothing_to_learn_from_is_no_end(self, train):
        rows = train.interactions[:0]
        model = self.make().fit(dataclasses.replace(train, interactions=rows))
        assert np.isfinite(model.score(np.arange(3))).all()
