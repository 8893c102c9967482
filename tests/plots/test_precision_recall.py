import numpy as np
import pandas as pd

from common.evaluation.curves import score_calibration
from common.plots.precision_recall import loss, precision_recall, scores, settings
from tests.plots.pictures import picture, texts


def test_each_model_has_a_curve(monkeypatch, tmp_path):
    curve = np.linspace(0.5, 0.1, 100), np.linspace(0.0, 0.9, 100)
    said = texts(monkeypatch, tmp_path, precision_recall, {"als": curve, "ease": curve}, "toy")
    assert {"als", "ease", "Precision@k"} <= set(said.splitlines())


def test_a_panel_of_scores_for_each_model(monkeypatch, tmp_path):
    rng = np.random.default_rng(0)
    values = {"als": (rng.normal(1, 1, 50), rng.normal(0, 1, 500)), "ease": (np.ones(5), np.ones(50))}
    calibration = {name: score_calibration(*of) for name, of in values.items()}
    said = texts(monkeypatch, tmp_path, scores, values, calibration, "toy")
    assert {"Score of als", "Score of ease", "Expected share of held-out items", "exact"} <= set(said.splitlines())
    better = {"als": pd.DataFrame({"expected": [0.1, 0.2], "found": [0.1, 0.2]}), "ease": calibration["ease"]}
    assert picture(tmp_path, scores, values, calibration, "toy") != picture(tmp_path, scores, values, better, "toy")


def test_seven_models_stand_in_two_rows(monkeypatch, tmp_path):
    values = {f"m{n}": (np.arange(5.0), np.arange(9.0)) for n in range(7)}
    nothing = dict.fromkeys(values, pd.DataFrame({"expected": [0.1], "found": [0.0]}))
    assert "Score of m6" in texts(monkeypatch, tmp_path, scores, values, nothing, "toy")


def test_scores_that_are_all_one_have_no_calibration(monkeypatch, tmp_path):
    same = np.ones(3), np.ones(9)
    said = texts(monkeypatch, tmp_path, scores, {"als": same}, {"als": score_calibration(*same)}, "toy")
    assert "No calibration: all scores are the same" in said.splitlines()


def test_losses_and_trials_are_drawn_as_they_are(tmp_path):
    assert picture(tmp_path, loss, [3.0, 2.0], "toy") != picture(tmp_path, loss, [3.0, 1.0], "toy")
    trials = pd.DataFrame({"factors": [8, 32], "regularisation": [1.0, 100.0], "ndcg_10": [0.1, 0.2]})
    assert picture(tmp_path, settings, trials, "toy") != picture(tmp_path, settings, trials.assign(ndcg_10=0.2), "toy")
