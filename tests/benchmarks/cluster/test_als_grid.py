"""Both engines get the same settings, each on its scale, and are compared user by user."""

import pandas as pd
import pytest

from benchmarks.cluster import als_grid
from benchmarks.notebook import Notebook
from common.evaluation.recommendations import Evaluation
from common.evaluation.task import split

SETTINGS = als_grid.Settings(factors=(2,), regularisation=(0.5,), alpha=(10.0, 20.0), iterations=1)


def reached(*values: float) -> Evaluation:
    users = pd.DataFrame({"user_id": list("cab")[: len(values)], "ndcg_10": values})
    return Evaluation("valid", users, users, users, {})


def test_the_local_engine_gets_the_regularisation_times_the_pairs_of_a_user(small_data, tmp_path, monkeypatch):
    task, notebook = split(small_data), Notebook(tmp_path / "findings.jsonl")
    asked = [als_grid.name_of(chosen) for chosen in als_grid.grid(SETTINGS)]
    assert asked == ["2 factors, 1 iterations, 0.5, 10", "2 factors, 1 iterations, 0.5, 20"]
    for name in asked:
        notebook.note("spark", name, settings={"factors": 2, "alpha": 1.0, "regularisation": 0.5}, per_user=[0.0])
    monkeypatch.setattr(als_grid, "spark_session", None)  # all that it would fit is noted
    als_grid.measure(SETTINGS, task, notebook)
    own = [row["settings"]["regularisation"] for row in notebook.of("local")]
    assert own == [pytest.approx(0.5 * len(task.train.histories.items) / task.train.n_users)] * 2
    assert [row["settings"]["alpha"] for row in notebook.of("local")] == [10.0, 20.0]
    als_grid.measure(SETTINGS, task, notebook)
    assert len(notebook.path.read_text().splitlines()) == 4, "measured again"


def test_the_difference_is_paired_by_user(tmp_path):
    notebook = Notebook(tmp_path / "findings.jsonl")
    chosen = als_grid.grid(SETTINGS)[0]
    als_grid.note(notebook, "local", chosen, chosen, reached(0.3, 0.1, 0.2))
    als_grid.note(notebook, "spark", chosen, chosen, reached(0.4, 0.2, 0.3))
    assert notebook.of("spark")[0]["per_user"] == [0.2, 0.3, 0.4], "in order of their ids"
    assert als_grid.table(notebook).cells == [["2", "10", "0.5", "0", "0.3000", "0.2000", "+0.1000", "0.0000"]]


def test_a_setting_that_makes_no_sense_is_refused_before_anything_is_fitted(capsys):
    with pytest.raises(SystemExit) as stop:
        als_grid.main(["--factors", "0"])
    assert stop.value.code == 2
    assert "--factors" in capsys.readouterr().err
