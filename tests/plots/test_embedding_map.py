import numpy as np

from common.plots.embedding_map import embedding_map
from tests.plots.pictures import texts


def test_items_are_coloured_by_theme_and_named_unless_they_cover_one_another(monkeypatch, tmp_path):
    points = np.array([[0.0, 0.0], [0.001, 0.001], [5.0, 5.0], [0.0, 9.0]])
    names, themes = ["first", "covered", "third", "fourth"], ["rock", "", "jazz", "rock"]
    said = texts(monkeypatch, tmp_path, embedding_map, points, names, themes, "tag", "toy").splitlines()
    assert {"first", "third", "fourth", "rock", "jazz", "no frequent tag", "Tag"} <= set(said)
    assert "covered" not in said
