"""The sensitivity analysis for a terminal, for the blocks of a page, and as JSON."""

import re

import numpy as np
import pytest

from common.evaluation.sensitivity.tables import PanelResults
from common.evaluation.sensitivity.variants import TIES, VARIANTS, VariantRanks
from common.reporting.sensitivity_page import BLOCKS, as_json, terminal
from tests.conftest import ROOT


def ranks(value: float, uniform: float) -> VariantRanks:
    """The same NDCG for every user, another one among uniform negatives."""
    variants = dict.fromkeys((*VARIANTS, *TIES))
    ndcg = {variant: np.full(20, uniform if variant.candidates == "uniform" else value) for variant in variants}
    return VariantRanks(ndcg, ndcg, (np.ones(20, np.int64), np.ones(20, np.int64)), 0.25)


@pytest.fixture
def panels():
    models = {"als": ranks(0.3, 0.5), "ease": ranks(0.2, 0.6)}
    return [PanelResults("listen", models, ranks(0.01, 0.02))]


def test_models_that_change_places_are_named_everywhere(panels):
    shown = terminal(panels, "toy", ["sasrec was not run"])
    assert re.search(r"als > ease +\+0\.1000 +-0\.1000 +sure", shown)
    assert "sasrec was not run" in shown
    assert all(len(line) <= 80 for line in shown.splitlines())
    assert "| als > ease |" in BLOCKS["flips"](panels, [])
    flips = as_json(panels, "toy", [])["flips"]
    assert {(flip["better"], flip["worse"], flip["sure"]) for flip in flips} == {("als", "ease", True)}


def test_where_nothing_changes_places_that_is_said():
    panels = [PanelResults("listen", {"als": ranks(0.3, 0.6), "ease": ranks(0.2, 0.5)}, ranks(0.01, 0.02))]
    assert "No two models change places." in terminal(panels, "toy", [])
    assert BLOCKS["flips"](panels, []) == "No two models change places.\n"
    assert as_json(panels, "toy", [])["flips"] == []


def test_a_table_per_protocol_and_a_line_per_model_that_is_absent(panels):
    both = [*panels, PanelResults("next", panels[0].models, panels[0].constant)]
    assert BLOCKS["judges"](both, []).count("| Model |") == 2
    assert BLOCKS["absent"](both, ["sasrec was not run"]) == "- sasrec was not run\n"
    assert "Every model was there" in BLOCKS["absent"](both, [])


def test_the_page_of_the_project_has_a_place_for_every_block():
    page = (ROOT / "docs" / "xray.md").read_text(encoding="utf-8")
    for kind in BLOCKS:
        assert re.search(f"<!-- xray-{kind} lastfm-2k -->.*?<!-- end -->", page, flags=re.DOTALL), kind
