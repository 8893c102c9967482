"""Published results beside new ones: which rows stay, and how sure they are among the others."""

import copy
from typing import Any

import pytest

from common.reporting.merge_results import compared_anew, corrected, merged, read_published
from common.utils.errors import UserError
from common.utils.io import ROOT, write_json


def row(model, ndcg, stage="2_als", **more):
    about = {"model": model, "preset": "tuned", "stage": stage, "valid_ndcg_10": ndcg, "ndcg_10": ndcg, "seeds": 1}
    return about | {"settings": {"factors": 1}, "p_alone": 0.02, "p": 0.02} | more


def content(*rows, tables=None, **more):
    groups = {"history": {"short": 3}, "target": {"rare": 4}}
    segments = groups | {"rows": {of["model"]: {"short": of["ndcg_10"], "rare": 0.1} for of in rows}}
    found = {"split_sha256": "a", "reference": "als tuned", "rows": list(rows), "segments": segments}
    return {"dataset": "d", "data_sha256": "x", "protocols": {"listen": found | more}, "tables": tables or {}}


def shown(results):
    return [(of["model"], of["ndcg_10"]) for of in results["protocols"]["listen"]["rows"]]


def results_of(kind: str, cells: list[list[str]], header: tuple[str, ...] = ("Model", "Preset", "a")) -> dict[str, Any]:
    """Published results of one table."""
    return {
        "data_sha256": "d",
        "protocols": {},
        "tables": {f"{kind} listen": {"header": [*header], "cells": cells, "texts": 2}},
    }


def test_an_order_measured_anew_is_the_order_of_the_table():
    cells = [["als", "tuned", "1"], ["ease", "tuned", "2"]]
    anew = merged(results_of("splits", cells), results_of("splits", cells[::-1]))
    assert anew["tables"]["splits listen"]["cells"] == cells[::-1]


def test_a_table_of_fewer_splits_does_not_replace_one_of_more():
    more, fewer = ("Model", "Preset", "seed 1", "seed 2"), ("Model", "Preset", "seed 1")
    old, new = [["als", "tuned", "1", "2"]], [["als", "tuned", "1"]]
    both = [results_of("splits", cells, header) for cells, header in ((old, more), (new, fewer))]
    assert merged(*both)["tables"]["splits listen"]["cells"] == old
    assert merged(*both[::-1])["tables"]["splits listen"]["cells"] == old


def test_a_study_of_one_model_is_replaced_whole():
    old, new = (results_of("prices", [["0", "x", "1"], ["1", "x", "2"]]), results_of("prices", [["0", "x", "3"]]))
    assert merged(old, new)["tables"] == new["tables"]


def test_rows_of_models_that_were_not_measured_again_are_kept():
    old = results_of("seeds", [["random", "tuned", "1"], ["als", "tuned", "2"], ["als", "wide", "3"]])
    new = results_of("seeds", [["als", "tuned", "9"], ["ease", "tuned", "5"]])
    rows = [["random", "tuned", "1"], ["als", "tuned", "9"], ["als", "wide", "3"], ["ease", "tuned", "5"]]
    assert merged(old, new)["tables"]["seeds listen"]["cells"] == rows
    assert merged(old | {"data_sha256": "e"}, new) == new


def test_rows_stay_beside_new_ones_in_the_order_of_stages():
    old = content(row("als", 0.2), row("sasrec", 0.3, stage="4_sasrec"))
    new = content(row("als", 0.21), row("random", 0.0, stage="1_knn_baseline"))
    found = merged(old, new)
    assert shown(found) == [("random", 0.0), ("als", 0.21), ("sasrec", 0.3)]
    assert list(found["protocols"]["listen"]["segments"]["rows"]) == ["random", "als", "sasrec"]
    assert found["protocols"]["listen"]["segments"]["rows"]["als"]["short"] == 0.21
    assert set(found["protocols"]["listen"]["segments"]) == {"history", "target", "rows"}


