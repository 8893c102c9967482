import importlib
from typing import Any

import numpy as np
import pandas as pd
import pytest

from common import api
from common.data.sources.registry import SYNTHETIC
from common.models.linear.als import ALSSettings
from common.utils.errors import UserError
from tests.conftest import SMALL

PARTS = ["als", "tag_knn", "content_knn", "popularity"]
QUICK: dict[str, Any] = {"als": ALSSettings(factors=8, regularisation=1.0, alpha=10.0)}


@pytest.fixture(scope="module")
def music(small_data_dir) -> api.Music:
    return api.load(SYNTHETIC, data_dir=small_data_dir, synthetic=SMALL).fit(**QUICK)


def test_a_user_gets_new_items_with_names_and_reasons_that_add_up(music):
    user = music.users[3]
    table = music.recommend(user, k=7)
    assert len(table) == 7
    assert not set(table["item_id"]) & set(music.train.items["item_id"].iloc[music.train.histories[3]])
    assert (table["name"] == [music.names[music.code(item)] for item in table["item_id"]]).all()
    assert table["score"].is_monotonic_decreasing
    np.testing.assert_allclose(table[PARTS].sum(axis=1), table["score"], rtol=1e-4)
    assert table["because"].str.contains(r"\+\d\.\d{3}").all()


def test_a_newcomer_with_a_users_history_gets_that_users_list(music):
    history = music.train.histories.take(np.array([3]))
    liked = {
        music.train.items["item_id"].iloc[i]: float(w) for i, w in zip(history.items, history.weights, strict=True)
    }
    pd.testing.assert_frame_equal(music.recommend_for(liked), music.recommend(music.users[3]), rtol=1e-4)


def test_an_empty_history_is_answered_without_reasons(music):
    table = music.recommend_for([])
    assert len(table) == 10
    assert (table["because"] == "").all()
    assert (table["als"] == 0).all()
    np.testing.assert_allclose(table[PARTS].sum(axis=1), table["score"], rtol=1e-4)


def test_items_are_named_by_id_or_by_name_in_any_case(music):
    name = music.names.iloc[5]
    assert music.names[music.code(name.upper())] == name
    assert music.code(music.train.items["item_id"].iloc[5]) == 5


def test_versions_of_a_track_do_not_crowd_a_list(music):
    group = music.train.items.set_index("item_id")["group_id"]
    assert group.duplicated().any()
    everything = music.train.n_items
    for table in (music.recommend(music.users[0], everything), music.similar(music.names.iloc[0], everything)):
        assert not group[table["item_id"]].duplicated().any()
    own = group.iloc[music.code(music.names.iloc[0])]
    assert own not in set(group[music.similar(music.names.iloc[0], everything)["item_id"]])


def test_more_than_there_is_can_be_asked_for(music):
    assert 0 < len(music.recommend(music.users[0], 10 * music.train.n_items)) <= music.train.n_items


def test_who_has_heard_everything_gets_an_empty_table(music):
    table = music.recommend_for(music.train.items["item_id"].tolist())
    assert table.empty
    assert list(table) == ["item_id", "name", "score"]


def test_quick_evaluation_is_on_validation(music):
    measured = music.evaluate()
    assert 0 < measured["ndcg_10"] < 1
    assert measured["n_users"] <= SMALL.users
    assert music.train.phase == "select"


def test_a_model_without_reasons_recommends_alike(small_data_dir):
    table = api.load(SYNTHETIC, data_dir=small_data_dir, synthetic=SMALL).fit("item_knn").recommend_for([])
    assert list(table) == ["item_id", "name", "score"]
    assert len(table) == 10


def test_als_explains_itself(small_data_dir):
    music = api.load(SYNTHETIC, data_dir=small_data_dir, synthetic=SMALL).fit("als", factors=8)
    table = music.recommend(music.users[0])
    np.testing.assert_allclose(table["als"], table["score"], rtol=1e-4)
    assert list(music.recommend_for([])) == ["item_id", "name", "score", "popularity", "because"]


def test_a_saved_model_is_opened_and_that_of_another_data_set_refused(music, tmp_path):
    music.model.save(tmp_path)
    user = music.users[0]
    again = api.Music(music.data, music.train).open("ensemble", tmp_path)
    pd.testing.assert_frame_equal(again.recommend(user), music.recommend(user))
    other = api.load(SYNTHETIC, data_dir=tmp_path / "data", synthetic=type(SMALL)(users=40, items=100))
    with pytest.raises(UserError, match="another catalogue"):
        other.open("ensemble", tmp_path)


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda m: m.recommend("nobody"), "unknown user 'nobody'"),
        (lambda m: m.recommend_for(["no such song"]), "unknown item 'no such song'"),
        (lambda m: m.recommend_for([m.names.iloc[5] + "x"]), "did you mean"),
        (lambda m: m.recommend_for({m.names.iloc[5]: float("nan")}), "finite numbers above 0"),
        (lambda m: m.recommend_for({m.names.iloc[5]: float("inf")}), "finite numbers above 0"),
        (lambda m: m.recommend_for({m.names.iloc[5]: -3.0}), "finite numbers above 0"),
        (lambda m: m.recommend(m.users[0], k=0), "at least 1"),
        (lambda m: m.similar("no such song"), "unknown item"),
        (lambda m: m.fit("alss"), "did you mean 'als'"),
        (lambda m: m.fit("als", factor=3), "did you mean 'factors'"),
        (lambda m: api.Music(m.data, m.train).recommend(m.users[0]), r"call fit\(\) or open\(\)"),
    ],
)
def test_mistakes_are_told_in_a_sentence(music, mistake, message):
    with pytest.raises(UserError, match=message):
        mistake(music)


@pytest.mark.parametrize("example", ["recommend", "newcomer", "evaluate"])
def test_the_examples_run(small_data_dir, capsys, example):
    module = importlib.import_module(f"examples.{example}")
    module.main(api.load(SYNTHETIC, data_dir=small_data_dir, synthetic=SMALL))
    said = capsys.readouterr().out
    assert {"recommend": "because of", "newcomer": "known: nothing", "evaluate": "ndcg_10"}[example] in said
    assert len(said.splitlines()) >= 4


def test_the_hybrid_is_fitted_and_asked_like_any_other(small_data_dir):
    music = api.load(SYNTHETIC, data_dir=small_data_dir, synthetic=SMALL)
    table = music.fit("hybrid_listnet", preset="smoke", epochs=1, batch=32).recommend(music.users[0], k=5)
    assert len(table) == 5
    assert table["score"].is_monotonic_decreasing
    assert 0 < music.evaluate()["ndcg_10"] < 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"inputs": "foo"}, "give content"),
        ({"task": "foo"}, "give both or rank or plays"),
        ({"epochs": 0}, "give 1 or more"),
        ({"dropout": 2.0}, "give 0 to 0.95"),
        ({"temperature": 0.0}, "give 0.01 or more"),
        ({"without": "sound"}, "choose among audio"),
    ],
)
def test_settings_that_make_no_sense_are_refused_before_anything_is_fitted(small_data_dir, changes, said):
    with pytest.raises(UserError, match=said):
        api.load(SYNTHETIC, data_dir=small_data_dir, synthetic=SMALL).fit("hybrid_listnet", preset="smoke", **changes)
