"""Daemons that do not come up are told of, and no process is left; a real cluster: test_on_a_cluster.py."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from common.cluster import standalone as module
from common.cluster.standalone import Daemon, standalone
from common.utils.errors import UserError
from tests.spark import needs_spark


@pytest.fixture
def spark_class(tmp_path, monkeypatch):
    """Stands for Spark's script; what it does is for the test to write."""
    import pyspark

    (tmp_path / "home" / "bin").mkdir(parents=True)
    script = tmp_path / "home" / "bin" / "spark-class"
    monkeypatch.setattr(pyspark, "__file__", str(tmp_path / "home" / "__init__.py"))

    def write(text: str) -> None:
        script.write_text(f"#!/bin/sh\n{text}\n")
        script.chmod(0o755)

    return write


@needs_spark
def test_a_master_that_ends_at_once(spark_class, tmp_path):
    spark_class("echo no room >&2; exit 1")
    with pytest.raises(UserError, match=r"ended; its log, .*master\.log, says why"), standalone(folder=tmp_path / "c"):
        pass
    assert "no room" in (tmp_path / "c" / "master.log").read_text()


@needs_spark
def test_a_worker_that_hangs_leaves_no_process(spark_class, tmp_path, monkeypatch):
    spark_class('case "$*" in *Master*) echo Starting Spark master at spark://h:1;; esac; echo $$ >&2; exec sleep 60')
    monkeypatch.setattr(module, "STARTS_IN", 2.0)
    with pytest.raises(UserError, match="not up after 2 s"), standalone(folder=tmp_path / "c"):
        pass
    for log in (tmp_path / "c").glob("*.log"):
        [process] = [line for line in log.read_text().splitlines() if line.isdecimal()]
        with pytest.raises(ProcessLookupError):
            os.kill(int(process), 0)


def test_a_daemon_ends_with_its_group(tmp_path):
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["sh", "-c", "sleep 60 & echo child $!; wait"], stdout=output, start_new_session=True
        )
    daemon = Daemon(process, log)
    until = time.monotonic() + 20
    while not (found := daemon.says(r"child (\d+)")) and time.monotonic() < until:
        time.sleep(0.05)
    assert found
    assert daemon.is_alive
    daemon.end(signal.SIGKILL)
    assert not daemon.is_alive
    time.sleep(0.2)
    state = Path(f"/proc/{found[1]}/stat")
    assert not state.exists() or " Z " in state.read_text(encoding="ascii")
