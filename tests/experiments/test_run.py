"""The folder of a run: its key, its files, and that results are never a mixture of two runs."""

import dataclasses
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from common.evaluation.recommendations import Evaluation
from common.experiments import run as module
from common.experiments.run import Run, RunKey, hash_config, row_name, run_config
from common.experiments.stored.run_files import RESULTS
from common.models.knn.item_knn import ItemKNNSettings
from common.models.registry import MODELS
from common.utils.errors import UserError
from common.utils.io import ROOT, read_json, write_parquet
from common.utils.settings import build_settings

KEY = RunKey("toy", "next-s2", "item_knn", "tuned", 3)
CONFIG = run_config(KEY, "1_knn_baseline", "next", 2, ItemKNNSettings(), "data", "split")


@pytest.fixture
def run(tmp_path) -> Run:
    return Run.at(tmp_path / "out", KEY)


def evaluation(part: str, value: float) -> Evaluation:
    table = pd.DataFrame({"user_id": ["u"], "ndcg_10": [value]})
    return Evaluation(part, table, table, table, {"ndcg_10": value}, {})


def record(value: float) -> dict[str, Any]:
    about = ("model", "preset", "dataset", "protocol", "split_seed", "seed", "split_sha256")
    return {"ndcg_10": value, "config_sha256": hash_config(CONFIG)} | {name: CONFIG[name] for name in about}


def write(run: Run, part: str, value: float, config: dict[str, Any] = CONFIG, **more: Any) -> None:
    run.write(part, evaluation(part, value), record(value) | {"config_sha256": hash_config(config)}, config, **more)


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_folder_is_the_key_and_the_key_is_the_folder(run, tmp_path):
    assert run.folder == tmp_path / "out/toy/next-s2/item_knn/tuned/seed3"
    assert run.key == KEY
    assert run.split_folder == (tmp_path / "out/toy/next-s2").resolve()
    assert run.checkpoints("valid") == run.folder / "training" / "select"
    assert run.checkpoints("test") == run.folder / "training" / "final"


def test_results_are_four_files_with_a_manifest_and_the_core_metrics_of_every_part(run):
    write(run, "valid", 0.25)
    assert run.parts == ["valid"]
    assert files(run.folder / "valid") == {*RESULTS, "manifest.json"}
    write(run, "test", 0.5)
    assert run.parts == ["valid", "test"]
    assert files(run.folder) == {"valid", "test", "measures.json", "config.json"}
    content = read_json(run.folder / "measures.json")
    assert (content["valid"]["ndcg"], content["test"]["ndcg"]) == (0.25, 0.5)
    assert run.results("test").metrics["ndcg_10"] == 0.5
    assert run.results("test").split == "next-s2"
    assert run.results("test").label == "item_knn seed 3"


def test_results_that_cannot_be_written_leave_the_old_ones_whole(run, monkeypatch):
    write(run, "valid", 0.25)

    def break_off(path: Path, content: Any) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(module, "write_json", break_off)
    with pytest.raises(OSError, match="disk is full"):
        write(run, "valid", 0.5)
    assert run.results("valid").metrics["ndcg_10"] == 0.25
    assert run.results("valid").per_user["ndcg_10"].tolist() == [0.25]
    assert files(run.folder) == {"valid", "measures.json", "config.json"}


def test_a_run_is_complete_with_all_files_of_these_very_settings(run):
    write(run, "valid", 0.25)
    assert run.is_complete(CONFIG, ["valid"], [])
    assert not run.is_complete(CONFIG, ["valid", "test"], [])
    assert not run.is_complete(CONFIG, ["valid"], ["model.npz"])
    assert not run.is_complete(CONFIG | {"seed": 4}, ["valid"], [])
    assert run.results("valid").matches
    (run.folder / "valid" / "targets.parquet").unlink()
    assert not run.is_complete(CONFIG, ["valid"], [])


def test_a_part_that_is_not_there_is_named(run):
    with pytest.raises(UserError, match="has no results on test; run it so far, or compare with --part valid"):
        run.results("test")


