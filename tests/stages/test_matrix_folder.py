"""The stages run on a folder of matrix form as they do on tables."""

import json

import pytest

from tests.data.matrix_folders import events, with_repeats, write_matrix_folder
from tests.stages import stage


@pytest.mark.parametrize("repeats", [False, True])
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
