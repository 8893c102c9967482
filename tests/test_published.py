"""What stands on the pages is what the committed results say, and these hold no row of the data."""

import json
import re

import pytest

from common.cli.benchmark import PAGES, RESULTS
from common.evaluation.statistics import REFERENCE
from common.reporting.results_json import blocks, metrics_table
from common.utils.io import read_json

MARKER = re.compile(r"<!-- ((?!end )\S+ \S+ \S+) -->\n(.*?)<!-- end -->", re.DOTALL)
FILES = sorted(RESULTS.glob("*.json"))


def test_there_are_published_results():
    assert RESULTS / "lastfm-2k.json" in FILES


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.parent.name)
def test_a_page_shows_what_the_results_say(page):
    made = {marker: text for path in FILES for marker, text in blocks(read_json(path)).items()}
    shown = dict(MARKER.findall(page.read_text(encoding="utf-8")))
    assert shown, "a page without a table"
    for marker, text in shown.items():
        assert marker in made, f"{page.name}: nothing was measured for {marker}"
        assert text == made[marker], f"{page.name}: {marker} differs from the results; make table"


def test_the_page_of_core_metrics_lists_the_registry():
    page = (RESULTS.parent / "core-metrics.md").read_text(encoding="utf-8")
    shown = re.search(r"<!-- metrics -->\n(.*?)<!-- end -->", page, re.DOTALL)
    assert shown, "no block for the registry"
    assert shown[1] == metrics_table(), "differs from evaluation/registry.py; make table"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_results_tell_of_models_and_not_of_people_or_items(path):
    text = path.read_text(encoding="utf-8")
    assert not re.search(r'"(user_id|item_id|item_name|name)"', text)
    for found in json.loads(text)["protocols"].values():
        assert re.fullmatch("[0-9a-f]{64}", found["split_sha256"])
        for row in found["rows"]:
            assert {"model", "preset", "ndcg_10", "ndcg_10_low", "settings", "runs", "seeds"} <= set(row)
            assert len(row["runs"]) == row["seeds"]
            assert not any(run["dirty"] for run in row["runs"]), "measured with changes that no commit holds"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_row_is_compared_with_the_reference_beside_it(path):
    for protocol, found in read_json(path)["protocols"].items():
        rows = {(row["model"], row["preset"]): row for row in found["rows"]}
        reference = rows[REFERENCE]["ndcg_10"]
        for name, row in rows.items():
            if name != REFERENCE:
                assert row["difference"] == pytest.approx(row["ndcg_10"] - reference, abs=1e-9), (protocol, name)
                assert row["difference_low"] <= row["difference"] <= row["difference_high"]
