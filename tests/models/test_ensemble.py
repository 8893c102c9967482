import dataclasses
from typing import ClassVar

import numpy as np
import pytest

from common.models.ensemble import N_GIVEN, Ensemble, EnsembleSettings
from common.models.knn.content_knn import ContentKNNSettings, TagKNNSettings
from common.models.linear.als import ALSSettings
from common.splits.histories import Histories
from common.utils.errors import UserError
from common.utils.settings import build_settings
from tests.models.contract_tests import BLOCK, HEARD, N_ITEMS, QUICK, ContractTests

SMALL_ALS = ALSSettings(factors=8, regularisation=1.0, alpha=10.0)
QUICK["ensemble"] = {"als": SMALL_ALS}
PARTS = ["als", "tag_knn", "content_knn", "popularity"]


class TestEnsemble(ContractTests):
    kind = Ensemble
    folds_as_it_scores = True
    assert N_GIVEN[2] <= HEARD < N_GIVEN[3], "the toy's histories stand on the rung 5-9"
    other_settings: ClassVar = {
        **{"als_5": 0.1, "content_5": 0.9, "popularity_5": 0.9, "audio": 0.9},
        "als": dataclasses.replace(SMALL_ALS, factors=4),
        "tag_knn": TagKNNSettings(neighbours=2),
        "content_knn": ContentKNNSettings(neighbours=2),
    }

    @pytest.mark.parametrize(
        ("length", "rung"), [(0, 0), (1, 1), (4, 1), (5, 2), (9, 2), (10, 3), (19, 3), (20, 4), (40, 4)]
    )
    def test_the_length_of_the_history_decides_the_weights(self, fitted, length, rung):
        history = Histories.from_lists([range(length)], N_ITEMS)
        weights = fitted.settings.weights()[rung][None]
        np.testing.assert_array_equal(
            sum(part for _, part in fitted.scaled_parts(history, weights)), fitted.fold_in(history)
        )

    def test_the_defaults_are_the_rule_of_thumb(self):
        als, tags, audio, popularity = EnsembleSettings().weights().T
        np.testing.assert_allclose(als, [0, 0.5, 0.6, 0.6, 0.6])
        np.testing.assert_allclose(tags + audio, [0.7, 0.5, 0.3, 0.3, 0.3])
        np.testing.assert_allclose(popularity, [0.3, 0, 0.1, 0.1, 0.1])

    def test_every_parts_best_unheard_item_is_worth_its_weight(self, fitted):
        history = Histories.from_lists([[0, 1, 2, 3, 4, 5]], N_ITEMS)
        unheard = np.setdiff1d(np.arange(N_ITEMS), history.items)
        parts = dict(fitted.scaled_parts(history))
        assert list(parts) == PARTS
        for weight, scores in zip(fitted.settings.weights()[2], parts.values(), strict=True):
            assert scores[0, unheard].max() == pytest.approx(weight, rel=1e-6)

    @pytest.mark.parametrize("length", [0, 1, 3, 7, 30])
    def test_the_parts_and_the_history_add_up_to_the_score(self, fitted, length):
        history = Histories.from_lists([range(length)], N_ITEMS)
        scores = fitted.fold_in(history)[0]
        for item in (0, 11, 40, 47):
            explanation = fitted.explain(history, item)
            assert list(explanation.parts) == PARTS
            assert explanation.score == pytest.approx(scores[item], rel=1e-4, abs=1e-6)
            owing_nothing = explanation.parts["popularity"] if length else explanation.score
            assert explanation.contributions.sum() + owing_nothing == pytest.approx(scores[item], rel=1e-4, abs=1e-5)
            assert explanation.items.tolist() == list(range(length))

    def test_a_history_without_an_order_of_codes_is_explained_alike(self, fitted):
        one, other = (fitted.explain(Histories.from_lists([items], N_ITEMS), 5) for items in ([9, 1, 4], [1, 4, 9]))
        assert one.parts == pytest.approx(other.parts)
        assert dict(one.strongest(3)) == pytest.approx(dict(other.strongest(3)))

    def test_nobodys_history_is_everybodys(self, fitted):
        parts = dict(fitted.scaled_parts(Histories.from_lists([[]], N_ITEMS)))
        assert not parts["als"].any()
        crowd = fitted.popularity @ fitted.content["tag_knn"].similarity.toarray()
        share = fitted.settings.weights()[0, 1]
        np.testing.assert_allclose(parts["tag_knn"][0], share * crowd / crowd.max(), rtol=1e-5)

    def test_content_does_not_lean_to_the_popular_a_second_time(self, train, fitted):
        leaning = self.make(tag_knn=TagKNNSettings(popularity=1.0)).fit(train)
        np.testing.assert_array_equal(leaning.score(np.arange(5)), fitted.score(np.arange(5)))

    def test_who_has_everything_is_still_scored(self, fitted):
        scores = fitted.fold_in([range(N_ITEMS)])
        assert np.isfinite(scores).all()

    def test_als_alone_orders_like_als(self, train, fitted):
        alone = self.make(als_5=1.0, content_5=0.0, popularity_5=0.0).fit(train)
        users = np.arange(5)
        np.testing.assert_allclose(
            np.argsort(-alone.score(users), axis=1)[:, :BLOCK],
            np.argsort(-fitted.als.score(users), axis=1)[:, :BLOCK],
        )

    @pytest.mark.parametrize("senseless", [float("nan"), float("inf"), -0.1])
    def test_senseless_weights_are_refused(self, senseless):
        with pytest.raises(UserError, match="weights of the ensemble must be finite"):
            EnsembleSettings(als_10=senseless)
        with pytest.raises(UserError, match="share between 0 and 1"):
            EnsembleSettings(audio=senseless)

    def test_a_range_without_any_weight_is_refused(self):
        with pytest.raises(UserError, match="in no range all 0"):
            EnsembleSettings(content_0=0.0, popularity_0=0.0)

    def test_settings_survive_being_written(self):
        settings = EnsembleSettings(als_1=0.3, als=SMALL_ALS)
        assert build_settings(EnsembleSettings, dataclasses.asdict(settings)) == settings
