import numpy as np
import pandas as pd
import pytest

from common.evaluation.curves import curves
from common.experiments.run_folders import on_part, run_folders
from common.plots.model_comparison import draw_comparison
from common.reporting.leaderboard import leaderboard
from tests.stages import stage


def test_curves_by_hand():
    targets = pd.DataFrame({"user_id": ["a", "a", "b"], "rank": [1, 3, 2]})
    found = curves(targets)
    assert found["Recall@k"][:3].tolist() == [0.25, 0.75, 1.0]  # means of (1/2, 0), (1/2, 1), (1, 1)
    second = 1 / np.log2(3)
    at_two = (1 / (1 + second) + second) / 2  # user a: rank 1 of two hidden; user b: rank 2 of one
    assert found["NDCG@k"][1] == pytest.approx(at_two)


def test_newcomers_have_a_curve_over_all_rungs():
    targets = pd.DataFrame({"user_id": ["a", "a"], "given": [0, 5], "rank": [1, 7]})
    assert curves(targets)["Recall@k"][0] == 0.5


def test_figures_are_drawn_from_what_the_runs_wrote(small_flags, small_data, tmp_path):
    stage("1_knn_baseline.py")([*small_flags, "--models", "popularity", "item_knn"])
    folder = tmp_path / "out" / small_data.name / "listen"
    split = pd.read_json(folder / "leaderboard.json", typ="series")["split_sha256"]
    rows = leaderboard(folder, split)
    assert {name: path.name for name, path in run_folders(folder, rows).items()} == {
        "popularity": "test",
        "item_knn": "test",
    }
    stage("1_knn_baseline.py")([*small_flags, "--models", "user_knn", "--phase", "select"])
    mixed = leaderboard(folder, split)
    assert {path.name for path in run_folders(folder, mixed).values()} == {"valid"}  # never validation beside test
    assert on_part("small", run_folders(folder, mixed)) == "small, validation"
    for path in (folder / "figures").iterdir():
        path.unlink()
    drawn = draw_comparison(folder, rows, "small")
    assert [path.stat().st_size > 10_000 for path in drawn] == [True] * 3
    assert draw_comparison(tmp_path / "nothing", rows, "small") == []
