import sys
import warnings
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest

from common.models.linear import als as module
from common.models.linear import ridge
from common.models.linear.als import ALS, one_blas_thread
from common.models.top_items import tie_places, top_items
from common.splits.histories import Histories
from common.utils import memory
from common.utils.errors import UserError
from tests.models.contract_tests import BLOCK, N_ITEMS, N_USERS, QUICK, ContractTests

QUICK["als"] = {"factors": 8, "regularisation": 1.0, "alpha": 10.0}
HISTORIES = [[3, 1], [40, 41, 42, 45], [7], list(range(30)), [5, 5, 6]]


def solve_densely(model: ALS, history: Histories) -> np.ndarray:
    """The textbook's formula for one user, whole matrices and no trick."""
    plays = history.matrix().toarray()[0].astype(float)
    amount = {"binary": (plays > 0).astype(float), "log": np.log1p(plays), "raw": plays}[model.settings.weighting]
    confidence = np.diag(1 + model.settings.alpha * amount)
    items = model.item_factors.astype(float)
    left = items.T @ confidence @ items + model.settings.regularisation * np.eye(model.settings.factors)
    return np.linalg.solve(left, items.T @ confidence @ (plays > 0))


class TestALS(ContractTests):
    kind = ALS
    folds_as_it_scores = True
    other_settings: ClassVar = {
        **{"factors": 5, "iterations": 2, "regularisation": 20.0},
        **{"alpha": 2.0, "weighting": "log"},
    }

    @pytest.mark.parametrize("weighting", ["binary", "log", "raw"])
    @pytest.mark.parametrize("factors", [3, 8, 40])
    def test_fold_in_is_what_training_would_solve(self, train, weighting, factors):
        model = self.make(weighting=weighting, factors=factors).fit(train)
        histories = Histories.from_lists(HISTORIES, N_ITEMS)
        histories.weights[:] = np.random.default_rng(0).integers(1, 30, len(histories.weights))
        for row, factors_found in enumerate(model.solve(histories)):
            expected = solve_densely(model, histories.take(np.array([row])))
            np.testing.assert_allclose(factors_found, expected, rtol=1e-4, atol=1e-6)

    @pytest.mark.parametrize("weighting", ["binary", "raw"])
    def test_a_long_history_is_solved_and_explained_in_parts(self, train, weighting, monkeypatch):
        model = self.make(weighting=weighting, factors=8).fit(train)
        histories = Histories.from_lists([list(range(N_ITEMS)), [3, 1]], N_ITEMS)
        histories.weights[:] = np.random.default_rng(0).integers(1, 30, len(histories.weights))
        at_once, explained = model.solve(histories), model.explain_list(histories, [2, 30])
        monkeypatch.setattr(ridge, "LONG", 10)
        np.testing.assert_allclose(model.solve(histories), at_once, rtol=1e-4, atol=1e-6)
        for one, other in zip(model.explain_list(histories, [2, 30]), explained, strict=True):
            np.testing.assert_allclose(one.contributions, other.contributions, rtol=1e-4, atol=1e-6)
            assert one.parts["als"] == pytest.approx(other.parts["als"], rel=1e-4)

    def test_factors_that_do_not_fit_are_refused(self, train):
        memory.use("100MB")
        large = replace(train, users=pd.DataFrame({"user_id": np.arange(10**6).astype(str)}))
        with pytest.raises(UserError, match=r"als needs about 2 GB .* may take 100 MB; lower --als\.factors"):
            self.make(factors=500).fit(large)

    def test_known_users_are_solved_exactly(self, train, fitted):
        for user in (0, 13, 39):
            expected = solve_densely(fitted, train.histories.take(np.array([user])))
            np.testing.assert_allclose(fitted.user_factors[user], expected, rtol=1e-4, atol=1e-6)

    def test_nobodys_factors_depend_on_the_company(self, train, fitted):
        together = fitted.solve(train.histories)
        alone = np.concatenate([fitted.solve(train.histories.take(np.array([user]))) for user in range(N_USERS)])
        np.testing.assert_array_equal(alone, together)

    def test_training_is_the_librarys_own(self, train, fitted):
        with one_blas_thread() as implicit:
            bare = implicit.cpu.als.AlternatingLeastSquares(
                factors=8, iterations=15, regularization=1.0, random_state=0, num_threads=1
            )
            bare.fit(fitted.confidences(train.histories), show_progress=False)
        np.testing.assert_array_equal(fitted.item_factors, bare.item_factors)

    def test_confidence_is_one_plus_alpha_times_the_weighed_plays(self):
        history = Histories(np.array([0, 2]), np.array([1, 4], np.int32), np.array([3.0, 7.0], np.float32), N_ITEMS)
        expectations = {"binary": [3.0, 3.0], "log": 1 + 2 * np.log([4.0, 8.0]), "raw": [7.0, 15.0]}
        for weighting, expected in expectations.items():
            confidences = self.make(alpha=2.0, weighting=weighting).confidences(history)
            np.testing.assert_allclose(confidences.data, np.array(expected), rtol=1e-6)
            assert confidences.indices.tolist() == [1, 4]

    def test_the_loss_falls_and_is_noted_for_every_iteration(self, fitted):
        losses = fitted.curves["train/loss"]
        assert len(losses) == fitted.settings.iterations
        assert losses[-1] < losses[0]
        assert np.isfinite(losses).all()

    def test_reruns_are_bit_identical_with_several_threads(self, train, monkeypatch):
        monkeypatch.setattr(module, "threads", lambda: 4)
        one, other = self.make().fit(train), self.make().fit(train)
        np.testing.assert_array_equal(one.item_factors, other.item_factors)
        assert one.curves == other.curves
        monkeypatch.setattr(module, "threads", lambda: 1)
        np.testing.assert_array_equal(self.make().fit(train).item_factors, one.item_factors)

    def test_the_seed_matters(self, train, fitted):
        assert not np.array_equal(self.make(seed=1).fit(train).item_factors, fitted.item_factors)

    def test_the_library_warns_of_no_threads(self, train, monkeypatch):
        import implicit.utils

        monkeypatch.setattr(implicit.utils, "_checked_blas_config", False)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            self.make(iterations=1).fit(train)
        assert implicit.utils._checked_blas_config, "the library did look"

    @pytest.mark.parametrize("length", [0, 1, 3, 20])
    def test_what_the_history_says_adds_up_to_the_score(self, fitted, length):
        history = Histories.from_lists([list(range(length))], N_ITEMS)
        scores = fitted.fold_in(history)[0]
        for item in (0, 11, 47):
            explanation = fitted.explain(history, item)
            assert explanation.items.tolist() == list(range(length))
            assert length == 0 or explanation.contributions.sum() == pytest.approx(scores[item], rel=1e-4, abs=1e-6)
            assert explanation.score == pytest.approx(scores[item], rel=1e-4, abs=1e-6)

    def test_the_own_block_speaks_for_an_item(self, fitted):
        history = Histories.from_lists([[0, 1, 2, 24, 25, 26]], N_ITEMS)
        said = dict(fitted.explain(history, 5).strongest(6))
        assert min(said[i] for i in (0, 1, 2)) > max(0, *(said[i] for i in (24, 25, 26)))

    def test_an_empty_history_gets_the_popular_list(self, train, fitted):
        order = np.argsort(-fitted.fold_in([[]])[0], kind="stable")
        np.testing.assert_array_equal(order, np.argsort(-train.counts, kind="stable"))

    def test_who_has_everything_gets_nothing_and_no_padding(self, train, fitted):
        everything = Histories.from_lists([range(N_ITEMS), range(N_ITEMS - 2)], N_ITEMS)
        items, scores = top_items(fitted.fold_in(everything), everything, tie_places(train.items["item_id"]), 10)
        assert (items[0] == -1).all()
        assert sorted(items[1, :2]) == [N_ITEMS - 2, N_ITEMS - 1]
        assert (items[1, 2:] == -1).all()
        assert np.isfinite(scores[1, :2]).all()

    def test_the_model_is_small(self, fitted):
        size = sum(array.nbytes for array in fitted.arrays().values())
        assert size == 4 * (8 * (N_USERS + N_ITEMS) + N_ITEMS)

    @pytest.mark.parametrize("weight", [np.nan, np.inf, -1.0])
    def test_senseless_weights_are_refused(self, fitted, weight):
        history = Histories.from_lists([[1, 2]], N_ITEMS)
        history.weights[1] = weight
        with pytest.raises(ValueError, match="finite and not negative"):
            fitted.fold_in(history)


def test_the_gpu_class_is_asked_for_on_cuda_alone():
    asked: list[Any] = []
    classes = {
        device: SimpleNamespace(als=SimpleNamespace(AlternatingLeastSquares=lambda d=device, **s: asked.append((d, s))))
        for device in ("cpu", "gpu")
    }
    for device in ("cpu", "cuda"):
        ALS(factors=BLOCK, seed=3, device=device).new_model(SimpleNamespace(**classes))
    assert [device for device, _ in asked] == ["cpu", "gpu"]
    assert all(settings["factors"] == BLOCK and settings["random_state"] == 3 for _, settings in asked)


def test_progress_is_shown_on_a_terminal_alone(capsys, monkeypatch, tmp_path):
    from tests.models.contract_tests import block_visible, make

    train = block_visible(tmp_path)
    make(ALS).fit(train)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    make(ALS).fit(train)
    assert "100%" in capsys.readouterr().err
