"""What the manifest says of a log."""

from pathlib import Path

import polars as pl

from common.data.sources.large_logs.raw_log import RawLog


def test_notes_hold_counts_warnings_and_a_cut_where_there_is_one():
    log = RawLog(Path("events.parquet"), pl.LazyFrame(), [], {"a.tsv": {"lines": 3}}, ["odd"])
    assert log.notes() == {"sources": {"a.tsv": {"lines": 3}}, "warnings": ["odd"]}
    cut = RawLog(Path("events.parquet"), pl.LazyFrame(), [], {}, [], cut={"test_from": 5})
    assert cut.notes()["cut"] == {"test_from": 5}
