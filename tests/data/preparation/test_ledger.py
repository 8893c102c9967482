"""All ten steps find exactly what a generated log's ledger says was planted: figures, names, groups and pairs."""

import numpy as np
import polars as pl
import pytest

from common.data.preparation.pipeline import prepare
from common.data.preparation.steps import canonical_ids
from common.data.synthetic.raw.comparison import compare_steps
from common.data.synthetic.raw.logs import generate_logs
from common.data.synthetic.raw.world import RawLogSettings


@pytest.mark.parametrize(
    "settings",
    [
        RawLogSettings(50_000),
        RawLogSettings(20_000, format="csv.gz", seed=1),
        RawLogSettings(20_000, format="jsonl", seed=2),
        RawLogSettings(20_000, track_ids=False, seed=3),
        pytest.param(RawLogSettings(2_000_000), marks=pytest.mark.thorough),
    ],
    ids=lambda settings: f"{settings.events}-{settings.format}{'' if settings.track_ids else '-names'}",
)
def test_every_step_finds_what_was_planted(tmp_path, settings, monkeypatch):
    monkeypatch.setattr(canonical_ids, "bucket_count", lambda events, memory: 3)
    ledger = generate_logs(settings, tmp_path / "raw")
    found = prepare([tmp_path / "raw"], tmp_path / "out")
    compared, wrong = compare_steps(ledger, found["steps"])
    assert wrong == []
    assert compared >= 45
    assert found["steps"][3]["notes"]["buckets"] == 3
    for part, planted in ledger["aggregate_interactions"].items():
        indices = np.load(tmp_path / "out" / "matrices" / part / "indices.npy")
        assert len(indices) == planted["new_pairs"] > 0


def test_a_step_that_loses_an_event_would_be_seen(tmp_path):
    ledger = generate_logs(RawLogSettings(20_000), tmp_path / "raw")
    lost = next((tmp_path / "raw").glob("*.parquet"))
    pl.read_parquet(lost)[:-1].write_parquet(lost)
    found = prepare([tmp_path / "raw"], tmp_path / "out")
    wrong = compare_steps(ledger, found["steps"])[1]
    assert f"scan rows_in: {ledger['scan']['rows'] - 1} instead of {ledger['scan']['rows']}" in wrong
