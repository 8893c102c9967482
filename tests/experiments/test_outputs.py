import dataclasses

import pytest

from common.data.sources.registry import resolve_name
from common.experiments.outputs import Outputs, collect, read_results, results_of_rows, runs_in
from common.experiments.run import Run, RunKey
from common.models import ItemKNN, Popularity
from common.reporting.leaderboard import leaderboard
from common.utils.errors import UserError
from tests.runs import finish


@pytest.fixture
def outputs(small_settings, tmp_path) -> Outputs:
    """Popularity tested, item kNN on validation alone."""
    finish(small_settings, [Popularity])
    finish(dataclasses.replace(small_settings, phase="select"), [ItemKNN])
    return Outputs(tmp_path / "out")


def test_runs_are_listed_by_data_set_split_model_and_preset(outputs, small_data):
    assert [run.key.model for run in outputs.runs()] == ["item_knn", "popularity"]
    [run] = outputs.runs(small_data.name, "listen", model="popularity", preset="tuned")
    assert run.key == RunKey(small_data.name, "listen", "popularity", "tuned", 0)
    assert run.parts == ["valid", "test"]
    assert outputs.runs(split="next") == outputs.runs(preset="classic") == []
    assert outputs.datasets() == [small_data.name]


@pytest.mark.parametrize("name", ["popularity", "popularity/tuned", "popularity/tuned/seed0"])
def test_a_run_is_found_by_name(outputs, small_data, name):
    assert outputs.find(name).key.model == "popularity"


def test_an_unknown_run_is_answered_with_those_that_are_there(outputs):
    with pytest.raises(UserError, match="item_knn/tuned, popularity/tuned"):
        outputs.find("als")
    with pytest.raises(UserError, match="protocol 'nxt'"):
        outputs.find("als", split="nxt")


def test_rows_never_mix_test_and_validation(outputs, small_data, tmp_path):
    folder = tmp_path / "out" / small_data.name / "listen"
    split = runs_in(folder)[0].results("valid").metrics["split_sha256"]
    rows = leaderboard(folder, split)
    assert results_of_rows(folder, rows).part == "valid"
    assert results_of_rows(folder, rows[rows["model"] == "popularity"]).part == "test"


def test_runs_of_another_drawing_are_left_out_and_counted(outputs, small_data, tmp_path, caplog):
    folder = tmp_path / "out" / small_data.name / "listen"
    assert collect(folder, "valid", "another").empty
    assert "2 runs on another split are left out" in caplog.text


def test_a_part_that_a_run_lacks_is_named(outputs):
    runs = [outputs.find("popularity"), outputs.find("item_knn")]
    assert {results.part for results in read_results(runs)} == {"valid"}
    with pytest.raises(UserError, match="no results on test"):
        read_results(runs, "test")
    with pytest.raises(UserError, match="named twice"):
        read_results([runs[0], Run(runs[0].folder)])


def test_a_folder_of_ones_own_is_found_by_its_path(tmp_path, monkeypatch):
    mine = tmp_path / "mine"
    mine.mkdir()
    own = resolve_name(str(mine), tmp_path)
    monkeypatch.setattr(Outputs, "datasets", lambda _: [own, f"{own}-deduplicated"])
    outputs = Outputs(tmp_path / "out")
    assert outputs.choose_dataset(str(mine)) == own
    assert outputs.choose_dataset(f"{mine}-deduplicated") == f"{own}-deduplicated"
    (tmp_path / "another").mkdir()
    with pytest.raises(UserError, match="unknown data set 'another-"):
        outputs.choose_dataset(str(tmp_path / "another"))
