"""Shuffles of a size against the formulas: the right stages, divided by the right numbers."""

import pytest

from benchmarks.cluster import formulas
from benchmarks.notebook import Notebook


def stage(name: str, size: int, records: int = 1) -> dict:
    return {"stage": f"{name}:1", "bytes": size, "records": records}


@pytest.fixture
def notebook(tmp_path):
    found = Notebook(tmp_path / "findings.jsonl")
    popularity = [stage("parquet at X", 900, records=100), stage("parquet at X", 4000), stage("parquet at X", 10)]
    als = [stage("mapPartitions at ALS.scala", 2000), stage("map at ALS.scala", 3000), stage("count at ALS.scala", 9)]
    als += [stage("flatMap at ALS.scala", size) for size in (1_000_000, 5_000_000, 3_000_000, 7_000_000)]
    sizes = {"users": 10, "tracks": 500, "pairs": 500, "factors": 8, "blocks": 4}
    found.note("shuffles", "20000 parquet", **sizes, popularity=popularity, als=als)
    return found


def test_a_row_for_each_size(notebook):
    row = "| 20,000 | 10 | 500 | 500 | 9.0 | 8.0 | 10.0 | 2.000 | 0.001 | 6.000 | 0.016 |"
    assert formulas.table(notebook).markdown().splitlines()[2:] == [row]
    assert formulas.table(Notebook(notebook.path.with_name("none"))).markdown().count("\n") == 2
