"""A log through the ten steps: what was noted while it was read stays, also where a start is killed."""

import polars as pl
import pytest

from common.data.preparation import pipeline
from common.data.preparation.settings import PreparationSettings
from common.data.sources.large_logs.out_of_core import is_prepared, prepare_log
from common.data.sources.large_logs.raw_log import RawLog
from common.data.tables import Repair
from common.utils.io import read_json

SETTINGS = PreparationSettings(earliest="none")


class Log:
    """Stages forty events of four users, and counts how often it is asked to."""

    def __init__(self) -> None:
        self.staged = 0

    def __call__(self, out) -> RawLog:
        self.staged += 1
        rows = [(f"u{n % 4}", f"t{n // 2}", 1_000 * n) for n in range(40)]
        events = pl.DataFrame(rows, schema=["user_id", "track_id", "timestamp"], orient="row")
        path = out / "events.parquet"
        events.write_parquet(path)
        repair = Repair("interactions", "odd rows left out", 3)
        return RawLog(path, pl.scan_parquet(path), [repair], {"log": {"rows": 43}}, ["43 rows instead of 50"])


def test_what_was_noted_stands_in_the_manifest(tmp_path, caplog):
    log = Log()
    assert not is_prepared(tmp_path)
    prepare_log(log, "state", tmp_path, SETTINGS)
    manifest = read_json(tmp_path / "manifest.json")
    assert manifest["repairs"][0] == {"table": "interactions", "what": "odd rows left out", "rows": 3}
    assert manifest["notes"]["sources"] == {"log": {"rows": 43}}
    assert manifest["notes"]["repeats"] == "drop", "what the steps noted stays, too"
    assert "43 rows instead of 50" in caplog.text
    assert is_prepared(tmp_path)


def test_a_start_after_a_kill_stages_nothing_again(tmp_path, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    log = Log()
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(pipeline, "prepare", killed)
        prepare_log(log, "state", tmp_path, SETTINGS)
    assert not is_prepared(tmp_path)
    prepare_log(log, "state", tmp_path, SETTINGS)
    assert log.staged == 1
    assert read_json(tmp_path / "manifest.json")["repairs"], "noted before, added now"


def test_events_of_other_files_are_staged_anew(tmp_path, monkeypatch):
    log = Log()
    with monkeypatch.context() as patched:
        patched.setattr(pipeline, "prepare", lambda *_: (tmp_path / "manifest.json").write_text("no", "utf-8"))
        with pytest.raises(Exception, match="is not valid JSON"):
            prepare_log(log, "state", tmp_path, SETTINGS)
    prepare_log(log, "another state", tmp_path, SETTINGS)
    assert log.staged == 2
