"""What no manifest vouches for is not read: it is named, that run is left out, and all others are there."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.faults.damage import WAYS, emptied
from common.evaluation.recommendations import Evaluation
from common.experiments.outputs import collect, runs_in
from common.experiments.run import Run
from common.experiments.stored import run_files
from common.models import ALS
from common.utils.errors import UserError
from common.utils.io import read_json, read_parquet, write_json, write_parquet
from tests.runs import forget

FILES = (
    *(f"test/{name}" for name in ("manifest.json", *run_files.RESULTS)),
    *("config.json", "curves.json", "model/model.json", "model/model.npz"),
)


@pytest.fixture(autouse=True)
def untold(monkeypatch):
    """Warnings are given once; here once for each test."""
    monkeypatch.setattr(run_files, "_told", set())


@pytest.mark.parametrize("damage", WAYS, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_named_and_only_its_run_is_left_out(als, split, name, damage, caplog):
    other = next(split.glob("popularity/*/seed0"))
    damage(als.folder / name, other / name if (other / name).exists() else other / "model" / "model.json")
    told = []
    try:
        als.load(ALS)
    except UserError as error:
        told.append(str(error))
    parts = als.parts
    told += [record.getMessage() for record in caplog.records]
    assert any(name.split("/")[-1] in sentence and "again" in sentence for sentence in told), told
    if not name.startswith("model/"):
        assert parts == ([] if name == "config.json" else ["valid"])
        with pytest.raises(UserError, match=r"; run its stage again with --resume|is not valid JSON"):
            als.results("test")
    assert not als.is_complete(read_config(als, other), ("valid", "test"), ALS.files)
    assert [run.key.model for run in runs_in(split, "test")][-1] == "popularity"
    sha256 = Run(other).results("valid").metrics["split_sha256"]
    expected = {"popularity"} if name == "config.json" else {"als", "popularity"}
    assert set(collect(split, "valid", sha256)["model"]) == expected


def read_config(run: Run, other: Path) -> dict:
    """The settings as the stage would make them, whatever the file says now."""
    record = json.loads((run.folder / "valid" / "metrics.json").read_text())
    settings = {"factors": 4} if record["model"] == "als" else {}
    return read_json(other / "config.json") | {"model": "als", "settings": settings}


def test_a_damaged_file_is_told_once(als, caplog):
    emptied(als.folder / "test" / "metrics.json", als.folder)
    assert als.parts == als.parts == ["valid"]
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("test/metrics.json", "[]", "is not the record of a run"),
        ("test/metrics.json", '{"model": "als"}', "is not the record of a run"),
        ("config.json", "3", "does not hold the settings of a run"),
        ("curves.json", '{"train/loss": "falls"}', "does not hold curves of a training"),
        ("test/targets.parquet", "no table", "is not a readable parquet file"),
    ],
)
def test_runs_without_a_manifest_are_read_as_far_as_their_structure_is_right(als, caplog, name, content, sentence):
    forget(als.folder)
    assert als.parts == ["valid", "test"]
    assert "have no manifest that vouches for their files; --resume checks them" in caplog.text
    (als.folder / name).write_text(content)
    assert als.parts == ([] if name == "config.json" else ["valid"])
    assert sentence in caplog.text


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda frame: frame.drop(columns="rank"), "has no column rank"),
        (lambda frame: frame.iloc[:0], "has no rows"),
        (lambda frame: frame.assign(rank="first"), "column rank holds no numbers"),
    ],
)
def test_a_table_without_a_manifest_needs_its_columns(als, caplog, change: Callable, sentence):
    forget(als.folder)
    path = als.folder / "test" / "recommendations.parquet"
    write_parquet(path, change(read_parquet(path)))
    assert als.parts == ["valid"]
    assert sentence in caplog.text


def test_results_of_another_run_without_a_manifest_are_refused(als, split, caplog):
    forget(als.folder)
    other = next(split.glob("popularity/*/seed0"))
    shutil.rmtree(als.folder / "test")
    shutil.copytree(other / "test", als.folder / "test")
    (als.folder / "test" / "manifest.json").unlink()
    assert als.parts == ["valid"]
    assert "is that of another run" in caplog.text


@pytest.mark.parametrize("vouched", [True, False])
def test_a_description_of_another_training_gives_no_model(als, vouched):
    """`model.json` of 8 factors, or of another alpha, beside arrays of 4 factors."""
    about = read_json(als.model_folder / "model.json")
    if not vouched:
        forget(als.folder)
    for change in ({"factors": 8}, {"alpha": 3.0}):
        settings = about["settings"] | change
        kept = {"files", "seal", "format"} if not vouched else set()
        content = {key: value for key, value in about.items() if key not in kept}
        write_json(als.model_folder / "model.json", content | {"settings": settings, "seed": 1})
        with pytest.raises(UserError, match=r"model.*(is not of the training|bytes, not|is not the file).*; run "):
            als.load(ALS)


def test_a_model_without_results_is_read_and_one_beside_other_results_is_not(als, split):
    alone = Run(split / "als" / "mine" / "seed0")
    shutil.copytree(als.model_folder, alone.model_folder)
    assert alone.load(ALS).settings.factors == 4
    shutil.copytree(split / "als" / als.key.preset / "seed0" / "valid", alone.folder / "valid")
    with pytest.raises(UserError, match=r"is that of|no manifest vouches|not of this training"):
        alone.results("valid")


def test_a_table_that_nothing_vouches_for_is_left_out(als, caplog):
    table = pd.DataFrame({"loss": [0.5]})
    als.write_table("ablation", table, als.config())
    assert als.table("ablation") is not None
    write_parquet(als.folder / "ablation.parquet", table * 2)
    assert als.table("ablation") is None
    write_parquet(als.folder / "foreign.parquet", table)
    assert als.table("foreign") is None
    assert "ablation.parquet is not the file" in caplog.text
    assert "foreign.parquet is not of this training" in caplog.text


def select_beside_an_old_test(als: Run) -> None:
    """Make test an unsound part of an earlier version, and validation anew: its model and settings are kept then."""
    results, config, model = als.results("valid"), als.config(), als.load(ALS)
    tables = (results.recommendations, results.targets, results.per_user)
    forget(als.folder)
    (als.folder / "test" / "targets.parquet").unlink()
    als.write("valid", Evaluation("valid", *tables, {}, {}), results.metrics, config, model)


@pytest.mark.parametrize("name", ["config.json", "model/model.npz"])
def test_an_unsound_test_part_of_an_earlier_version_hides_no_manifest(als, name):
    select_beside_an_old_test(als)
    assert als.parts == ["valid"]
    assert als.is_complete(als.config(), ["valid"], ALS.files)
    assert als.load(ALS).settings.factors == 4
    path = als.folder / name
    path.write_bytes(path.read_bytes().replace(b"4", b"5"))
    assert re.search(rf"{name} is not the file that was written there|bytes, not the", als.unvouched(name))
    with pytest.raises(UserError, match=path.name):
        als.config() if name == "config.json" else als.load(ALS)


def test_a_sound_test_part_of_an_earlier_version_keeps_its_model_and_settings(als):
    """Though validation was made anew, by other settings and with a manifest."""
    results, config = als.results("valid"), als.config()
    tables = (results.recommendations, results.targets, results.per_user)
    forget(als.folder)
    als.write("valid", Evaluation("valid", *tables, {}, {}), results.metrics, config | {"stage": "other"})
    assert als.parts == ["valid", "test"]
    assert als.config() == config
    assert als.load(ALS).settings.factors == 4


def renamed(run: Run, name: str, linked: bool = False) -> Run:
    """A copy of a run under another name, or a link to it."""
    copy = Run(run.split_folder.joinpath(*name.split("/")))
    copy.folder.parent.mkdir(exist_ok=True, parents=True)
    copy.folder.symlink_to(run.folder) if linked else shutil.copytree(run.folder, copy.folder)
    return copy


@pytest.mark.parametrize("how", ["vouched", "earlier version", "linked"])
@pytest.mark.parametrize("name", ["als/{preset}/seed7", "als/mine/seed0", "ease/{preset}/seed0"])
def test_a_run_that_was_renamed_or_copied_is_not_that_other_run(als, split, caplog, name, how):
    als.write_table("ablation", pd.DataFrame({"loss": [0.5]}), als.config())
    if how == "earlier version":
        forget(als.folder)
    before = [run.folder for run in runs_in(split)]
    copy = renamed(als, name.format(preset=als.key.preset), linked=how == "linked")
    assert [run.folder for run in runs_in(split)] == before
    assert "metrics.json is that of" in caplog.text or "manifest.json is that of" in caplog.text
    assert copy.table("ablation") is None
    for read in (lambda: copy.load(ALS), copy.config, lambda: copy.results("test")):
        with pytest.raises(UserError, match=r"is that of .*; run its stage again|no manifest vouches"):
            read()
    assert not copy.is_complete(als.config(), ("valid", "test"), ALS.files)


def test_a_split_that_was_renamed_is_not_that_other_split(als, split):
    forget(als.folder)
    other = shutil.copytree(split, split.with_name("listen-s3"))
    [copy] = [Run(path) for path in other.glob("als/*/seed0")]
    assert copy.parts == []
    with pytest.raises(UserError, match=r"is that of another run, .*/listen/als/"):
        copy.load(ALS)


@pytest.mark.parametrize("change", [lambda table: table.drop(columns="low"), lambda table: table.assign(loss="much")])
def test_a_study_of_an_earlier_version_needs_its_columns(als, caplog, change: Callable):
    table = pd.DataFrame({"name": ["all"], "ndcg_10": [0.5], "loss": [0.0], "low": [0.0], "high": [0.0]})
    als.write_table("ablation", table, als.config())
    forget(als.folder)
    assert als.table("ablation") is not None
    write_parquet(als.folder / "ablation.parquet", change(table))
    assert als.table("ablation") is None
    assert "left out: " in caplog.text
    assert "ablation.parquet" in caplog.text


def test_the_model_of_an_earlier_select_is_not_that_of_the_test_results(als, tmp_path):
    """Though the manifest of validation still vouches for it: it was fitted on less."""
    results, config, model = als.results("valid"), als.config(), als.load(ALS)
    final = shutil.copytree(als.model_folder, tmp_path / "final")
    model.popularity = model.popularity * 2
    tested = shutil.move(als.folder / "test", tmp_path / "test")
    tables = (results.recommendations, results.targets, results.per_user)
    als.write("valid", Evaluation("valid", *tables, {}, {}), results.metrics, config, model)
    select = shutil.move(als.model_folder, tmp_path / "select")
    shutil.move(tested, als.folder / "test")
    shutil.copytree(final, als.model_folder)
    assert als.load(ALS).settings.factors == 4
    shutil.rmtree(als.model_folder)
    shutil.copytree(select, als.model_folder)
    with pytest.raises(UserError, match=r"model\.json is not the file that was written there"):
        als.load(ALS)
