"""What a figure was measured on, on every operating system."""

import math
import os
import sys

import numpy as np
import pytest

from common.utils import environment


def test_a_machine_is_named_by_its_processors(tmp_path, monkeypatch):
    told = tmp_path / "cpuinfo"
    told.write_text("processor\t: 0\nmodel name\t: Some CPU @ 2.40GHz \n\nprocessor\t: 1\nmodel name\t: Some CPU\n")
    monkeypatch.setattr(environment, "PROCESSORS", told)
    monkeypatch.setattr(environment.os, "cpu_count", lambda: 2)
    assert environment.hardware.__wrapped__().endswith(", 2 x Some CPU @ 2.40GHz")
    monkeypatch.setattr(environment, "PROCESSORS", tmp_path / "absent")
    monkeypatch.setattr(environment.platform, "processor", lambda: "")
    assert environment.hardware.__wrapped__().endswith(", 2 x unknown processor")


@pytest.fixture
def no_resource(monkeypatch):
    """As on Windows, which has no module `resource`."""
    monkeypatch.setitem(sys.modules, "resource", None)


def test_threads_are_those_that_the_process_may_use(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {3, 5}, raising=False)
    assert environment.threads() == 2


def test_threads_are_all_where_the_system_cannot_tell(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert environment.threads() == 6
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert environment.threads() == 1


def test_memory_is_counted_in_the_units_of_the_system(monkeypatch):
    resource = pytest.importorskip("resource")
    before = environment.peak_rss_mb()
    block = np.ones(2**23)
    assert environment.peak_rss_mb() >= before
    assert block.nbytes / 2**20 < environment.peak_rss_mb() < 2**20
    used = resource.struct_rusage((0.0, 0.0, 3 * 2**20, *range(13)))
    monkeypatch.setattr(resource, "getrusage", lambda who: used)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert environment.peak_rss_mb() == 3
    monkeypatch.setattr(sys, "platform", "linux")
    assert environment.peak_rss_mb() == 3 * 2**10


def test_memory_is_unknown_where_nobody_counts_it(no_resource):
    assert math.isnan(environment.peak_rss_mb())


def test_seconds_add_up_and_those_of_children_count():
    first = environment.Seconds(1.0, 0.5)
    assert first + first - environment.Seconds(0.5, 0.25) == environment.Seconds(1.5, 0.75)
    before = environment.Seconds.of_children()
    os.spawnv(os.P_WAIT, sys.executable, [sys.executable, "-c", "sum(range(10**7))"])
    spent = environment.Seconds.of_children() - before
    assert spent.wall > 0
    assert spent.cpu > 0 or sys.platform == "win32"


def test_a_checkout_without_git_is_unknown(monkeypatch):
    def absent(*_: object, **__: object) -> None:
        raise FileNotFoundError("git")

    monkeypatch.setattr(environment.subprocess, "run", absent)
    assert environment.commit.__wrapped__() == ("unknown", False)


def test_what_stands_in_every_result():
    told = environment.about_machine("cpu")
    assert set(told) == {"commit", "dirty", "device", "machine", "threads", "versions"}
    assert told["versions"]["numpy"] == np.__version__
    assert environment._version("no-such-library") == "absent"