def test_a_row_of_more_seeds_stays_unless_its_settings_changed():
    old, fewer = content(row("als", 0.2, seeds=5)), content(row("als", 0.21, seeds=2))
    assert shown(merged(old, fewer)) == [("als", 0.2)]
    assert shown(merged(old, content(row("als", 0.21, seeds=5)))) == [("als", 0.21)]
    assert shown(merged(old, content(row("als", 0.21, seeds=2, settings={"factors": 2})))) == [("als", 0.21)]


def test_protocols_that_were_not_measured_again_stay():
    old = content(row("als", 0.2))
    new = content(row("als", 0.3)) | {"protocols": {}}
    assert merged(old, new)["protocols"] == old["protocols"]


@pytest.mark.parametrize("change", [{"data_sha256": "y"}, {"split": "b"}])
def test_results_of_other_data_or_another_split_do_not_stay(change):
    old, new = content(row("als", 0.2), row("ease", 0.1)), content(row("als", 0.3))
    if "split" in change:
        old["protocols"]["listen"]["split_sha256"] = change["split"]
    else:
        old |= change
    assert shown(merged(old, new)) == [("als", 0.3)]


def test_rows_that_the_table_no_longer_has_go():
    old, new = content(row("als", 0.2), row("ease", 0.1)), content(row("als", 0.3))
    assert shown(merged(old, new, {"listen": {("als", "tuned")}})) == [("als", 0.3)]
    assert merged(old, new | {"protocols": {}}, {"listen": set()})["protocols"] == {}


def test_p_values_are_corrected_anew_for_all_rows_that_are_there():
    rows = [row("a", 1, p_alone=0.02), row("b", 2, p_alone=0.03), row("als", 3)]
    del rows[2]["p"], rows[2]["p_alone"]
    assert [of.get("p") for of in corrected(copy.deepcopy(rows))] == pytest.approx([0.04, 0.04, None])
    old, new = content(row("a", 1, p_alone=0.02)), content(row("b", 2, p_alone=0.03), rows[2])
    assert [of.get("p") for of in merged(old, new)["protocols"]["listen"]["rows"]] == pytest.approx([0.04, 0.04, None])


def test_a_row_without_a_p_value_of_its_own_counts_and_keeps_what_it_has():
    rows = [row("a", 1, p_alone=0.02), row("b", 1, p=0.5)]
    del rows[1]["p_alone"]
    assert [of["p"] for of in corrected(rows)] == [0.04, 0.5]


def test_a_row_that_stays_is_compared_with_the_reference_as_it_is_now(caplog):
    former = {"difference": 0.1, "difference_low": 0.05, "difference_high": 0.15}
    old, new = content(row("als", 0.2), row("ease", 0.3, **former)), content(row("als", 0.22, seeds=5))
    of_both = {of["model"]: of for of in merged(old, new)["protocols"]["listen"]["rows"]}
    assert [of_both["ease"][key] for key in former] == pytest.approx([0.08, 0.03, 0.13])
    assert "listen: measure again" in caplog.text
    assert "before: ease/tuned" in caplog.text
    assert "difference" not in of_both["als"]


def test_rows_compared_with_the_reference_that_is_there_stay_as_they_are(caplog):
    rows = [row("als", 0.2), row("ease", 0.3, difference=0.1, difference_low=0.05, difference_high=0.15), row("b", 0.1)]
    assert compared_anew("listen", rows) == rows
    assert compared_anew("listen", rows[1:]) == rows[1:]
    assert not caplog.text


def test_published_results_are_read_and_a_file_of_another_structure_is_named(tmp_path):
    assert read_published(tmp_path / "none.json") == {}
    assert read_published(ROOT / "docs" / "results" / "lastfm-2k.json")["dataset"] == "lastfm-2k"
    sound = content(row("als", 0.1))
    write_json(tmp_path / "sound.json", sound)
    assert read_published(tmp_path / "sound.json") == sound
    seeds = content(row("als", 0.1, seeds="1"))
    others: list[Any] = [[], 3, {"protocols": []}, sound | {"data_sha256": None}, sound | {"tables": []}, seeds]
    for broken in others:
        write_json(tmp_path / "broken.json", broken)
        with pytest.raises(UserError, match=r"broken\.json does not hold published results; take it back from git"):
            read_published(tmp_path / "broken.json")
