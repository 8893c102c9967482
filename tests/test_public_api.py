"""`from common import ...`: what a notebook gets, and how it is told of mistakes."""

import importlib
import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest

import common
from common import compare, evaluate, load_dataset, rerank, split
from common.evaluation.task import Task
from common.models import ALS, SASRec
from common.models.base import Recommender
from common.models.baselines import Popularity
from common.models.ensemble import Ensemble
from common.models.linear.als import ALSSettings
from common.models.neural.listnet.model import HybridListNet
from common.models.registry import MODELS
from common.utils.errors import UserError
from tests.conftest import ROOT
from tests.notebook import numbered

NOTEBOOK = """
from common import compare, evaluate, load_dataset, rerank, split
from common.models import ALS, SASRec
data = load_dataset("lastfm-2k")
task = split(data, "listen", seed=0)
als = ALS(factors=128, regularisation=30.0, seed=0).fit(task.train)
sasrec = SASRec(layers=2, dropout=0.4, device="auto").fit(task.train, validation=task.valid)
ndcg = evaluate(als, task.valid).metrics["ndcg_10"]
compared = compare([als, sasrec], task.valid, metric="ndcg_10")
known = als.recommend(["2", "4"], k=10)
new = als.recommend(histories=[["Radiohead", "Muse"]], k=10)
similar = als.similar_items("Radiohead", k=5)
reranked = rerank(als.recommend(["2"], k=100), task.train, mmr=0.3)
als.save("my-als"); loaded = ALS.load("my-als", task.train)
"""
LIST = ["user_id", "rank", "item_id", "name", "score"]
COMPARED = ["model", "value", "difference", "low", "high", "p"]
QUICK: dict[str, Any] = {"als": ALSSettings(factors=8, regularisation=1.0, alpha=10.0)}


@pytest.fixture(scope="module")
def task(small_data, tmp_path_factory) -> Task:
    return split(numbered(small_data, tmp_path_factory.mktemp("numbered")), "listen")


@pytest.fixture(scope="module")
def als(task) -> Recommender:
    return ALS(factors=8, regularisation=1.0).fit(task.train)


@pytest.fixture(scope="module")
def ensemble(task) -> Ensemble:
    return Ensemble(**QUICK).fit(task.train)


def run_notebook(monkeypatch, tmp_path, data) -> dict[str, Any]:
    monkeypatch.setattr("common.data.dataset.load_dataset", lambda name: {"lastfm-2k": data}[name])
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(NOTEBOOK, names)
    return names


def check_notebook(found: dict[str, Any]) -> None:
    als, task = found["als"], found["task"]
    assert found["ndcg"] == task.valid(als)
    assert list(found["compared"]) == COMPARED
    assert found["compared"]["value"].tolist() == [found["ndcg"], task.valid(found["sasrec"])]
    for name, rows in (("known", 20), ("new", 10)):
        assert (list(found[name]), len(found[name])) == (LIST, rows)
    assert set(found["known"]["user_id"]) == {"2", "4"}
    assert not {"Radiohead", "Muse"} & set(found["new"]["name"])
    assert (list(found["similar"]), len(found["similar"])) == (LIST[1:], 5)
    candidates = als.recommend(["2"], k=100)
    assert sorted(found["reranked"]["item_id"]) == sorted(candidates["item_id"])
    assert found["reranked"]["item_id"].tolist() != candidates["item_id"].tolist()
    pd.testing.assert_frame_equal(found["loaded"].recommend(["2", "4"]), found["known"])


# Importing


def test_importing_common_is_quick_and_loads_nothing_heavy():
    code = "import sys, time, common; dir(common); print(time.process_time(), *sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    seconds, *modules = said.split()
    assert float(seconds) < 0.2
    assert not {"torch", "pandas", "numpy", "scipy"} & set(modules)
    assert [name for name in modules if name.startswith("common.")] == []


