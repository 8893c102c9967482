"""A worker draws the split that the local engine draws, to the hash."""

import dataclasses
import shutil

import pyarrow as pa
import pytest

from common.splits.on_spark.drawing import draw_on_spark, drawn
from common.splits.store import is_drawn, load_split
from common.utils.errors import UserError


@pytest.mark.parametrize("protocol", ["listen", "temporal-s2"])
def test_the_split_has_the_hash_of_the_local_engine(protocol, small_data, tmp_path):
    copy = dataclasses.replace(small_data, folder=shutil.copytree(small_data.folder, tmp_path / small_data.name))
    shutil.rmtree(copy.folder / "splits", ignore_errors=True)
    assert not is_drawn(copy, protocol)
    [batch] = drawn(iter([pa.RecordBatch.from_pydict({"id": [0]})]), copy, protocol)
    assert is_drawn(copy, protocol)
    local = load_split(small_data, protocol)
    assert load_split(copy, protocol).info["split_sha256"] == local.info["split_sha256"]
    assert batch.column("rows").to_pylist() == [sum(local.info["rows"].values())]


def test_a_split_that_is_there_needs_no_cluster(small_data):
    load_split(small_data, "listen")
    draw_on_spark(None, small_data, "listen")
    with pytest.raises(UserError, match="unknown protocol 'lisen'"):
        draw_on_spark(None, small_data, "lisen")
