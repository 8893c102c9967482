from dataclasses import replace

import numpy as np
import pytest

from common.data.dataset import load_dataset
from common.models.base import Recommender
from common.models.registry import MODELS
from common.models.two_stage.base import TwoStageRecommender
from common.serving.explanations import (
    BASIS,
    BY_POPULARITY,
    CHEAP,
    OTHERWISE,
    SIMILARITY,
    explain,
    leave_one_out,
    scores_of,
    similarity,
)
from common.splits.histories import Histories
from common.splits.train_view import load_train_view
from tests.serving.saved_models import fit_tiny, write_own_folder

SUMS = ("item_knn", "tag_knn", "user_knn", "als", "ease")
MODELS_HERE = [name for name in MODELS if name not in ("trending", "content_knn")]  # no times and no sound here


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    folder = tmp_path_factory.mktemp("why")
    return load_train_view(load_dataset(str(write_own_folder(folder / "own")), folder / "data"), "listen", "final")


@pytest.fixture(scope="module")
def model(request, train):
    """One model at a time, trained once."""
    return fit_tiny(request.param, train)


def history(train, *items):
    return Histories.from_lists([list(items)], train.n_items)


every_model = pytest.mark.parametrize("model", MODELS_HERE, indirect=True)
sums = pytest.mark.parametrize("model", SUMS, indirect=True)


@every_model
def test_every_model_gives_reasons_of_one_form_and_says_what_they_are(model, train):
    own, listed = history(train, 0, 1, 2), [4, 5, 14]
    told = explain(model, own, listed)
    assert len(told.each) == len(listed)
    assert len(told.basis) > 20
    for why in (*told.each, told.shared):
        assert len(why.items) <= 3
        assert {item for item, _ in why.items} <= {0, 1, 2}, "only what is in the history can speak"
        assert all(np.isfinite(by) and by > 0 for _, by in why.items)
        assert all(np.isfinite(by) for _, by in why.parts)
        assert [by for _, by in why.items] == sorted((by for _, by in why.items), reverse=True)


@every_model
def test_nobody_speaks_for_an_empty_history(model, train):
    told = explain(model, history(train), [4, 5])
    assert len(told.each) == 2
    assert not any(why.items for why in (*told.each, told.shared))


@sums
def test_what_the_history_adds_is_the_score(model, train):
    own = history(train, 0, 1, 2)
    item = int(np.argmax(model.fold_in(own)[0]))
    why = model.explain(own, item)
    assert why.contributions.sum() == pytest.approx(why.score)
    assert why.score == pytest.approx(float(model.fold_in(own)[0, item]), rel=1e-4)


@sums
def test_the_items_of_ones_own_circle_speak_most(model, train):
    """The listeners of 0..9 never listen to 10..19."""
    told = explain(model, history(train, 0, 1, 15), [4], most=2)
    assert {item for item, _ in told.each[0].items} <= {0, 1}
    assert told.each[0].items


@pytest.mark.parametrize("model", ["user_knn"], indirect=True)
def test_a_known_user_has_no_vote_in_the_explain(model, train):
    own = train.histories.take(np.array([3]))
    item = int(
        np.argmax(np.where(np.isin(np.arange(train.n_items), own.items), -np.inf, model.score(np.array([3]))[0]))
    )
    why = model.explain(own, item, user=3)
    assert why.score == pytest.approx(float(model.score(np.array([3]))[0, item]), rel=1e-4)


@pytest.mark.parametrize("model", ["ensemble", "hybrid_knn"], indirect=True)
def test_shares_of_the_parts_sum_to_one(model, train):
    told = explain(model, history(train, 0, 1, 2), [4, 5])
    assert told.in_shares
    for why in told.each:
        assert sum(by for _, by in why.parts) == pytest.approx(1, abs=1e-5)
        assert all(0 < by <= 1 for _, by in why.parts)


@pytest.mark.parametrize("model", ["forest"], indirect=True)
def test_a_forest_names_its_features(model, train):
    told = explain(model, history(train, 0, 1, 2), [4], most=5)
    assert {name for name, _ in told.each[0].parts} <= {*model.feature_builder.names, "first_stage"}