def test_each_name_of_the_api_is_there_and_listed():
    assert set(common.__all__) <= set(dir(common))
    for name in common.__all__:
        assert getattr(common, name).__name__ == name
        assert getattr(common, name).__doc__
    assert not hasattr(common, "load")


def test_type_checkers_see_what_is_imported_later():
    source = (ROOT / "common" / "__init__.py").read_text()
    for name, module in common._MODULES.items():
        [line] = [line for line in source.splitlines() if line.startswith(f"    from common.{module} import ")]
        assert name in line.split(" import ")[1].split(", ")
    assert list(common._MODULES) != [] and sorted(common._MODULES) == common.__all__


# The notebook


def test_the_notebook_runs(monkeypatch, tmp_path, task):
    check_notebook(run_notebook(monkeypatch, tmp_path, task.data))


@pytest.mark.thorough
def test_the_notebook_runs_on_the_real_data(monkeypatch, tmp_path, real_data):
    quick = NOTEBOOK.replace('device="auto"', "width=16, heads=2, epochs=1").replace("factors=128", "factors=16")
    monkeypatch.setattr("tests.test_public_api.NOTEBOOK", quick)
    check_notebook(run_notebook(monkeypatch, tmp_path, real_data))


@pytest.mark.parametrize("name", list(MODELS))
def test_every_model_takes_device_auto(name):
    assert MODELS[name](device="auto").device in ("cpu", "cuda", "cuda:0")


def test_auto_is_a_gpu_where_there_is_one(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda card: "card")
    monkeypatch.setattr("common.models.linear.als.devices", lambda: ("cuda", "cpu"))
    found = {name: MODELS[name](device="auto").device for name in ("sasrec", "hybrid_listnet", "als", "ensemble")}
    assert found == {"sasrec": "cuda:0", "hybrid_listnet": "cuda:0", "als": "cuda", "ensemble": "cuda"}
    assert MODELS["item_knn"](device="auto").device == MODELS["forest"](device="auto").device == "cpu"


# Tasks


def test_split_names_the_folder_of_protocol_and_seed(small_data):
    assert split(small_data).split_folder == "listen"
    task = split(small_data, "next", seed=3)
    assert (task.split_folder, task.train.protocol) == ("next-s3", "next-s3")


# Lists


def test_a_user_gets_new_items_with_names(task, als):
    table = als.recommend(["4"], k=7)
    assert table["rank"].tolist() == list(range(1, 8))
    train, user = task.train, task.train.user_code("4")
    assert not set(table["item_id"]) & set(train.items["item_id"].iloc[train.histories[user]])
    assert table["name"].tolist() == [train.names[train.item_code(item)] for item in table["item_id"]]
    assert table["score"].is_monotonic_decreasing


def test_a_new_user_with_the_history_of_a_known_one_gets_the_same_list(task, ensemble):
    train, user = task.train, task.train.user_code("4")
    history = train.histories.take(np.array([user]))
    ids = train.items["item_id"].iloc[history.items]
    plays = {item: float(weight) for item, weight in zip(ids, history.weights, strict=True)}
    new, known = ensemble.recommend(histories=[plays]), ensemble.recommend(["4"])
    pd.testing.assert_frame_equal(new.drop(columns="user_id"), known.drop(columns="user_id"), rtol=1e-4)


def test_plays_count(task):
    als = ALS(factors=8, regularisation=1.0, weighting="raw").fit(task.train)
    one, other = (als.recommend(histories=[{"Radiohead": n, "Muse": 1}]) for n in (1, 5000))
    assert one["item_id"].tolist() != other["item_id"].tolist()
    pd.testing.assert_frame_equal(one, als.recommend(histories=[["Radiohead", "Muse"]]))


def test_an_empty_history_is_recommended_something_and_nothing_explains_it(task, ensemble):
    table = ensemble.recommend(histories=[[]])
    assert len(table) == 10
    explained = ensemble.explain_list([[]], [task.train.item_code(item) for item in table["item_id"]])
    assert [why.score for why in explained] == pytest.approx(table["score"].tolist(), rel=1e-4)
    assert all(why.parts["als"] == 0 and not len(why.items) for why in explained)


