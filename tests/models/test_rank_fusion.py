"""Rank fusion: the contract, ranks and their sum by hand, and parts that have nothing to say."""

import dataclasses
from typing import Any, ClassVar

import numpy as np
import pytest

from common.models.knn.content_knn import TagKNNSettings
from common.models.linear.ials import IALSSettings
from common.models.neural.listnet.model import HybridListNetSettings
from common.models.neural.sasrec.model import SASRecSettings
from common.models.neural.two_tower.model import TwoTowerSettings
from common.models.rank_fusion import RankFusion, ranks
from common.splits.histories import Query
from common.training.context import FitContext
from common.utils.errors import UserError
from tests.models.contract_tests import N_ITEMS, QUICK, ContractTests, make

TOWERS = TwoTowerSettings(width=8, hidden=16, epochs=20, batch=16, learning_rate=0.02, negatives=32, tags=4)
SMALL_IALS = IALSSettings(factors=16, regularisation=5.0)
SASREC = SASRecSettings(width=8, epochs=2, batch=16, tags=4)
HYBRID = HybridListNetSettings(top=8, width=4, hidden=(8,), epochs=2, batch=16, tags=4, words=4)
SMALL: dict[str, Any] = {"two_tower": TOWERS, "ials": SMALL_IALS, "sasrec": SASREC, "hybrid_listnet": HYBRID}
QUICK["rank_fusion"] = {**SMALL, "two_tower": dataclasses.replace(TOWERS, epochs=2)}


class TestRankFusion(ContractTests):
    kind = RankFusion
    settings: ClassVar = SMALL
    other_settings: ClassVar = {
        **{"towers_weight": 0.1, "ials_weight": 0.9, "tags_weight": 0.9, "sasrec_weight": 0.5, "hybrid_weight": 0.5},
        "two_tower": dataclasses.replace(TOWERS, epochs=19),
        "ials": dataclasses.replace(SMALL_IALS, factors=4),
        "tag_knn": TagKNNSettings(neighbours=2),
        "seeds": 2,
    }

    def test_the_score_is_the_weighed_sum_of_log_ranks(self, fitted):
        users = np.array([0, 17])
        assert list(fitted.parts) == ["two_tower", "ials", "tag_knn"], "parts of weight 0 are not fitted"
        parts = [ranks(part.score(users)) for part in fitted.parts.values()]
        expected = -sum(weight * np.log1p(part) for weight, part in zip((0.6, 0.2, 0.2), parts, strict=True))
        np.testing.assert_allclose(fitted.score(users), expected, rtol=1e-5, atol=1e-6)

    def test_a_weight_of_1_beside_zeros_leaves_the_order_of_that_part(self, train):
        model = make(RankFusion, towers_weight=0.0, ials_weight=5.0, tags_weight=0.0).fit(train)
        alone = model.parts["ials"].score(self.everybody)
        np.testing.assert_array_equal(ranks(model.score(self.everybody)), ranks(-ranks(alone)))

    def test_networks_from_several_seeds_share_a_weight(self, train):
        model = make(RankFusion, seeds=3).fit(train)
        assert list(model.parts) == ["two_tower", "two_tower-2", "two_tower-3", "ials", "tag_knn"]
        np.testing.assert_allclose(model.weights, [0.2, 0.2, 0.2, 0.2, 0.2])
        assert len({part.seed for part in model.parts.values()}) == 3, "the other parts have the first"
        towers = [model.parts[name].score(self.everybody) for name in list(model.parts)[:3]]
        assert not np.array_equal(towers[0], towers[1])
        assert not np.array_equal(towers[1], towers[2])
        np.testing.assert_array_equal(towers[0], make(RankFusion).fit(train).parts["two_tower"].score(self.everybody))
        expected = sum(np.log1p(ranks(part.score(self.everybody))) for part in model.parts.values())
        np.testing.assert_allclose(model.score(self.everybody), -0.2 * expected, rtol=1e-5, atol=1e-6)

    def test_tags_have_no_say_where_nothing_has_any(self, train):
        model = make(RankFusion).fit(dataclasses.replace(train, item_tags=None))
        np.testing.assert_allclose(model.weights, [0.75, 0.25, 0.0])

    def test_validation_watches_the_towers_and_a_refit_has_their_epochs(self, train):
        seen = []

        def validation(model: Any) -> float:
            seen.append(model.name)
            return -float(abs(len(seen) - 3))  # the third epoch is the best

        model = RankFusion(two_tower=dataclasses.replace(TOWERS, patience=2), ials=SMALL_IALS)
        model.fit(train, validation)
        assert set(seen) == {"two_tower"}
        assert model.costs["best_epoch"] == 3
        model.refit(train)
        assert model.costs["epochs"] == 3


