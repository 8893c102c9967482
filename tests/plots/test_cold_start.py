import pandas as pd

from common.plots.cold_start import cold_start
from tests.plots.pictures import picture, texts

VALUES = pd.DataFrame({"mean": [0.1, 0.2], "low": [0.05, 0.1], "high": [0.15, 0.3]}, index=[0, 5])


def test_a_line_for_each_model_and_a_star_for_what_is_known_without_items(monkeypatch, tmp_path):
    rows = {"als": VALUES, "two_tower": VALUES + 0.1, "with friends": VALUES + 0.2}

    def draw(path):
        cold_start(rows, "toy", path, bold="two_tower", single="with friends")

    assert {"als", "two_tower", "with friends (0 items)", "0", "5"} <= set(
        texts(monkeypatch, tmp_path, draw).splitlines()
    )


def test_the_interval_of_the_bold_model_alone_is_drawn(tmp_path):
    wide = VALUES.assign(high=0.9)

    def draw(rows):
        return picture(tmp_path, lambda path: cold_start(rows, "toy", path, bold="two_tower", single=""))

    assert draw({"als": VALUES, "two_tower": VALUES}) == draw({"als": wide, "two_tower": VALUES})
    assert draw({"als": VALUES, "two_tower": VALUES}) != draw({"als": VALUES, "two_tower": wide})
