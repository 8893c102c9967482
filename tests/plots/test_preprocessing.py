import pandas as pd
import pytest

from common.features.preprocessing.joining import joined
from common.features.preprocessing.preprocessor import MusicPreprocessor
from common.plots.preprocessing import before_after, correlations


@pytest.fixture(scope="module")
def before_and_after(small_data):
    tables = small_data.tables
    before = joined(tables.interactions, tables.items, tables.users)
    return before, MusicPreprocessor().fit_transform(before)


def is_png(path) -> bool:
    return path.read_bytes().startswith(b"\x89PNG")


def test_before_and_after_have_a_panel_for_what_exists(tmp_path, before_and_after):
    before, after = before_and_after
    widths = []
    for columns in (["weight", "energy", "time_signature"], ["weight"]):
        path = tmp_path / f"{len(columns)}.png"
        assert before_after(before[columns], after, "toy", path)
        assert is_png(path)
        widths.append(int.from_bytes(path.read_bytes()[16:20], "big"))
    assert widths[0] == 3 * widths[1]


def test_nothing_to_draw_draws_nothing(tmp_path, before_and_after):
    before, after = before_and_after
    path = tmp_path / "none.png"
    assert not before_after(before[["user_id"]], after, "toy", path)
    assert not before_after(before.iloc[:0], after.iloc[:0], "toy", path)
    assert not correlations(pd.DataFrame({"a": [1, 2], "b": [1, 1]}), ["a", "b", "absent"], "toy", path)
    assert not path.exists()


def test_correlations_of_columns_that_vary(tmp_path, before_and_after):
    path = tmp_path / "c.png"
    assert correlations(before_and_after[1], ["plays_log", "energy", "age"], "toy", path)
    assert is_png(path)
