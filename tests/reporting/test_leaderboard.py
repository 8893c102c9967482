"""One row per model and preset, as table, text, Markdown and files."""

import json
import shutil
from typing import Any

import numpy as np
import pandas as pd
import pytest

from common.reporting.leaderboard import finished_runs, leaderboard, markdown, text, write_leaderboard
from common.utils.io import read_json
from tests.runs import rewrite


@pytest.fixture
def folder(ran, small_data, tmp_path):
    """A copy of the folder of a split with four runs."""
    return shutil.copytree(ran / small_data.name / "listen", tmp_path / small_data.name / "listen")


@pytest.fixture
def split(folder):
    return read_json(folder / "popularity/tuned/seed0/valid/metrics.json")["split_sha256"]


def test_a_row_is_the_mean_over_model_seeds(folder, split):
    table = leaderboard(folder, split).set_index("model")
    assert table["seeds"].to_dict() == {"random": 2, "popularity": 1, "item_knn": 1}
    values = [read_json(path)["ndcg_10"] for path in sorted(folder.glob("random/tuned/*/test/metrics.json"))]
    assert table.loc["random", "ndcg_10"] == pytest.approx(np.mean(values))
    assert table.loc["random", "ndcg_10_std"] == pytest.approx(np.std(values, ddof=1))
    assert list(table.index) == list(table["valid_ndcg_10"].sort_values().index), "one stage, by validation"


def test_a_row_without_test_results_is_kept_and_has_none(folder, split):
    shutil.rmtree(folder / "item_knn/tuned/seed0/test")
    table: Any = leaderboard(folder, split).set_index("model")
    assert np.isnan(table.loc["item_knn", "ndcg_10"])
    assert table.loc["item_knn", "valid_ndcg_10"] > 0
    line = next(line for line in markdown(table.reset_index(), "toy", "listen").splitlines() if "item_knn" in line)
    assert line.count(" - |") > 5


def test_test_results_of_older_settings_are_left_out_with_a_warning(folder, split, caplog):
    path = folder / "item_knn/tuned/seed0/valid/metrics.json"
    rewrite(path, config_sha256="0" * 64)
    assert set(finished_runs(folder, split)[1]["model"]) == {"random", "popularity"}
    assert "1 test results of other settings" in caplog.text


def test_only_named_rows_are_kept(folder, split):
    assert leaderboard(folder, split, {("popularity", "tuned")})["model"].tolist() == ["popularity"]
    assert leaderboard(folder, "another split").empty


def test_files_hold_all_metrics_and_the_best_figure_is_bold(folder, split):
    table = write_leaderboard(folder, "toy", "listen", split)
    assert pd.read_csv(folder / "leaderboard.csv")["ndcg_10"].tolist() == pytest.approx(table["ndcg_10"].tolist())
    content = json.loads((folder / "leaderboard.json").read_text())
    assert (content["dataset"], content["split_sha256"], len(content["rows"])) == ("toy", split, 3)
    page = (folder / "leaderboard.md").read_text()
    assert f"**{table['ndcg_10'].max():.4f}**" in page
    assert page.startswith("**toy, `listen`**\n")
    assert markdown(table, "toy", "listen", note=False) == page.split("\nWhole catalogue")[0]


def test_a_terminal_gets_a_line_per_row_and_newcomers_their_own_columns(folder, split, ran, small_data):
    lines = text(leaderboard(folder, split), "toy", "listen").splitlines()
    assert lines[0] == "toy / listen: leaderboard"
    assert len(lines) == 8
    newcomer = ran / small_data.name / "newcomer"
    sha256 = read_json(newcomer / "popularity/tuned/seed0/valid/metrics.json")["split_sha256"]
    assert "@20" in text(leaderboard(newcomer, sha256), "toy", "newcomer")


def test_rows_that_repeat_the_popular_list_are_named():
    figures = {"preset": "tuned", "ndcg_10": [0.1, 0.1, 0.1, 0.2], "recall_20": [0.1, 0.1, 0.11, 0.2]}
    table = pd.DataFrame({"model": ["popularity", "tag_knn", "trending", "als"], **figures, "valid_ndcg_10": 0.1})
    said = "the same figures as popularity, since the data hold nothing else to go by: tag_knn"
    assert text(table, "toy", "listen").splitlines()[-1] == said
    assert said[1:] in markdown(table, "toy", "listen")
    assert "as popularity," not in text(table[table["model"] != "tag_knn"], "toy", "listen")


def test_rows_of_a_cluster_tell_engine_and_cores(folder, split):
    assert "Engine" not in text(leaderboard(folder, split), "toy", "listen")
    for part in ("valid", "test"):
        rewrite(folder / f"popularity/tuned/seed0/{part}/metrics.json", engine="spark 4.3.0", cores=64)
        rewrite(folder / f"item_knn/tuned/seed0/{part}/metrics.json", threads=2)
    table = leaderboard(folder, split)
    rows = table.set_index("model")[["engine", "cores"]].T.to_dict("list")
    assert rows["popularity"] == ["spark 4.3.0", 64]
    assert rows["item_knn"] == ["local", 2]
    for shown in (text(table, "toy", "listen"), markdown(table, "toy", "listen")):
        assert "Engine" in shown
        line = next(line for line in shown.splitlines() if "popularity" in line and "tuned" in line)
        assert "spark 4.3.0" in line
        assert "64" in line
