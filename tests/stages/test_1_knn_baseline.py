"""Every stage from its flags to its files, on a small generated data set."""

import re
from typing import Any

import pandas as pd
import pytest

from common.experiments.experiment import Experiment
from common.splits.protocols import PROTOCOLS
from common.utils.io import read_json
from tests.stages import PROTOCOL_CASES, stage

PASSING = {"fit_seconds", "fit_cpu_seconds", "recommend_ms_per_user", "peak_rss_mb", "commit", "dirty"}
FILES = {"manifest.json", "metrics.json", "per_user.parquet", "recommendations.parquet", "targets.parquet"}


@pytest.mark.rendered
def test_stage_0_prepares_splits_describes_and_draws(small_flags, small_data, tmp_path, capsys):
    flags = [*small_flags, "--data-dir", str(tmp_path / "data")]
    stage("0_explore.py")(flags)
    prepared = tmp_path / "data" / small_data.name
    assert (prepared / "manifest.json").exists()
    said = capsys.readouterr().out
    for protocol in PROTOCOLS:
        assert (prepared / "splits" / protocol / "split.json").exists()
        assert protocol in said
    folder = tmp_path / "out" / small_data.name / "explore"
    statistics = read_json(folder / "statistics.json")
    assert statistics["users"] == 60
    assert statistics["interactions"] == len(small_data.tables.interactions)
    assert set(statistics["splits"]) == set(PROTOCOLS)
    figures = list((folder / "figures").glob("*.png"))
    assert len(figures) == 10
    assert all(path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size > 5_000 for path in figures)
    before = (folder / "statistics.json").read_bytes()
    stage("0_explore.py")(flags)
    assert (folder / "statistics.json").read_bytes() == before


@pytest.mark.parametrize("protocol", PROTOCOL_CASES)
def test_stage_1_goes_from_flags_to_a_leaderboard(small_flags, small_data, tmp_path, capsys, protocol):
    flags = [*small_flags, "--protocol", protocol]
    stage("1_knn_baseline.py")(flags)
    said = capsys.readouterr()
    folder = tmp_path / "out" / small_data.name / protocol
    table: Any = pd.read_csv(folder / "leaderboard.csv").set_index("model")
    assert {"random", "popularity", "item_knn"} <= set(table.index)
    assert table.loc["popularity", "ndcg_10"] > table.loc["random", "ndcg_10"]
    if protocol in ("listen", "newcomer"):
        assert table.loc["item_knn", "ndcg_10"] > table.loc["popularity", "ndcg_10"]
    records = {}
    for model in table.index:
        for part in ("valid", "test"):
            results = folder / model / "tuned" / "seed0" / part
            assert {path.name for path in results.iterdir()} == FILES
            records[model, part] = read_json(results / "metrics.json")
            assert records[model, part]["protocol"] == protocol
        assert f"{model:<14} select" in said.out
        assert f"{model:<14} final" in said.out
    assert f"results: {folder}" in said.out
    assert {"metrics_by_k.png", "knn_scores.png"} <= set(re.findall(r"\w+\.png", said.out))
    assert "error" not in said.err
    if protocol == "newcomer":
        grown = records["item_knn", "test"]
        assert grown["ndcg_10_given20"] > grown["ndcg_10_given0"]
    if protocol != "listen":  # once is enough to see that a command gives the same results again
        return
    stage("1_knn_baseline.py")(flags)
    for (model, part), before in records.items():
        after = read_json(folder / model / "tuned" / "seed0" / part / "metrics.json")
        assert {k: v for k, v in after.items() if k not in PASSING} == {
            k: v for k, v in before.items() if k not in PASSING
        }, model


def test_stage_1_tunes_on_validation_alone(small_flags, small_data, tmp_path, monkeypatch):
    monkeypatch.setattr(Experiment.tune, "__defaults__", (tmp_path / "presets",))
    stage("1_knn_baseline.py")([*small_flags, "--models", "item_knn", "--tune", "2", "--phase", "select"])
    [preset] = (tmp_path / "presets").glob("*.toml")
    assert "[tuned.item_knn.listen]" in preset.read_text()
    assert not list((tmp_path / "out").rglob("test"))