def test_explanations_add_up_to_the_scores(task, ensemble, als):
    user = task.train.user_code("4")
    history = task.train.histories.take(np.array([user]))
    for model, parts in ((ensemble, {"als", "tag_knn", "content_knn", "popularity"}), (als, {"als"})):
        table = model.recommend(["4"], k=7)
        explained = model.explain_list(history, [task.train.item_code(item) for item in table["item_id"]], user)
        assert [why.score for why in explained] == pytest.approx(table["score"].tolist(), rel=1e-4)
        assert all(set(why.parts) == parts and why.strongest(3)[0][1] > 0 for why in explained)
    assert set(als.explain([[]], 0).parts) == {"popularity"}
    assert Popularity().explain(history, 0) is None


def test_more_than_there_is_can_be_asked_for_and_who_has_everything_gets_an_empty_table(task, als):
    assert 0 < len(als.recommend(["4"], k=10 * task.train.n_items)) < task.train.n_items
    table = als.recommend(histories=[task.train.items["item_id"].tolist()])
    assert table.empty
    assert list(table) == LIST


def test_versions_of_a_track_do_not_crowd_a_reranked_list(task, als):
    works = task.train.items.set_index("item_id")["group_id"]
    everything = als.recommend(["4"], k=task.train.n_items)
    assert works[everything["item_id"]].duplicated().any()
    assert not works[rerank(everything, task.train, one_version=True)["item_id"]].duplicated().any()


def test_numbers_are_looked_up_as_ids_before_names(task, als):
    train = task.train
    assert train.items["item_id"][train.item_code(17)] == train.items["item_id"][train.item_code("17")] == "17"
    assert train.names[train.item_code(4711)] == "4711", "no item has this id, so it is a name"
    pd.testing.assert_frame_equal(als.recommend([4]), als.recommend(["4"]))
    pd.testing.assert_frame_equal(als.similar_items(np.int64(17)), als.similar_items("17"))
    pd.testing.assert_frame_equal(als.recommend(histories=[[17, 2]]), als.recommend(histories=[["17", "2"]]))


@pytest.mark.parametrize("kind", [list, tuple, np.array, pd.Series, iter, lambda ids: np.array(ids, object)])
def test_ids_are_taken_from_whatever_holds_them(als, kind):
    pd.testing.assert_frame_equal(als.recommend(kind(["4", "2"])), als.recommend(["4", "2"]))
    pd.testing.assert_frame_equal(als.recommend(kind([4, 2])), als.recommend(["4", "2"]))
    pd.testing.assert_frame_equal(als.recommend(histories=[kind([17, 2])]), als.recommend(histories=[["17", "2"]]))
    pd.testing.assert_frame_equal(
        als.recommend(histories=kind([["Muse"], ["17"]]) if kind is not np.array else np.array([["Muse"], ["17"]])),
        als.recommend(histories=[["Muse"], ["17"]]),
    )


@pytest.mark.parametrize("whole", [np.int8, np.uint64, np.int32, str, np.str_])
def test_a_number_of_any_kind_is_the_same_id(task, als, whole):
    assert task.train.item_code(whole(17)) == task.train.item_code("17")
    assert task.train.user_code(whole(4)) == task.train.user_code("4")
    plays = als.recommend(histories=[{whole(17): np.float32(3), "Muse": 2}])
    pd.testing.assert_frame_equal(plays, als.recommend(histories=[{"17": 3, "Muse": 2.0}]))


@pytest.mark.parametrize("k", [5, 5.0, np.int64(5), np.float32(5), np.uint8(5)])
def test_k_may_be_any_whole_number(task, als, k):
    pd.testing.assert_frame_equal(als.recommend(["4"], k=k), als.recommend(["4"], k=5))
    pd.testing.assert_frame_equal(als.similar_items("17", k=k), als.similar_items("17", k=5))
    table = als.recommend(["4"])
    pd.testing.assert_frame_equal(rerank(table, task.train, k, mmr=0.1), rerank(table, task.train, 5, mmr=0.1))


