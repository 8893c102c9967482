"""The hybrid: the contract, its lists, its inputs, its network, and what it leaves out."""

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest

from common.models.linear.als import ALSSettings
from common.models.linear.ease import EASESettings
from common.models.neural.listnet.inputs import alike_spaces
from common.models.neural.listnet.model import HybridListNet, HybridListNetSettings
from common.models.neural.listnet.ranker import ListNetRanker
from common.models.two_stage.candidates import CandidateGenerator
from common.splits.histories import Query
from common.splits.train_view import TrainView
from common.training.context import NO_CONTEXT
from common.utils.errors import UserError
from tests.models.contract_tests import BLOCK, N_ITEMS, N_USERS, QUICK, ContractTests

SMALL: dict[str, Any] = {
    "als": ALSSettings(factors=8, iterations=4, regularisation=1.0, alpha=10.0),
    "ease": EASESettings(regularisation=5.0),
    "top": 8,
    "width": 4,
    "hidden": (16, 8),
    "epochs": 8,
    "batch": 16,
    "learning_rate": 0.02,
    "tags": 4,
    "words": 4,
    "dropout": 0.0,
}
QUICK["hybrid_listnet"] = {**SMALL, "epochs": 2}


class TestHybridListNet(ContractTests):
    kind = HybridListNet
    settings = SMALL
    other_settings = {  # noqa: RUF012
        "top": 5,
        "epochs": 7,
        "batch": 15,
        "learning_rate": 0.021,
        "weight_decay": 0.1,
        "clip": 0.1,
        "schedule": "cosine",
        "warmup": 2.0,
        "width": 5,
        "hidden": (16, 9),
        "residual": False,
        "dropout": 0.3,
        "side_dropout": 0.5,
        "id_dropout": 0.6,
        "negatives": 1,
        "inputs": "content",
        "task": "rank",
        "plays_weight": 0.3,
        "temperature": 0.5,
        "target_temperature": 0.5,
        "ils_weight": 1.0,
        "outliers": "cap",
        "tags": 2,
        "words": 0,
        "without": ("ids",),
    }

    def test_plays_are_predicted_for_pairs_in_any_order_and_whatever_the_company(self, fitted):
        users, items = np.array([7, 0, 7, 39]), np.array([40, 3, 2, 3])
        together = fitted.predict_plays(users, items)
        assert together.dtype == np.float32
        assert np.isfinite(together).all()
        for place in range(4):
            alone = fitted.predict_plays(users[[place]], items[[place]])
            np.testing.assert_allclose(alone[0], together[place], rtol=1e-4, atol=1e-5)

    def test_candidates_stand_above_all_others(self, fitted):
        scores = fitted.score(self.everybody)
        candidates = fitted.candidates(fitted.query(self.everybody))
        proposed = np.zeros(scores.shape, bool)
        proposed[candidates.rows, candidates.items] = True
        assert (scores[proposed] >= 0).all()
        assert (scores[~proposed] <= 0).all()

    @pytest.mark.parametrize("without", ["audio", "tags"])
    def test_what_is_left_out_changes_the_scores(self, fitted, train, without):
        """What the words name is not among the columns, and the scores change."""
        other = self.make(without=(without,)).fit(train)
        names = np.array(other.ranker.feature_names)[other.ranker.used]
        gone = set(fitted.ranker.feature_names) - set(names)
        assert gone
        assert all(without.rstrip("s") in name or "content_knn" in name for name in gone)
        assert not np.array_equal(other.score(self.everybody), fitted.score(self.everybody))


def make(**changed: Any) -> HybridListNet:
    return HybridListNet(HybridListNetSettings(**SMALL | changed), seed=0)


def set_up(model: HybridListNet, train: TrainView) -> ListNetRanker:
    """The ranker of an unfitted model, ready to be trained."""
    model.ranker.set_state(model.cross_fit(train, NO_CONTEXT).data)
    return model.ranker


# The network


def test_plays_that_are_all_alike_are_not_predicted(train):
    same = dataclasses.replace(train, interactions=train.interactions.assign(weight=1.0))
    model = make(epochs=1).fit(same)
    assert model.predict_plays(np.array([0]), np.array([1])) is None
    assert np.isfinite(model.score(np.arange(N_USERS))).all()


def test_plays_are_learned(train):
    """A user of loud habits plays everything ten times as often."""
    loud = train.interactions["user"].to_numpy() % 2 == 0
    rows = train.interactions.assign(weight=np.where(loud, 200.0, 2.0))
    model = make(epochs=30).fit(dataclasses.replace(train, interactions=rows))
    users = np.arange(N_USERS)
    found = model.predict_plays(users, BLOCK * (users % 4) + 3)
    assert found is not None
    assert found[::2].mean() > found[1::2].mean() + 2


def test_a_price_on_similarity_makes_lists_less_similar(train):
    """Half of each block shares a tag: a price on intra-list similarity mixes the halves."""
    vectors = alike_spaces(train)[1]
    found = []
    for weight in (0.0, 3.0):
        model = make(ils_weight=weight, epochs=30, without=("ids",)).fit(train)
        scores = model.fold_in([[BLOCK * b, BLOCK * b + 1] for b in range(4)])
        top = np.argsort(-scores, axis=1)[:, :6]
        found.append(np.mean([(vectors[row] @ vectors[row].T)[np.triu_indices(6, 1)].mean() for row in top]))
    assert found[1] < found[0] - 0.2


def test_nobody_with_candidates_teaches_nothing_and_harms_nothing(train):
    """A single user: there are no lists with a positive."""
    alone = dataclasses.replace(train, interactions=train.interactions[train.interactions["user"] == 0])
    model = make(epochs=1)
    assert np.isfinite(model.fit(alone, lambda _: 0.5).score(np.arange(N_USERS))).all()
    assert np.isfinite(model.refit(alone).fold_in([[1]])).all()


def test_candidates_of_validation_users_are_made_once(train, monkeypatch):
    made, proposed = [], CandidateGenerator.propose

    def noted(stage: CandidateGenerator, asked: Query) -> Any:
        made.append(len(asked))
        return proposed(stage, asked)

    monkeypatch.setattr(CandidateGenerator, "propose", noted)
    model = make(epochs=3)
    model.fit(train, lambda model: float(model.score(np.arange(5)).mean()))
    assert made.count(5) == 1
    assert model.kept is None
    model.score(np.arange(5))
    assert made.count(5) == 2
    unknown = model.candidates(Query(np.array([-1]), train.histories.take(np.array([3]))))
    assert (unknown.users == -1).all()


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"hidden": ()}, "one or more layers"),
        ({"hidden": (8, 0)}, "hidden 0: give 1 to 16,384"),
        ({"without": ("sound",)}, "sound: choose among audio, tags, ids, people"),
    ],
)
def test_settings_that_make_no_sense_are_refused(train, changed, complaint):
    with pytest.raises(UserError, match=complaint):
        make(**changed).fit(train)


def test_an_unknown_treatment_of_outliers_is_refused(train):
    with pytest.raises(UserError, match="give robust or cap or none"):
        make(outliers="clip").fit(train)


def test_infinite_and_empty_columns_do_no_harm(train):
    items = train.items.assign(
        energy=np.inf, loudness=np.nan, release_year=pd.array([1999, None] * (N_ITEMS // 2), "Int64")
    )
    model = make(epochs=1).fit(dataclasses.replace(train, items=items))
    assert np.isfinite(model.score(np.arange(N_USERS))).all()
    assert "no value in any row" in model.ranker.preprocessor.columns_left_out["loudness"]