@pytest.mark.parametrize("model", ["sasrec"], indirect=True)
def test_attention_is_told_of_the_list_and_not_of_an_item(model, train):
    told = explain(model, history(train, 0, 1, 2), [4, 5], most=3)
    assert not any(why.items for why in told.each)
    assert sum(by for _, by in told.shared.items) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("model", ["two_tower"], indirect=True)
def test_the_nearest_liked_items_are_those_of_largest_cosine(model, train):
    vectors = model.item_vectors()
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    own = np.array([0, 1, 2])
    cosine = unit[own] @ unit[4]
    told = explain(model, history(train, *own), [4], most=1).each[0].items
    expected = [(int(own[np.argmax(cosine)]), pytest.approx(float(cosine.max()), rel=1e-5))]
    assert told == (expected if cosine.max() > 0 else [])


@pytest.mark.parametrize("model", ["item_knn"], indirect=True)
def test_leaving_out_measures_what_the_sum_says(model, train):
    """Where the score is a sum over the history, both ways agree."""
    own = history(train, 0, 1, 2)
    item = int(np.argmax(np.where(np.arange(train.n_items) < 3, -np.inf, model.fold_in(own)[0])))
    by_sum = dict(explain(model, own, [item]).each[0].items)
    by_fall = dict(leave_one_out(model, own, [item], -1, 3).each[0].items)
    for code, value in by_sum.items():
        if len(by_sum) > 1:
            assert by_fall[code] == pytest.approx(value, rel=1e-3)


@pytest.mark.parametrize("model", ["hist_gradient"], indirect=True)
def test_a_known_user_keeps_what_else_is_known(model, train):
    own = train.histories.take(np.array([3]))
    np.testing.assert_array_equal(scores_of(model, own, 3), model.score(np.array([3])))


@pytest.mark.parametrize("model", ["als", "ensemble"], indirect=True)
def test_nothing_speaks_through_factors_that_say_nothing(model, train):
    """An artist without a visible listener has factors of 0: the list is the popular one, and the reason is that."""
    als = model if model.name == "als" else model.als
    als.item_factors[3] = 0
    als._prepare()
    own = history(train, 3)
    told = explain(model, own, [14, 15])
    if model.name == "als":
        np.testing.assert_allclose([by for why in told.each for _, by in why.parts], model.fold_in(own)[0, [14, 15]])
        assert [name for why in told.each for name, _ in why.parts] == [BY_POPULARITY] * 2
    for why in told.each:
        assert not why.items or model.name == "ensemble"
        assert sum(by for _, by in why.parts) <= 1 + 1e-6


@pytest.mark.parametrize("model", ["tag_knn"], indirect=True)
def test_what_a_similarity_is_multiplied_by_is_said(model, train):
    assert "listeners" not in explain(model, history(train, 0), [4]).basis
    leaning = type(model)(replace(model.settings, popularity=0.5, history="log")).fit(train)
    said = ", times log(1 + plays) and the item's own listeners to the power 0.5"
    assert explain(leaning, history(train, 0), [4]).basis.endswith(said)
    assert similarity(leaning).endswith("(TF-IDF), times the item's own listeners to the power 0.5")


@pytest.mark.parametrize("model", ["forest"], indirect=True)
def test_features_are_explained(model, train):
    told = explain(model, history(train, 0, 1, 2), [4], most=9)
    assert set(told.terms) == {name for name, _ in told.each[0].parts} - {"first_stage"}


def test_every_model_says_what_makes_items_alike():
    for name, kind in MODELS.items():
        assert (name in SIMILARITY) != issubclass(kind, TwoStageRecommender)


def test_every_model_explains_itself_or_is_explained_otherwise_or_by_occlusion():
    own = {name for name, kind in MODELS.items() if kind.explain_list is not Recommender.explain_list}
    assert own == set(BASIS)
    assert set(MODELS) - set(BASIS) - set(OTHERWISE) == {"hist_gradient", "hybrid_listnet", "lightgcn", "rank_fusion"}
    assert set(CHEAP) <= {*BASIS, *OTHERWISE}