@pytest.mark.parametrize("k", [True, np.bool_(True), None, "5", 2.5, np.nan, np.inf, -np.inf, 0, -1, 10**30, [5]])
def test_any_other_k_ends_in_a_sentence(task, als, k):
    for query in (lambda: als.recommend(["4"], k=k), lambda: als.similar_items("17", k=k)):
        with pytest.raises(UserError, match=r"k = .*: give a whole number from 1 to 2,147,483,647") as error:
            query()
        assert len(str(error.value)) < 150


NO_ID: list[Any] = [
    True,
    np.bool_(False),
    None,
    np.nan,
    17.0,
    np.float64(17),
    b"17",
    ["17"],
    ("17",),
    pd.NA,
    pd.Timestamp(0),
    10**5000,
]


@pytest.mark.parametrize("value", NO_ID, ids=[type(value).__name__ for value in NO_ID])
def test_what_is_no_id_ends_in_a_sentence(task, als, value):
    for query in (
        lambda: task.train.item_code(value),
        lambda: task.train.user_code(value),
        lambda: als.recommend([value]),
        lambda: als.recommend(histories=[[value]]),
        lambda: als.similar_items(value),
    ):
        with pytest.raises(UserError, match=r"(item|user) .*: give an id or a name as text, or"):
            query()


@pytest.mark.parametrize(
    "value", ["17", b"17", 17, {"17": None}, np.array("17"), pd.DataFrame({"user_id": ["4"]}), True]
)
def test_what_is_no_list_of_ids_ends_in_a_sentence(als, value):
    with pytest.raises(UserError, match=r"users = .*: give a list of ids, such as users=\["):
        als.recommend(value)
    for histories in (value, [value] if not isinstance(value, dict) else value):
        with pytest.raises(
            UserError, match=r"histories = .*: give a list of histories, each a list of item ids or names"
        ):
            als.recommend(histories=histories)


def test_reranking_takes_the_histories_of_new_users(task, als):
    new = [["Radiohead"], ["Muse"]]
    table = als.recommend(histories=new, k=50)
    with_own = rerank(table, task.train, 10, calibration=0.9, histories=new)
    with_others = rerank(table, task.train, 10, calibration=0.9, histories=new[::-1])
    assert with_own["item_id"].tolist() != with_others["item_id"].tolist()


# Saved models


def test_a_saved_model_is_loaded_and_that_of_another_data_set_refused(task, ensemble, small_data, tmp_path):
    ensemble.save(str(tmp_path))
    again = Ensemble.load(str(tmp_path), task.train)
    pd.testing.assert_frame_equal(again.recommend(["4"]), ensemble.recommend(["4"]))
    assert evaluate(again, task.valid).metrics == evaluate(ensemble, task.valid).metrics
    with pytest.raises(UserError, match="another catalogue"):
        Ensemble.load(tmp_path, split(small_data).train)


def test_the_hybrid_is_fitted_and_asked_like_any_other(small_data):
    task = split(small_data)
    quick = HybridListNet(top=20, width=8, hidden=(16,), tags=8, words=8, epochs=1, batch=32)
    model = quick.fit(task.train, validation=task.valid)
    table = model.recommend(task.train.users["user_id"].tolist()[:1], k=5)
    assert len(table) == 5
    assert table["score"].is_monotonic_decreasing
    assert 0 < evaluate(model, task.valid).metrics["ndcg_10"] < 1


# Mistakes


