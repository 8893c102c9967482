import numpy as np
import pandas as pd

from common.plots.networks import accuracy_by_length, attention, embedding_map, training_curves
from tests.plots.pictures import picture, texts


def test_the_epoch_that_was_kept_is_marked(monkeypatch, tmp_path):
    curves = {"train/loss": [3.0, 2.0, 1.5], "refit/loss": [2.5], "val/ndcg_10": [None, 0.25, 0.2]}
    said = texts(monkeypatch, tmp_path, training_curves, curves, "toy")
    assert "kept: epoch 2, 0.2500" in said
    assert "trained on train + validation" in said


def test_training_without_validation_has_one_panel(monkeypatch, tmp_path):
    said = texts(monkeypatch, tmp_path, training_curves, {"train/loss": [3.0, 2.0]}, "toy")
    assert "Loss per event" in said
    assert "Validation" not in said


def test_each_model_has_a_line_by_length(monkeypatch, tmp_path):
    table = pd.DataFrame({"ndcg_10": [0.1, 0.2], "hr_10": [0.3, 0.4]}, index=[4.0, 9.0])
    said = texts(monkeypatch, tmp_path, accuracy_by_length, {"als": table, "ease": table / 2}, "toy")
    assert {"als", "ease", "NDCG@10", "HR@10", "4", "9"} <= set(said.splitlines())


def test_attention_shows_the_last_events_and_shortens_long_names(monkeypatch, tmp_path):
    events = [f"song {place}" for place in range(19)] + ["a very long name of a song indeed"]
    weights = np.random.default_rng(0).random((2, 2, 20))
    said = texts(monkeypatch, tmp_path, attention, events, weights, "toy").splitlines()
    assert "song 4" in said and "song 3" not in said
    assert "a very long name of a song…" in said
    assert {"Block 1", "Block 2"} <= set(said)
    one = picture(tmp_path, attention, events, weights, "toy")
    assert (
        one
        == picture(tmp_path, attention, events, weights, "toy")
        != picture(tmp_path, attention, events, weights**2, "toy")
    )


def test_items_are_coloured_by_theme_and_named_unless_they_cover_one_another(monkeypatch, tmp_path):
    points = np.array([[0.0, 0.0], [0.001, 0.001], [5.0, 5.0], [0.0, 9.0]])
    names, themes = ["first", "covered", "third", "fourth"], ["rock", "", "jazz", "rock"]
    said = texts(monkeypatch, tmp_path, embedding_map, points, names, themes, "tag", "toy").splitlines()
    assert {"first", "third", "fourth", "rock", "jazz", "no frequent tag", "Tag"} <= set(said)
    assert "covered" not in said
