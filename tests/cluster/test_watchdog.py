"""Jobs are cancelled when no executor has been there for long, and not before."""

import time
from types import SimpleNamespace

import pytest

from common.cluster import watchdog
from common.cluster.watchdog import Watchdog, settle


class Context:
    """What a watchdog asks of a Spark context."""

    def __init__(self, *sizes):
        self.sizes, self.cancelled = list(sizes), 0
        ids = SimpleNamespace(size=lambda: self.sizes.pop(0) if len(self.sizes) > 1 else self.sizes[0])
        self._jsc = SimpleNamespace(sc=lambda: SimpleNamespace(getExecutorIds=lambda: ids))

    def cancelAllJobs(self):  # noqa: N802
        self.cancelled += 1


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(watchdog, "LOOKS_EVERY", 0.01)


def watched(context, seconds):
    dog = Watchdog(context, empty_for=0.1)
    dog.start()
    time.sleep(seconds)
    dog.end()
    assert not dog.is_alive()
    return dog


def test_a_job_without_an_executor_is_cancelled_again_and_again(quick):
    context = Context(1, 1, 0)
    assert watched(context, 0.6).fired
    assert context.cancelled > 1, "the next job of the block would wait for ever"


def test_executors_that_come_back_in_time_save_the_job(quick):
    context = Context(1, 0, 0, 1)
    assert not watched(context, 0.3).fired
    assert not context.cancelled


def test_a_jvm_that_is_gone_ends_the_watch(quick):
    context = Context(1)
    context._jsc = None  # type: ignore[assignment]
    assert not watched(context, 0.05).fired


def test_a_session_waits_until_no_more_executors_come(quick, monkeypatch):
    monkeypatch.setattr(watchdog, "SETTLED_FOR", 0.05)
    context = Context(0, 1, 2)
    settle(context)
    assert context.sizes == [2]
    start = time.monotonic()
    settle(Context(0), most=0.2)
    assert 0.2 <= time.monotonic() - start < 5
