"""Figures of stage 2: the loss of ALS, and its settings."""

import dataclasses
from typing import Any

import pandas as pd
import pytest

from common.models import ALS
from common.reporting.stages import als
from common.utils.io import write_json, write_parquet

STAGE: Any = als
"""Its figures are named and not drawn here."""


@pytest.fixture
def exp(undrawn):
    return undrawn("2_als")


def test_the_loss_of_the_refit_is_drawn_else_that_of_the_first_fit(exp, tmp_path, monkeypatch):
    exp.args = dataclasses.replace(exp.args, output_dir=tmp_path)
    run = exp.run_of(ALS)
    assert STAGE.draw_training(exp) == []
    write_json(run.folder / "curves.json", {"train/loss": [3.0, 2.0]})
    assert [figure[:2] for figure in STAGE.draw_training(exp)] == [("als_loss", ([3.0, 2.0],))]
    write_json(run.folder / "curves.json", {"train/loss": [3.0, 2.0], "refit/loss": [2.0, 1.0]})
    assert [figure[:2] for figure in STAGE.draw_training(exp)] == [("als_loss", ([2.0, 1.0],))]


def test_settings_are_drawn_from_a_grid_that_is_tried_once(exp, tmp_path, monkeypatch, caplog):
    exp.args = dataclasses.replace(exp.args, output_dir=tmp_path)
    assert STAGE.draw_settings(exp, grid=False) == []
    tried = pd.DataFrame({"factors": [8], "regularisation": [1.0], "ndcg_10": [0.1]})
    monkeypatch.setattr("common.reporting.stages.als.try_grid", lambda *_: tried)
    [(name, (table,), _)] = STAGE.draw_settings(exp, grid=True)
    assert name == "als_settings"
    pd.testing.assert_frame_equal(table, tried)
    [(_, (table,), _)] = STAGE.draw_settings(exp, grid=False)
    pd.testing.assert_frame_equal(table, tried)
    write_parquet(exp.folder / "als" / "sensitivity.parquet", tried.assign(ndcg_10=0.2))
    assert STAGE.draw_settings(exp, grid=False) == []
    assert "sensitivity.parquet is not the file that was written there" in caplog.text
    assert len(STAGE.draw_settings(exp, grid=True)) == 1
    exp.settings[ALS.name] = dataclasses.replace(exp.settings_of(ALS), factors=99)
    assert len(STAGE.draw_settings(exp, grid=False)) == 1, "the grid tries factors of its own"
    exp.settings[ALS.name] = dataclasses.replace(exp.settings_of(ALS), iterations=1)
    assert STAGE.draw_settings(exp, grid=False) == []
    assert "sensitivity.parquet is of other data or settings; make it anew with 2_als.py --sensitivity" in caplog.text


def test_a_damaged_study_is_named_and_the_grid_drawn_instead(exp, tmp_path, monkeypatch, caplog):
    exp.args = dataclasses.replace(exp.args, output_dir=tmp_path)
    study = exp.folder / "als" / "study.jsonl"
    study.parent.mkdir(parents=True)
    study.write_text("no study\n")
    tried = pd.DataFrame({"factors": [8], "regularisation": [1.0], "ndcg_10": [0.1]})
    monkeypatch.setattr("common.reporting.stages.als.try_grid", lambda *_: tried)
    assert STAGE.draw_settings(exp, grid=False) == []
    assert "study.jsonl, line 1, is no record of a study; move the file away" in caplog.text
    assert [name for name, *_ in STAGE.draw_settings(exp, grid=True)] == ["als_settings"]
