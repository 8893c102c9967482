"""A table beside runs is read as it was written, of the data and settings in question, or named and left out."""

import json
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.faults.damage import WAYS
from common.experiments.stored import run_files
from common.experiments.stored.kept_tables import read_kept, write_kept
from common.utils.manifests import sealed

TABLE, MADE_OF = (
    pd.DataFrame({"x": range(6), "y": range(6), "ndcg_10": 0.5}),
    {"seed": 0, "settings": {"factors": (4, 8)}},
)
REMEDY = "make it anew"


@pytest.fixture
def path(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(run_files, "_told", set())
    write_kept(tmp_path / "als" / "grid.parquet", TABLE, MADE_OF)
    write_kept(tmp_path / "ease" / "grid.parquet", TABLE * 2, MADE_OF)
    return tmp_path / "als" / "grid.parquet"


def test_it_is_read_as_it_was_written(path):
    found = read_kept(path, MADE_OF, REMEDY)
    assert found is not None
    pd.testing.assert_frame_equal(found, TABLE)
    assert {file.name for file in path.parent.iterdir()} == {"grid.parquet", "grid.json"}
    assert read_kept(path.with_name("none.parquet"), MADE_OF, REMEDY) is None


@pytest.mark.parametrize("damage", WAYS, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("name", ["grid.parquet", "grid.json"])
def test_a_damaged_one_is_named_and_left_out(path, caplog, name, damage):
    damage(path.with_name(name), path.parents[1] / "ease" / name)
    assert read_kept(path, MADE_OF, REMEDY) is None
    [said] = [record.getMessage() for record in caplog.records]
    assert said.startswith("left out: ")
    assert "grid." in said
    assert REMEDY in said


@pytest.mark.parametrize("content", [{}, {"files": []}, {"files": {"grid.parquet": 3}}])
def test_a_manifest_of_another_kind_vouches_for_nothing(path, caplog, content):
    path.with_suffix(".json").write_text(json.dumps(sealed(content)))
    assert read_kept(path, MADE_OF, REMEDY) is None
    assert "grid.parquet is described by a damaged manifest; make it anew" in caplog.text


def test_one_of_something_else_or_without_a_manifest_is_left_out(path, caplog):
    assert read_kept(path, MADE_OF | {"seed": 1}, REMEDY) is None
    assert "grid.parquet is of other data or settings; make it anew" in caplog.text
    path.with_suffix(".json").unlink()
    assert read_kept(path, MADE_OF, REMEDY) is None
    assert "nothing vouches for" in caplog.text
