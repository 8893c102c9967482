"""The page's charts: one look per model, the Pareto front, and what is left out."""

import json
import re

import pandas as pd

from common.reporting.html.charts import COLOURS, Styles, pareto


def test_the_same_model_has_one_colour_in_every_chart(page):
    text = page.read_text(encoding="utf-8")
    figures = json.loads(re.search(r'<script id="figures" type="application/json">(.*?)</script>', text)[1])  # type: ignore[index]
    colours: dict[str, set[str]] = {}
    for board in figures.values():
        for drawn in board.values():
            for trace in (trace for figure in drawn for trace in figure["data"] if "meta" in trace):
                own = {trace.get("line", {}).get("color"), trace["marker"]["color"]} - {None}
                colours.setdefault(trace["meta"].split(" ")[0], set()).update(own)
    assert len(colours) >= 3
    assert {len(own) for own in colours.values()} == {1}
    assert len(set.union(*colours.values())) == len(colours)
    assert "random" not in colours
    assert len(set(COLOURS)) == len(COLOURS)


def test_other_presets_of_a_model_are_dashed_and_open():
    rows = pd.DataFrame({"stage": "2_als", "model": ["als", "als", "ease"], "preset": ["tuned", "classic", "classic"]})
    styles = Styles([type("Board", (), {"rows": rows})()])
    tuned, classic, only = (row for _, row in rows.iterrows())
    assert styles.line(tuned)["dash"] == styles.line(only)["dash"] == "solid", "the only preset is the main one"
    assert styles.line(classic)["dash"] == "dash"
    assert styles.marker(classic, 5)["symbol"].endswith("-open")
    assert styles.colour(tuned) == styles.colour(classic) != styles.colour(only)


def test_equal_points_are_both_on_the_front():
    assert pareto(pd.Series([1, 1, 0]), pd.Series([2, 2, 3])).tolist() == [True, True, True]
    assert pareto(pd.Series([1, 2]), pd.Series([1, 1])).tolist() == [False, True]
