"""Blocks that pages are filled with."""

import shutil
from pathlib import Path
from typing import Any

from common.experiments.run import PartResults, Run
from common.reporting.results_json import HEADLINE, _row, blocks, gather, headline_table
from common.utils.io import read_json, write_json
from tests.runs import forget


def row(model: str, preset: str = "tuned", **values: Any) -> dict[str, Any]:
    accuracy = {"ndcg_10": 0.2, "ndcg_10_low": 0.15, "ndcg_10_high": 0.25, "recall_20": 0.25, "valid_ndcg_10": 0.3}
    about = {"coverage_10": 0.1, "fit_cpu_seconds": 3.14, "seeds": 1}
    return {"model": model, "preset": preset} | accuracy | about | values


def test_the_headline_has_five_columns_of_tuned_rows_in_its_own_order():
    found = headline_table([row("als", "classic", ndcg_10=0.9), row("sasrec"), row("als", ndcg_10=0.21), row("ease")])
    header, rule, *lines = found.splitlines()
    assert header == "| Model | NDCG@10 (95% interval) | Recall@20 | Coverage@10 | Fit, CPU s |"
    assert rule == "| --- | ---: | ---: | ---: | ---: |"
    assert lines == [
        "| als | 0.2100 (0.1500–0.2500) | 0.2500 | 0.1000 | 3.1 |",
        "| sasrec | 0.2000 (0.1500–0.2500) | 0.2500 | 0.1000 | 3.1 |",
    ]


def test_the_headline_names_eight_models():
    assert len(HEADLINE) == len(set(HEADLINE)) == 8


def test_every_protocol_has_a_headline_a_leaderboard_and_the_core_metrics():
    results = {"dataset": "toy", "protocols": {"listen": {"rows": [row("als")]}}, "tables": {}}
    assert list(blocks(results)) == [
        "metrics",
        "tables",
        "leaderboard toy listen",
        "headline toy listen",
        "nine toy listen",
    ]


def test_what_is_gathered_is_what_the_runs_wrote(ran, small_data):
    results = gather(ran / small_data.name, small_data)
    assert set(results["protocols"]) == {"listen", "newcomer"}
    rows = {row["model"]: row for row in results["protocols"]["listen"]["rows"]}
    assert set(rows) == {"random", "popularity", "item_knn"}
    [run] = rows["item_knn"]["runs"]
    record = read_json(ran / small_data.name / "listen/item_knn/tuned/seed0/test/metrics.json")
    assert (run["config_sha256"], run["commit"]) == (record["config_sha256"], record["commit"])
    assert [of["seed"] for of in rows["random"]["runs"]] == [0, 1]
    assert set(results["protocols"]["listen"]["segments"]["rows"]) == {"popularity", "item_knn"}
    assert "segments" not in results["protocols"]["newcomer"]
    assert "seeds listen" in results["tables"]


def test_only_named_rows_and_protocols_are_gathered(ran, small_data):
    results = gather(ran / small_data.name, small_data, {"listen": {("popularity", "tuned")}})
    assert [row["model"] for row in results["protocols"]["listen"]["rows"]] == ["popularity"]
    assert list(results["protocols"]) == ["listen"]


def test_a_run_that_did_not_record_its_machine_is_of_none(ran, small_data, tmp_path):
    folder = Path(shutil.copytree(ran / small_data.name, tmp_path / small_data.name)) / "listen/popularity/tuned/seed0"
    forget(folder)  # as a run of an earlier version
    record = read_json(folder / "test" / "metrics.json")
    write_json(folder / "test" / "metrics.json", {key: record[key] for key in record if key != "machine"})
    [run] = _row({}, [PartResults(Run(folder), "test")])["runs"]
    assert (run["threads"], run["machine"]) == (record["threads"], None)
