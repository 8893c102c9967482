from dataclasses import replace
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

from common.models.linear.ease import EASE
from common.splits.histories import Histories
from common.splits.train_view import TrainView
from common.utils import memory
from common.utils.errors import UserError
from tests.models.contract_tests import BLOCK, N_ITEMS, N_USERS, QUICK, ContractTests

QUICK["ease"] = {"regularisation": 5.0}


def textbook_weights(histories: Histories, regularisation: float, weighting: str) -> np.ndarray:
    """B of the paper: P = (X'X + l I)^-1, B = I - P / diag(P) with the columns divided."""
    x = histories.matrix().toarray().astype(float)
    x = np.log1p(x) if weighting == "log" else (x > 0).astype(float)
    inverse = np.linalg.inv(x.T @ x + regularisation * np.eye(x.shape[1]))
    b = -inverse / np.diag(inverse)
    np.fill_diagonal(b, 0)
    return b


def drawn(n_users: int, n_items: int) -> Histories:
    """Histories by chance, with plays."""
    rng = np.random.default_rng(0)
    lists = [rng.permutation(n_items)[: rng.integers(1, n_items // 2)].tolist() for _ in range(n_users)]
    histories = Histories.from_lists(lists, n_items)
    histories.weights[:] = rng.integers(1, 50, len(histories.weights))
    return histories


class TestEASE(ContractTests):
    kind = EASE
    folds_as_it_scores = True
    other_settings: ClassVar = {"regularisation": 50.0, "weighting": "log", "decay": 0.1}

    @pytest.mark.parametrize(("n_users", "n_items"), [(15, 40), (40, 15), (20, 20)])
    @pytest.mark.parametrize("weighting", ["binary", "log"])
    def test_the_smaller_side_gives_the_textbooks_weights(self, n_users, n_items, weighting, train):
        histories = drawn(n_users, n_items)
        model = self.make(regularisation=7.0, weighting=weighting)
        model.fit(train_of(histories))
        assert model.dual == (n_users < n_items)
        assert len(model.inverse) == min(n_users, n_items)
        matrix = histories.matrix().toarray().astype(float)
        x = np.log1p(matrix) if weighting == "log" else (matrix > 0).astype(float)
        expected = x @ textbook_weights(histories, 7.0, weighting)
        np.testing.assert_allclose(model.score(np.arange(n_users)), expected, rtol=1e-3, atol=1e-4)

    @pytest.mark.parametrize("pairs", [1, 300, 10**6])
    def test_the_diagonal_is_rounded_as_what_it_is_taken_from(self, pairs, monkeypatch):
        monkeypatch.setattr("common.models.linear.ease.PAIRS", pairs)
        histories = drawn(60, 150)
        model = self.make(regularisation=7.0, weighting="log").fit(train_of(histories))
        assert model.dual
        x = np.log1p(histories.matrix().toarray().astype(float))
        explained = [sum(x[users, item] * model.rebuilt[users, item]) for item, users in _listeners(x)]
        np.testing.assert_array_equal(model.diagonal, (1 - np.array(explained)) / 7.0)

    @pytest.mark.parametrize("room", [1, 5000, 10**9])
    @pytest.mark.parametrize(("n_users", "n_items"), [(60, 150), (150, 60)])
    def test_the_memory_for_a_block_changes_no_bit(self, room, n_users, n_items, monkeypatch):
        train = train_of(drawn(n_users, n_items))
        whole = self.make(weighting="log").fit(train)
        monkeypatch.setattr("common.models.linear.ease.block_bytes", lambda: room)
        parts = self.make(weighting="log").fit(train)
        np.testing.assert_array_equal(parts.inverse, whole.inverse)
        np.testing.assert_array_equal(parts.diagonal, whole.diagonal)

    @pytest.mark.parametrize(("n_users", "n_items"), [(200_000, 300_000), (300_000, 200_000)])
    def test_what_cannot_be_inverted_is_refused_with_what_can_be_used(self, n_users, n_items, train):
        memory.use("6GB")
        users = pd.DataFrame({"user_id": np.arange(n_users).astype(str)})
        large = replace(train, users=users, items=pd.DataFrame({"item_id": np.arange(n_items).astype(str)}))
        sentence = r"ease needs about \d+ GB .* 6 GB; leave ease out of --models; item_knn and als need less"
        with pytest.raises(UserError, match=sentence):
            self.make().fit(large)

    def test_decay_fades_the_older_items(self, train):
        model = self.make(decay=0.7).fit(train)
        b = textbook_weights(train.histories, 5.0, "binary")
        expected = np.exp(-1.4) * b[3] + np.exp(-0.7) * b[14] + b[30]
        np.testing.assert_allclose(model.fold_in([[3, 14, 30]])[0], expected, rtol=1e-3, atol=1e-5)

    def test_an_empty_history_gets_the_popular_list(self, train, fitted):
        order = np.argsort(-fitted.fold_in([[]])[0], kind="stable")
        np.testing.assert_array_equal(order, np.argsort(-train.counts, kind="stable"))

    def test_no_item_speaks_for_itself(self, fitted):
        scores = fitted.fold_in([[item] for item in range(N_ITEMS)])
        np.testing.assert_allclose(np.diag(scores), 0, atol=1e-5)

    def test_similar_items_are_a_row_of_the_weights(self, train, fitted):
        items, scores = fitted.similar(4, BLOCK - 1)
        np.testing.assert_allclose(scores, textbook_weights(train.histories, 5.0, "binary")[4, items], atol=1e-5)
        assert fitted.dual == (N_USERS < N_ITEMS)


def _listeners(x: np.ndarray) -> list[tuple[int, np.ndarray]]:
    return [(item, np.flatnonzero(x[:, item])) for item in range(x.shape[1])]


def train_of(histories: Histories) -> TrainView:
    """A train view of these histories and of nothing else."""
    users = np.repeat(np.arange(len(histories), dtype=np.int32), histories.lengths)
    rows = pd.DataFrame({"user": users, "item": histories.items, "weight": histories.weights})
    names = [f"i{i:03}" for i in range(histories.n_items)]
    items = pd.DataFrame({"item_id": names, "name": names})
    known = pd.DataFrame({"user_id": [f"u{u:03}" for u in range(len(histories))]})
    return TrainView("drawn", "listen", "select", "", 1, items, known, rows, None, None, None, None)
