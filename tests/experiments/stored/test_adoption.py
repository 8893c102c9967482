"""Runs of an earlier version are taken over once their files agree."""

import numpy as np
import pytest

from common.experiments.stored import run_files
from common.experiments.stored.adoption import adopt
from common.models import ALS
from common.utils.io import read_json, read_parquet, write_json, write_parquet
from tests.runs import forget


@pytest.fixture(autouse=True)
def untold(monkeypatch):
    monkeypatch.setattr(run_files, "_told", set())


def complete(run) -> bool:
    return run.is_complete(run.config(), ("valid", "test"), ALS.files)


def test_what_agrees_is_vouched_for_from_then_on(als):
    assert complete(als)
    forget(als.folder)
    assert not complete(als)
    adopt(als, ALS)
    assert complete(als)
    assert als.manifest("test").names("model/")
    assert not als.manifest("valid").names("model/"), "validation's own model is gone"
    assert als.load(ALS).settings.factors == 4
    (als.folder / "curves.json").write_text("{}")
    assert not complete(als)


@pytest.mark.parametrize("column", ["ndcg_10", "hr_10"])
def test_means_of_another_evaluation_are_not_taken_over(als, caplog, column):
    forget(als.folder)
    path = als.folder / "test" / "per_user.parquet"
    frame = read_parquet(path)
    write_parquet(path, frame.assign(**{column: frame[column] + 0.01}))
    adopt(als, ALS)
    assert not complete(als)
    assert f"{column} is not that of metrics.json" in caplog.text


def test_lists_of_another_evaluation_are_not_taken_over(als, caplog):
    forget(als.folder)
    path = als.folder / "test" / "recommendations.parquet"
    frame = read_parquet(path)
    write_parquet(path, frame.assign(rank=101 - frame["rank"]))
    adopt(als, ALS)
    assert not complete(als)
    assert "are not those of the lists" in caplog.text


def test_a_model_of_another_training_and_other_settings_are_not_taken_over(als, caplog):
    forget(als.folder)
    about, config = read_json(als.model_folder / "model.json"), als.config()
    write_json(als.model_folder / "model.json", about | {"seed": 1})
    adopt(als, ALS)
    assert not complete(als)
    assert "is not of the training that config.json tells of" in caplog.text
    write_json(als.model_folder / "model.json", about)
    write_json(als.folder / "config.json", config | {"stage": "other"})
    adopt(als, ALS)
    assert "config.json tells of other settings" in caplog.text


def test_cut_arrays_are_not_taken_over(als, caplog):
    """Right in every file, but the factors of half of the items."""
    forget(als.folder)
    with np.load(als.model_folder / "model.npz") as saved:
        arrays = dict(saved)
    arrays["item_factors"] = arrays["item_factors"][: len(arrays["item_factors"]) // 2]
    np.savez(als.model_folder / "model.npz", **arrays)
    adopt(als, ALS)
    assert not complete(als)
    assert "model.npz is missing or damaged; train als again" in caplog.text


@pytest.mark.parametrize("part", ["valid", "test"])
def test_a_run_is_taken_over_whole_or_not_at_all(als, caplog, part):
    """Else the model of a test phase whose results are damaged would be vouched for as that of validation."""
    forget(als.folder)
    path = als.folder / part / "per_user.parquet"
    write_parquet(path, read_parquet(path).assign(ndcg_10=0.5))
    adopt(als, ALS)
    assert f"{part}/per_user.parquet: ndcg_10 is not that of metrics.json" in caplog.text
    assert not list(als.folder.glob("*/manifest.json"))


def test_every_part_that_is_not_taken_over_is_named(als, caplog):
    forget(als.folder)
    for part in ("valid", "test"):
        (als.folder / part / "targets.parquet").write_bytes(b"")
    adopt(als, ALS)
    named = [record.getMessage() for record in caplog.records if "not taken over" in record.getMessage()]
    assert [part for part in ("test", "valid") for line in named if f"{part}/targets.parquet" in line] == [
        "test",
        "valid",
    ]
