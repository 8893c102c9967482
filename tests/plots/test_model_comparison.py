import pandas as pd

from common.experiments.run_folders import on_part, run_folders
from common.plots.model_comparison import draw_comparison
from common.reporting.leaderboard import leaderboard
from tests.stages import stage


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
