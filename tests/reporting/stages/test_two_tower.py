"""The cold-start curve and the coldness of held-out items that stage 5 shows."""

from typing import Any

import pandas as pd
import pytest

from common.experiments.analysis.cold_start import WITH_FRIENDS
from common.models import TwoTower
from common.reporting.stages import two_tower
from common.splits.protocols import N_GIVEN

STAGE: Any = two_tower
"""Its figures are named and not drawn here."""


@pytest.fixture
def exp(undrawn):
    return undrawn("5_two_tower", protocol="newcomer")


def test_the_curve_holds_the_models_that_have_run_and_the_log_names_the_others(exp, monkeypatch, caplog):
    caplog.set_level("INFO")
    found = pd.DataFrame({"mean": [0.5], "low": [0.4], "high": [0.6]}, index=[0])
    monkeypatch.setattr(two_tower.study, "evaluate_with_attributes", lambda *_: found)
    model: Any = None
    [(name, (curves,), named)] = STAGE.show_cold_start(exp, model)
    assert (name, named) == ("ladder", {"part": "test", "bold": TwoTower.name, "single": WITH_FRIENDS})
    assert list(curves) == ["popularity", WITH_FRIENDS]
    assert "have not been run on newcomer: content_knn, tag_knn, als" in caplog.text


def test_other_protocols_have_no_curve(exp, monkeypatch):
    exp.split = "listen"
    model: Any = None
    assert STAGE.show_cold_start(exp, model) == []


def test_test_figures_are_not_shown_by_a_command_that_has_not_opened_test(exp, caplog):
    caplog.set_level("INFO")
    exp.split, exp.part = "listen", "valid"
    STAGE.show_coldness(exp)
    assert "held-out pairs" not in caplog.text
    exp.part = "test"
    STAGE.show_coldness(exp)
    assert "held-out pairs" in caplog.text


def test_a_curve_has_a_cell_for_every_number_of_items_and_a_dash_where_nobody_has_so_many():
    curve = pd.DataFrame({"mean": [0.25, 0.5]}, index=[N_GIVEN[0], N_GIVEN[-1]])
    header, rule, row = two_tower.cold_start_text({"als": curve}).splitlines()
    assert header.split() == ["known", "items", *map(str, N_GIVEN)]
    assert row.split() == ["als", "0.2500", *["-"] * (len(N_GIVEN) - 2), "0.5000"]
    assert len(rule) == len(header)
