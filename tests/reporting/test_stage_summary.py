"""The end of a stage: its leaderboard, and the figures that compare all rows."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from common.experiments.experiment import Experiment
from common.experiments.outputs import RowResults
from common.reporting.stage_summary import beside, compare_rows, summarise
from tests.runs import STAGE


@pytest.fixture
def exp(small_settings, ran, monkeypatch):
    """An experiment over finished runs, whose figures are noted and not drawn."""
    exp = Experiment(dataclasses.replace(small_settings, output_dir=ran), STAGE)
    drawn: dict[str, tuple[str, list[str]]] = {}

    def plot(name, draw, *values, part="", **_):
        drawn[name] = (part, [*values[0]])
        return exp.folder / "figures" / f"{name}.png"

    monkeypatch.setattr(exp, "plot", plot)
    exp.drawn = drawn  # type: ignore[attr-defined]
    return exp


def test_the_leaderboard_is_written_and_printed_and_every_figure_named(exp, caplog):
    caplog.set_level("INFO")
    exp.hint = "wandb sync here"
    summarise(exp, [exp.folder / "figures" / "own.png"])
    assert (exp.folder / "leaderboard.md").exists()
    for text in ("leaderboard", "item_knn", "metrics_by_k.png", "popularity.png, own.png", "runs in W&B: wandb sync"):
        assert text in caplog.text


def test_what_compares_all_rows_may_be_left_to_the_report(exp, caplog):
    caplog.set_level("INFO")
    exp.args = dataclasses.replace(exp.args, compare=False)
    summarise(exp, [exp.folder / "figures" / "own.png"])
    assert exp.drawn == {}
    assert "figures: own.png" in caplog.text
    assert "item_knn" in caplog.text, "the leaderboard is shown all the same"


def test_random_is_in_no_figure_and_all_rows_are_on_one_part(exp):
    compare_rows(exp.plot, exp.all_rows())
    assert exp.drawn == dict.fromkeys(
        ("metrics_by_k", "precision_recall", "accuracy_diversity", "popularity"), ("test", ["popularity", "item_knn"])
    )
    assert compare_rows(exp.plot, RowResults()) == []


def test_diversity_stands_beside_ndcg():
    accuracy = {"NDCG@k": np.zeros(3), "Recall@k": np.ones(3)}
    found = beside(accuracy, "audio", pd.Series({5: 0.5}))
    assert [*found] == ["NDCG@k", "Diversity@k, 1 - cosine of sound", "Recall@k"]
    assert beside(accuracy, "", None) == accuracy
