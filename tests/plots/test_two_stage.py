import numpy as np
import pandas as pd
import pytest

from common.plots import two_stage
from tests.plots.pictures import picture, texts

TABLE = pd.DataFrame(
    {
        "name": ["all features", "without tags", "without audio"],
        "group": ["", "group", "single"],
        "impurity": [0.5, 0.3, 0.2],
        "ndcg_10": [0.3, 0.25, 0.28],
        "loss": [0.0, 0.05, 0.02],
        "low": [0.0, 0.04, 0.01],
        "high": [0.0, 0.06, 0.03],
    }
)


def test_losses_are_against_the_first_row(monkeypatch, tmp_path):
    said = texts(monkeypatch, tmp_path, two_stage.ablation, TABLE, "toy").splitlines()
    assert {"without tags", "without audio"} <= set(said)
    assert "Loss of NDCG@10 against all features (0.3000), 95% interval over users" in said


def test_groups_stand_apart_from_single_features(monkeypatch, tmp_path):
    said = texts(monkeypatch, tmp_path, two_stage.importance, TABLE, "toy").splitlines()
    assert said.count("without audio") == 2 * said.count("without tags") > 0, "by impurity and by permutation"


def test_candidates_by_source_and_the_choice(monkeypatch, tmp_path):
    recall = pd.DataFrame({"als": np.linspace(0, 0.5, 200), "all": np.linspace(0, 0.8, 200)})
    assert "all sources together" in texts(monkeypatch, tmp_path, two_stage.candidate_recall, recall, 100, "toy")
    at = [picture(tmp_path, two_stage.candidate_recall, recall, top, "toy") for top in (100, 150)]
    assert at[0] != at[1]


def test_a_single_pair_has_no_spread_but_a_figure(monkeypatch, tmp_path):
    one = pd.DataFrame({"log_plays": [1.0], "predicted": [2.0]})
    said = texts(monkeypatch, tmp_path, two_stage.play_residuals, one, float("nan"), "toy")
    assert "Residuals" in said
    assert "normal" not in said


def test_residuals_name_their_spread(monkeypatch, tmp_path):
    true = np.random.default_rng(0).normal(size=80)
    pairs = pd.DataFrame({"log_plays": true, "predicted": true * 0.5})
    said = texts(monkeypatch, tmp_path, two_stage.play_residuals, pairs, 0.5, "toy")
    assert f"normal, spread {(true * 0.5).std():.2f}" in said


@pytest.mark.parametrize("missing", [np.nan, 0.6])
def test_rows_without_a_similarity_are_left_out(monkeypatch, tmp_path, missing):
    table = pd.DataFrame({"ils_weight": [0.0, 1.0], "ndcg_10": [0.3, 0.2], "ils_tag_10": [0.5, 0.3]})
    others = pd.DataFrame({"model": ["als"], "ndcg_10": [0.25], "ils_tag_10": [missing]})
    said = texts(monkeypatch, tmp_path, two_stage.trade_off, table, others, "toy").splitlines()
    assert ("als" in said) is (missing == 0.6)


def test_dependence_and_calibration(monkeypatch, tmp_path):
    drawn = {"als_score": (np.arange(5.0), np.arange(5.0))}
    assert "als_score" in texts(monkeypatch, tmp_path, two_stage.partial_dependence, drawn, "toy")
    table = pd.DataFrame({"expected": [0.01, 0.1], "found": [0.02, 0.1]})
    assert "mean distance 0.123" in texts(monkeypatch, tmp_path, two_stage.calibration, table, 0.123, "toy")
