"""Training data of rankers: what is labelled, what is shared, and what is left out."""

import dataclasses

import numpy as np
import pytest

from common.models.linear.als import ALSSettings
from common.models.two_stage.candidates import CandidateSettings
from common.models.two_stage.training_data import Recipe, aligned, cross_fit
from tests.models.contract_tests import block_visible

SETTINGS = CandidateSettings(top=8, als=ALSSettings(factors=4, iterations=2, regularisation=1.0))
RECIPE = Recipe(SETTINGS, negatives=(2,), seed=0, device="cpu")


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    return block_visible(tmp_path_factory.mktemp("blocks"))


@pytest.fixture(scope="module")
def data(train):
    return cross_fit(train, RECIPE).data


def test_targets_are_pairs_of_the_train_view_and_other_candidates_are_not(train, data):
    has = train.histories.matrix().toarray() > 0
    assert has[data.users[data.target], data.items[data.target]].all()
    negative = data.candidate & ~data.target
    assert not has[data.users[negative], data.items[negative]].any()
    assert 0.5 < negative.sum() / (2 * data.labels.sum()) < 1.5, "two negatives per positive"
    assert (np.diff(data.lists) >= 0).all()


def test_plays_are_known_of_targets_alone(train, data):
    assert (data.has_plays == data.target).all()
    plays = train.histories.matrix().toarray()[data.users[data.target], data.items[data.target]]
    np.testing.assert_allclose(data.log_plays[data.target], np.log1p(plays), rtol=1e-6)
    flat = dataclasses.replace(train, interactions=train.interactions.assign(weight=1.0))
    assert not cross_fit(flat, RECIPE).data.has_plays.any()


def test_features_have_a_column_per_name(data):
    assert data.features.shape == (len(data.lists), sum(map(len, data.columns.values())))
    assert len(data.candidate_features) == len(data.labels) == data.candidate.sum()


def test_a_fold_that_lacks_a_column_gets_nan():
    values = aligned({"user": {"a": np.array([1.0, 2.0])}}, {"user": ["a", "b"], "tags": ["c"]}, 2)
    np.testing.assert_array_equal(values, [[1, np.nan, np.nan], [2, np.nan, np.nan]])
