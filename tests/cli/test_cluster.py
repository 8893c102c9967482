"""The command says where the cluster is, waits, and ends it."""

from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from common.cli import cluster
from tests.stages import complaint


def test_it_tells_the_address_and_ends_with_ctrl_c(monkeypatch, capsys):
    ended = []

    @contextmanager
    def started(*asked):
        yield SimpleNamespace(url="spark://127.0.0.1:1")
        ended.append(asked)

    def stopped():
        raise KeyboardInterrupt

    monkeypatch.setattr(cluster, "standalone", started)
    monkeypatch.setattr(cluster, "wait", stopped)
    cluster.main(["--workers", "3", "--worker-memory", "2g"])
    assert ended == [(3, 1, "2g", None)]
    assert "--engine spark --master spark://127.0.0.1:1" in capsys.readouterr().out


@pytest.mark.parametrize("flags", [["--workers", "0"], ["--worker-memory", "1.5g"]])
def test_flags_that_make_no_sense(flags, capsys):
    assert flags[0] in complaint(capsys, cluster.main, *flags)
