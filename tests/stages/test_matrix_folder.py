"""The stages run on a folder of matrix form as they do on tables."""

import json

import pytest

from common.data.matrix_files import MatrixFiles
from common.splits.mapped.visible import StoredInteractions
from tests.data.matrix_folders import events, with_repeats, write_matrix_folder
from tests.stages import stage


@pytest.mark.parametrize("repeats", [pytest.param(False, marks=pytest.mark.thorough), True])
def test_the_first_stages_run(tmp_path, repeats):
    tables = with_repeats(events()) if repeats else events()
    folder = write_matrix_folder(tmp_path / "logs", tables, repeats)
    out = tmp_path / "out"
    flags = ["--dataset", str(folder), "--data-dir", str(tmp_path / "data"), "--output-dir", str(out)]
    stage("0_explore.py")(flags)
    (results,) = out.glob("logs-*")
    statistics = json.loads((results / "explore" / "statistics.json").read_text())
    assert statistics["splits"]["temporal"]["items"] == 120
    assert "use --protocol temporal" in statistics["splits"]["listen"]["impossible"]
    assert (results / "explore" / "figures" / "popularity.png").exists()
    models = ["--models", "popularity", "trending", "item_knn"]
    stage("1_knn_baseline.py")([*flags, "--protocol", "temporal", "--test-users", "20", *models])
    written = [json.loads(path.read_text()) for path in results.glob("temporal/*/tuned/seed0/test/metrics.json")]
    assert {record["model"] for record in written} == {"popularity", "trending", "item_knn"}
    assert all(record["n_users"] <= 20 for record in written)
    assert all(("ndcg_10_repeats" in record) is repeats for record in written)


@pytest.mark.thorough
@pytest.mark.parametrize(("script", "models"), [("3_random_forest_rank", 2), ("6_hybrid_listnet", 1)])
def test_the_two_stage_models_run_without_a_table_of_all_interactions(tmp_path, monkeypatch, script, models):
    folder = write_matrix_folder(tmp_path / "logs", events())
    monkeypatch.setattr(StoredInteractions, "frame", None)
    monkeypatch.setattr(MatrixFiles, "rows", None)
    flags = ["--dataset", str(folder), "--data-dir", str(tmp_path / "data"), "--output-dir", str(tmp_path / "out")]
    stage(f"{script}.py")([*flags, "--protocol", "temporal", "--preset", "smoke", "--wandb", "disabled"])
    assert len(list((tmp_path / "out").glob("logs-*/temporal/*/smoke/seed0/test/metrics.json"))) == models


def test_a_folder_of_raw_logs_is_prepared_by_the_first_stage(tmp_path, capsys):
    logs = tmp_path / "logs"
    logs.mkdir()
    tracks = [(n * n // 40 + n % 9) % 97 for n in range(600)]
    rows = [f"u{n % 7},t{track},song {track},band {track % 4},{9_000 * n}" for n, track in enumerate(tracks, 190_000)]
    (logs / "a.csv").write_text("\n".join(["who,track_id,title,artist,time", *rows]))
    (logs / "raw.toml").write_text('[columns]\nuser_id = "who"\n')
    flags = ["--dataset", str(logs), "--data-dir", str(tmp_path / "data"), "--output-dir", str(tmp_path / "out")]
    stage("0_explore.py")(flags)
    assert "quality.html" in capsys.readouterr().out
    assert list((tmp_path / "data").glob("logs-*/quality.html"))
    models = ["--models", "popularity", "item_knn", "--protocol", "temporal"]
    stage("1_knn_baseline.py")([*flags, *models])
    assert "prepared already" not in capsys.readouterr().err
    (metrics,) = (tmp_path / "out").glob("logs-*/temporal/item_knn/tuned/seed0/test/metrics.json")
    assert json.loads(metrics.read_text())["ndcg_10"] > 0