@pytest.mark.parametrize(
    ("mistake", "sentence"),
    [
        (lambda t, m: split(t.data, "lisen"), "unknown protocol 'lisen': did you mean 'listen'"),
        (lambda t, m: split(t.data, seed=-1), "seed = -1: give a whole number from 0 to 2,147,483,647"),
        (lambda t, m: split(t.data, seed=1.5), "seed = 1.5"),  # type: ignore[arg-type]
        (lambda t, m: split("lastfm-2k"), "data: str is no data set; give what load"),  # type: ignore[arg-type]
        (lambda t, m: load_dataset("lastfm2k"), "lastfm2k"),
        (lambda t, m: ALS(factor=3), "unknown setting of als 'factor': did you mean 'factors'"),
        (lambda t, m: ALS(factors=0), "factors 0: give 1 to 8,192"),
        (lambda t, m: ALS(factors=2.5), "factors 2.5: give a whole number"),
        (lambda t, m: ALS(regularisation="high"), "regularisation 'high': give a number"),
        (lambda t, m: ALS("fast"), "settings = 'fast': give ALSSettings"),
        (lambda t, m: ALS(seed=-1), "seed = -1"),
        (lambda t, m: ALS(device="gpu"), "unknown device 'gpu'.*known are auto, cpu, cuda"),
        (lambda t, m: SASRec(device="cuda", epochs=1).fit(t.train), "use --device cpu or auto"),
        (lambda t, m: ALS().fit(t), "train: Task is no train view; give task.train"),
        (lambda t, m: ALS().fit(t.data), "train: Dataset is no train view"),
        (lambda t, m: ALS().fit(t.train, validation=t), "is no evaluator; give task.valid"),
        (lambda t, m: ALS().recommend(["4"]), "als knows no ids yet: call fit"),
        (lambda t, m: ALS().save("nowhere"), "als is not fitted"),
        (lambda t, m: ALS.load("nowhere"), "nowhere holds no saved model"),
        (lambda t, m: evaluate(ALS(), t.valid), "als has no train view; call fit"),
        (lambda t, m: evaluate(ALS, t.valid), "is none; give a fitted one"),
        (lambda t, m: evaluate(m, t), "evaluator: Task is no part of a task; give task.valid or task.test"),
        (lambda t, m: evaluate(m, t.test), "als was fitted on train of .*, but test belongs to train_valid"),
        (lambda t, m: evaluate(m, t.valid).metrics["ndgc_10"], "metric 'ndgc_10'.*did you mean 'ndcg_10'"),
        (lambda t, m: compare([m, m], t.valid, "ndcg10"), "metric 'ndcg10'.*did you mean 'ndcg_10'"),
        (lambda t, m: compare([m], t.valid), "a list of two models or more"),
        (lambda t, m: compare(m, t.valid), "a list of two models or more"),
        (lambda t, m: compare([m, ALS()], t.valid), "als has no train view"),
        (lambda t, m: compare([m, "sasrec"], t.valid), "model: 'sasrec' is none"),  # type: ignore[list-item]
        (lambda t, m: m.recommend(["nobody"]), "unknown user 'nobody'"),
        (lambda t, m: m.recommend("4"), r"users = '4': give a list of ids, such as users=\['4'\]"),
        (lambda t, m: m.recommend(4), r"users = 4: give a list of ids"),
        (lambda t, m: m.recommend(["4"], k=0), "k = 0: give a whole number from 1"),
        (lambda t, m: m.recommend(["4"], k=2.5), "k = 2.5: give a whole number"),
        (lambda t, m: m.recommend(["4"], k="10"), "k = '10': give a whole number"),
        (lambda t, m: m.recommend(["4"], histories=[[]]), "users or histories, not both"),
        (lambda t, m: m.recommend(histories=["Radiohead"]), "a list of histories, each a list"),
        (lambda t, m: m.recommend(histories="Radiohead"), "a list of histories, each a list"),
        (lambda t, m: m.recommend(histories=[None]), "histories = None: give a list of histories, each a list"),
        (lambda t, m: m.recommend(histories={"Radiohead": 1}), "a list of histories, each a list"),
        (lambda t, m: m.recommend(histories=[["Radiohat"]]), "unknown item 'Radiohat'; did you mean 'Radiohead'"),
        (lambda t, m: m.recommend(histories=[{"Muse": float("nan")}]), "plays of 'Muse' = nan: give a finite number"),
        (lambda t, m: m.recommend(histories=[{"Muse": float("inf")}]), "give a finite number above 0"),
        (lambda t, m: m.recommend(histories=[{"Muse": -3}]), "give a finite number above 0"),
        (lambda t, m: m.recommend(histories=[{"Muse": "many"}]), "plays of 'Muse' = 'many'"),
        (lambda t, m: m.recommend(histories=[{"Muse": None}]), "plays of 'Muse' = None: give a finite number"),
        (lambda t, m: m.recommend(histories=[{"Muse": True}]), "plays of 'Muse' = True: give a finite number"),
        (lambda t, m: m.recommend(histories=[{"Muse": 1e300}]), "plays of 'Muse' = 1e.300: .*from 1e-30 to 1e.30"),
        (lambda t, m: m.recommend(histories=[["y" * 5000]]), r"unknown item 'y+\.\.\.'; check the spelling"),
        (lambda t, m: ALS(factors=True), "factors True: give a whole number, 1 to 8,192"),
        (lambda t, m: ALS(ALS.Settings(factors=10**6)), "factors 1000000: give 1 to 8,192"),
        (lambda t, m: ALS(regularisation=float("nan")), "regularisation nan: give 1e-06 to 1e"),
        (lambda t, m: rerank([], t.train), "recommendations: list is no table"),  # type: ignore[arg-type]
        (lambda t, m: rerank(m.recommend(["4"]), t.train, mmr=True), "diversity True: give a number, 0 to 1"),
        (lambda t, m: m.similar_items("no such song"), "unknown item 'no such song'"),
        (lambda t, m: m.similar_items("Muse", k=True), "k = True: give a whole number"),
        (lambda t, m: m.similar_items("Muse", k=10**5000), "k = a number of 5001 digits: give a whole number"),
        (lambda t, m: rerank(m.recommend(["4"]), t.train, mrm=0.3), "unknown setting of rerank 'mrm'.*mmr"),
        (lambda t, m: rerank(m.recommend(["4"]), t.train, mmr=1.5), "diversity 1.5: give 0 to 1"),
        (lambda t, m: rerank(m.recommend(["4"]), t.train, k=0), "k = 0: give a whole number"),
        (lambda t, m: rerank(m.recommend(["4"]), t), "train: Task is no train view"),
        (lambda t, m: rerank(m.similar_items("Muse"), t.train), "recommendations lack user_id"),
        (lambda t, m: rerank(m.recommend(["4"]), t.train, histories=[[], []]), "2 for 1 users"),
    ],
)
def test_a_mistake_ends_in_a_sentence_that_names_the_argument(task, als, mistake, sentence):
    with pytest.raises(UserError, match=sentence) as error:
        mistake(task, als)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"inputs": "foo"}, "give content"),
        ({"task": "foo"}, "give both or rank or plays"),
        ({"epochs": 0}, "give 1 to 10,000"),
        ({"dropout": 2.0}, "give 0 to 0.95"),
        ({"temperature": 0.0}, "give 0.01 to 1e"),
        ({"without": "sound"}, "(give a list|choose among audio)"),
        ({"without": ["sound"]}, "choose among audio"),
        ({"hidden": [16, 0]}, "hidden 0: give 1 to 16,384"),
        ({"residual": "no"}, "give True or False"),
    ],
)
def test_settings_that_make_no_sense_are_refused_before_anything_is_fitted(changes, sentence):
    with pytest.raises(UserError, match=sentence):
        HybridListNet(**changes)


# Examples


@pytest.mark.parametrize(
    ("example", "sentence"), [("recommend", "because of"), ("newcomer", "known: nothing"), ("evaluate", "ndcg_10")]
)
def test_the_examples_run(small_data, capsys, example, sentence):
    importlib.import_module(f"examples.{example}").main(small_data)
    said = capsys.readouterr().out
    assert sentence in said
    assert len(said.splitlines()) >= 4
