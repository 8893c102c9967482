"""A standalone Spark cluster on this machine: a master and workers as processes of their own, on loopback.

For tests, benchmarks and a first try. The pip package of Spark has no start scripts; `spark-class` starts the daemons.
Each daemon leads a process group, in which its executors are, too: the group is ended with the daemon, for sure.
"""

import contextlib
import ctypes
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from common.cluster.java import check_java
from common.cluster.session import LOOPBACK, check_pyspark
from common.utils.errors import UserError

STARTS_IN = 300.0
"""Seconds within which a daemon has to be up."""
DAEMON_MEMORY = "256m"
MASTER, WORKER = "org.apache.spark.deploy.master.Master", "org.apache.spark.deploy.worker.Worker"
DIES_WITH_PARENT = 1
"""PR_SET_PDEATHSIG of Linux."""


@dataclass
class Daemon:
    """A master or worker: its process, which leads a group, and its log."""

    process: subprocess.Popen
    log: Path

    def says(self, pattern: str) -> re.Match[str] | None:
        """What its log holds of a pattern."""
        return re.search(pattern, self.log.read_text(encoding="utf-8", errors="replace"))

    @property
    def is_alive(self) -> bool:
        """Whether the process is there."""
        return self.process.poll() is None

    def end(self, how: int = signal.SIGKILL) -> None:
        """End the daemon and its executors, and wait until it is gone."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, how)
        self.process.wait(timeout=30)


@dataclass
class Standalone:
    """A cluster: its address, and its daemons, whose files lie in a folder."""

    folder: Path
    master: Daemon
    workers: list[Daemon] = field(default_factory=list)
    url: str = ""

    def stop(self) -> None:
        """End all daemons: asked first, then killed."""
        daemons = [*self.workers, self.master]
        for daemon in daemons:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(daemon.process.pid, signal.SIGTERM)
        for daemon in daemons:
            with contextlib.suppress(subprocess.TimeoutExpired):
                daemon.process.wait(timeout=10)
            daemon.end()


@contextmanager
def standalone(
    workers: int = 2, cores: int = 1, memory: str = "1g", folder: Path | None = None
) -> Iterator[Standalone]:
    """One master and some workers, each with so many cores and so much memory for executors, while the block runs.

    Logs, and what executors spill, lie in `folder` (a temporary one without it). Raises a UserError where pyspark or
    Java is missing, and where a daemon does not come up.
    """
    check_pyspark()
    check_java()
    place = folder or Path(tempfile.mkdtemp(prefix="encore-cluster-"))
    place.mkdir(parents=True, exist_ok=True)
    cluster = Standalone(place, _start(place, "master", [MASTER, "--port", "0"]))
    try:
        cluster.url = _wait(cluster.master, r"Starting Spark master at (spark://\S+)")[1]
        for number in range(workers):
            asked = ["--cores", str(cores), "--memory", memory, "--work-dir", str(place / f"work{number}")]
            cluster.workers.append(_start(place, f"worker{number}", [WORKER, *asked, cluster.url]))
        for daemon in cluster.workers:
            _wait(daemon, "Successfully registered with master")
        yield cluster
    finally:
        cluster.stop()
        if folder is None:
            shutil.rmtree(place, ignore_errors=True)


def _start(folder: Path, name: str, words: list[str]) -> Daemon:
    """A daemon whose output goes to its log."""
    import pyspark

    home = Path(pyspark.__file__).parent
    program, *flags = words
    command = [str(home / "bin" / "spark-class"), program, "--host", LOOPBACK, "--webui-port", "0", *flags]
    local = folder / f"{name}-local"
    own = {"SPARK_HOME": str(home), "SPARK_LOCAL_IP": LOOPBACK, "SPARK_DAEMON_MEMORY": DAEMON_MEMORY}
    log = folder / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=os.environ | own | {"SPARK_LOCAL_DIRS": str(local)},
            start_new_session=True,
            preexec_fn=_dies_with_parent(),
        )
    return Daemon(process, log)


def _dies_with_parent() -> Callable[[], object] | None:
    """What a new process calls so that it is killed when this one is; None where the system has no such thing."""
    try:
        prctl = ctypes.CDLL(None).prctl
    except (OSError, AttributeError):
        return None
    return lambda: prctl(DIES_WITH_PARENT, signal.SIGKILL)


def _wait(daemon: Daemon, pattern: str) -> re.Match[str]:
    """Wait for words in the log of a daemon that comes up."""
    until = time.monotonic() + STARTS_IN
    while time.monotonic() < until and daemon.is_alive:
        if found := daemon.says(pattern):
            return found
        time.sleep(0.2)
    why = "ended" if not daemon.is_alive else f"is not up after {STARTS_IN:.0f} s"
    raise UserError(f"a process of the Spark cluster {why}; its log, {daemon.log}, says why")
