"""Both engines get the same settings, each model on its scale, and are compared user by user."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from benchmarks.cluster import als_grid
from benchmarks.notebook import Notebook
from common.evaluation.recommendations import Evaluation
from common.evaluation.task import split
from common.models import ALS
from common.models.linear.ials import IALS

SETTINGS = als_grid.Settings(factors=(2,), regularisation=(0.5,), alpha=(10.0, 20.0), iterations=1)


def reached(*values: float) -> Evaluation:
    users = pd.DataFrame({"user_id": list("cab")[: len(values)], "ndcg_10": values})
    return Evaluation("valid", users, users, users, {})


def test_als_gets_the_regularisation_times_the_pairs_of_a_user(small_data, tmp_path, monkeypatch):
    task, notebook = split(small_data), Notebook(tmp_path / "findings.jsonl")
    asked = [als_grid.name_of(chosen) for chosen in als_grid.grid(SETTINGS)]
    assert asked == ["2 factors, 1 iterations, 0.5, 10", "2 factors, 1 iterations, 0.5, 20"]
    for name in asked:
        notebook.note("spark", name, settings={}, per_user=[0.0])
    monkeypatch.setattr(als_grid, "spark_session", None)  # all that it would fit is noted
    als_grid.measure(SETTINGS, task, notebook)
    own = [row["settings"]["regularisation"] for row in notebook.of("als")]
    assert own == [pytest.approx(0.5 * len(task.train.histories.items) / task.train.n_users)] * 2
    assert [row["settings"]["alpha"] for row in notebook.of("als")] == [10.0, 20.0]
    assert [row["settings"]["alpha"] for row in notebook.of("ials")] == [10.0, 20.0]
    als_grid.measure(SETTINGS, task, notebook)
    assert len(notebook.path.read_text().splitlines()) == 6, "measured again"


def test_ials_minimises_the_loss_of_mllib(small_data):
    """After many rounds the gradient of MLlib's loss, as its documentation writes it, is zero."""
    chosen = dataclasses.replace(als_grid.grid(SETTINGS)[1], iterations=400)
    train = split(small_data).train
    model, seen = als_grid.same_loss(chosen, train)
    assert isinstance(model, IALS)
    model.fit(seen)
    held = (train.histories.matrix().toarray() > 0).astype(float)
    confidence = 1 + chosen.alpha * held
    users, items = model.user_factors.astype(float), model.item_factors.astype(float)
    residual = confidence * (held - users @ items.T)
    of_users = residual @ items - chosen.regularisation * held.sum(axis=1, keepdims=True) * users
    of_items = residual.T @ users - chosen.regularisation * held.sum(axis=0)[:, None] * items
    scale = np.abs(chosen.regularisation * held.sum(axis=1, keepdims=True) * users).max()
    assert np.abs(of_users).max() < 1e-3 * scale
    assert np.abs(of_items).max() < 1e-2 * scale
    assert (train.counts == 1).any(), "items at the floor take part, too"


def test_the_difference_is_paired_by_user(tmp_path):
    notebook = Notebook(tmp_path / "findings.jsonl")
    chosen, other = als_grid.grid(SETTINGS)
    model = ALS(chosen, seed=0)
    als_grid.note(notebook, "als", chosen, model, reached(0.3, 0.1, 0.2))
    als_grid.note(notebook, "als", other, model, reached(0.4, 0.1, 0.2))
    als_grid.note(notebook, "spark", chosen, model, reached(0.4, 0.2, 0.3))
    assert notebook.of("spark")[0]["per_user"] == [0.2, 0.3, 0.4], "in order of their ids"
    row = ["`als`", "2", "10", "0.5", "0", "0.3000", "0.2000", "+0.1000", "0.0000"]
    assert [cells[:9] for cells in als_grid.table(notebook).cells] == [row]
    assert als_grid.best(notebook).cells == [
        ["`als`", "2, 0.5", "2, 0.5", "0.3000", "0.2333", "+0.0667", "0.0333", "+2.0"]
    ]


def test_a_setting_that_makes_no_sense_is_refused_before_anything_is_fitted(capsys):
    with pytest.raises(SystemExit) as stop:
        als_grid.main(["--factors", "0"])
    assert stop.value.code == 2
    assert "--factors" in capsys.readouterr().err