def test_an_order_aware_and_an_order_free_part_are_kept_and_resume(blocks_train, tmp_path):
    """SASRec and the hybrid: each network has checkpoints of its own, and a saved model scores the same."""
    weights = {"towers_weight": 0.0, "ials_weight": 0.0, "tags_weight": 0.0, "sasrec_weight": 0.5, "hybrid_weight": 0.5}
    model = RankFusion(**SMALL, **weights)
    told = []
    context = FitContext(checkpoints=tmp_path / "training", report=lambda _, epoch: told.append(epoch))
    model.fit(blocks_train, lambda _: 0.5, context)
    assert told == [1, 2], "the epochs of SASRec alone"
    assert {folder.name for folder in (tmp_path / "training").iterdir()} == {"sasrec", "hybrid_listnet"}
    again = RankFusion(**SMALL, **weights)
    again.fit(blocks_train, lambda _: 0.5, dataclasses.replace(context, resume=True))
    users = np.arange(blocks_train.n_users)
    np.testing.assert_array_equal(again.score(users), model.score(users))
    model.save(tmp_path / "model")
    asked = (lambda of: of.score(users), lambda of: of.fold_in([[3, 1], []]))
    for ask in asked:
        np.testing.assert_array_equal(ask(RankFusion.load(tmp_path / "model", blocks_train)), ask(model))
        quick = ask(RankFusion.load(tmp_path / "model", blocks_train, inference_only=True))
        assert np.isclose(quick, ask(model), rtol=1e-4, atol=1e-5).mean() > 0.99, "rounding may swap two neighbours"


def test_hours_reach_the_parts_that_go_by_them(blocks_train, monkeypatch):
    by_hour = RankFusion(**SMALL | {"hybrid_listnet": dataclasses.replace(HYBRID, context=True)}, hybrid_weight=0.5)
    assert by_hour.knows_hours
    assert not RankFusion(**SMALL, hybrid_weight=0.5).knows_hours
    model = RankFusion(**SMALL, towers_weight=0.0, tags_weight=0.0).fit(blocks_train)
    query = Query(np.array([3]), blocks_train.histories.take(np.array([3])), np.array([17]))
    asked: list[Query] = []

    def at_its_hour(query: Query) -> np.ndarray:
        asked.append(query)
        return model.parts["ials"].score(query.users)

    monkeypatch.setattr(model.parts["ials"], "scores_of", at_its_hour)
    np.testing.assert_array_equal(model.scores_of(query), model.score(np.array([3])))
    assert asked == [query]


def test_ranks_count_what_is_larger_and_half_of_what_is_alike():
    scores = np.array([[0.1, 0.9, 0.5, 0.9, 0.9], [2.0, -1.0, 0.0, 1.0, -3.0]], np.float32)
    np.testing.assert_array_equal(ranks(scores), [[4, 1, 3, 1, 1], [0, 3, 2, 1, 4]])


def test_what_rounding_makes_of_equal_scores_is_alike():
    value = np.float32(0.7)
    scores = np.array([[value, np.nextafter(value, np.float32(1)), 1.0, 0.1]], np.float32)
    np.testing.assert_array_equal(ranks(scores), [[1.5, 1.5, 0, 3]])
    np.testing.assert_array_equal(ranks(np.zeros((1, 3), np.float32)), [[1, 1, 1]])


def test_weights_that_leave_nothing_are_refused(blocks_train):
    with pytest.raises(UserError, match="all weights of --rank-fusion but that of tags are 0"):
        make(RankFusion, towers_weight=0.0, ials_weight=0.0).fit(blocks_train)


@pytest.fixture
def blocks_train(tmp_path):
    from tests.models.contract_tests import block_visible

    train = block_visible(tmp_path)
    assert train.n_items == N_ITEMS
    return train
