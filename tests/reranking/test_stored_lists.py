import dataclasses

import pytest

from common.experiments.run import Run
from common.models.knn.item_knn import ItemKNN
from common.reranking import stored_lists
from common.reranking.item_facts import Reranking
from common.reranking.stored_lists import StoredLists, write_run
from common.utils.errors import UserError
from common.utils.io import write_json
from tests.runs import finish


@pytest.fixture
def run(small_settings) -> Run:
    """A finished run without test results."""
    [made] = finish(dataclasses.replace(small_settings, phase="select"), [ItemKNN])
    return made


def test_lists_as_they_are_have_the_metrics_that_the_run_wrote(run, small_data):
    lists = StoredLists(run, small_data)
    assert list(lists.results) == ["valid"]
    written, found = run.results("valid").metrics, lists.metrics(Reranking())
    for key in ("ndcg_10", "hr_10_sampled99", "coverage_10", "novelty_10"):
        assert found[key] == pytest.approx(written[key])
    assert lists.metrics(Reranking(novelty=4.0))["novelty_10"] > found["novelty_10"]


def test_reranked_lists_are_a_run_beside_the_models_own(run, small_data, small_settings, monkeypatch):
    monkeypatch.setattr(stored_lists, "draw_accuracy", lambda *_: None)
    settings = Reranking(novelty=1.0)
    write_run(StoredLists(run, small_data), "novelty", "tuned", settings, "disabled", small_settings.output_dir)
    made = Run(run.split_folder / "item_knn+novelty" / "tuned" / "seed0")
    assert made.parts == ["valid"]
    assert made.config()["settings"]["reranking"] == {"places": stored_lists.PLACES, "novelty": 1.0}
    metrics, before = made.results("valid").metrics, run.results("valid").metrics
    assert metrics["rerank_ms_per_user"] > 0
    assert metrics["recommend_ms_per_user"] > before["recommend_ms_per_user"]
    assert metrics["fit_seconds"] == before["fit_seconds"]
    with pytest.raises(UserError, match="is re-ranked already; name the run of item_knn"):
        StoredLists(made, small_data)


def test_a_run_on_other_data_is_refused(run, small_data):
    write_json(run.folder / "config.json", run.config() | {"data_sha256": "other"})
    with pytest.raises(UserError, match="is on other data than"):
        StoredLists(run, small_data)