def test_tables_and_curves_are_none_or_empty_where_they_were_not_kept(run):
    assert run.table("ablation") is None
    assert run.curves() == {}
    write(run, "valid", 0.25)
    assert run.curves() == {}
    write(run, "valid", 0.25, curves={"train/loss": [1.0]})
    assert run.curves() == {"train/loss": [1.0]}
    run.write_table("ablation", pd.DataFrame({"loss": [0.5]}), CONFIG)
    table = run.table("ablation")
    assert table is not None
    assert table["loss"].tolist() == [0.5]


def test_a_newcomer_counts_once_with_the_mean_over_given_items(run):
    write(run, "valid", 0.25)
    per_user = pd.DataFrame({"user_id": ["u", "u", "v"], "given": [0, 5, 0], "ndcg_10": [0.0, 1.0, 0.25]})
    results = run.results("valid")
    write_parquet(run.folder / "valid" / "per_user.parquet", per_user)
    assert results.by_user["ndcg_10"].to_dict() == {"u": 0.5, "v": 0.25}


def test_every_setting_counts_for_the_hash_and_their_order_does_not():
    assert hash_config(CONFIG) == hash_config(dict(reversed(CONFIG.items())))
    other = dataclasses.replace(ItemKNNSettings(), neighbours=7)
    assert hash_config(CONFIG) != hash_config(run_config(KEY, "1_knn_baseline", "next", 2, other, "data", "split"))
    assert row_name({"model": "als", "preset": "classic"}) == "als/classic"


def test_settings_curves_and_model_of_a_final_run_stay_beside_its_results(run):
    write(run, "test", 0.5, curves={"refit/loss": [1.0]})
    write(run, "valid", 0.25, CONFIG | {"split_seed": 9}, curves={"train/loss": [2.0]})
    assert run.parts == ["valid", "test"]
    assert run.config() == CONFIG
    assert run.curves() == {"refit/loss": [1.0]}
    assert run.results("test").matches
    assert not run.results("valid").matches


def test_a_rerun_of_the_same_settings_keeps_what_was_added_and_another_does_not(run, caplog):
    write(run, "valid", 0.25)
    run.write_table("ablation", pd.DataFrame({"loss": [0.5]}), CONFIG)
    write(run, "valid", 0.25)
    assert run.table("ablation") is not None
    write(run, "valid", 0.25, CONFIG | {"split_seed": 9})
    assert run.table("ablation") is None, "it is that of other settings"
    assert "ablation.parquet is not of this training" in caplog.text


def test_a_table_belongs_to_results_of_its_own_settings(run, caplog):
    """A final run, then another preset with --phase select, whose study stands beside test results of the former."""
    other = CONFIG | {"settings": {"neighbours": 7}}
    write(run, "test", 0.5)
    write(run, "valid", 0.25, other)
    run.write_table("ablation", table := pd.DataFrame({"loss": [0.5]}), other)
    assert [part for part in ("valid", "test") if "ablation.parquet" in run.manifest(part).files] == ["valid"]
    assert run.table("ablation") is not None
    run.write_table("importance", table, CONFIG | {"seed": 4})
    assert "importance.parquet is of other settings than all results beside it; run its stage again" in caplog.text
    assert run.table("importance") is None


def test_published_runs_are_still_what_their_settings_make_them():
    """Else results that were written before would count as those of another command, and be run again."""
    published, runs = read_json(ROOT / "docs/results/lastfm-2k.json"), 0
    for protocol, part in published["protocols"].items():
        for row in part["rows"]:
            if row["model"] not in MODELS:  # re-ranked: their settings are those of another command
                continue
            settings = build_settings(MODELS[row["model"]].Settings, row["settings"])
            about = (row["stage"], protocol, 0, settings, published["data_sha256"], part["split_sha256"])
            for run in row["runs"]:
                key = RunKey(published["dataset"], protocol, row["model"], row["preset"], run["seed"])
                assert hash_config(run_config(key, *about)) == run["config_sha256"], key
                runs += 1
    assert runs > 100
