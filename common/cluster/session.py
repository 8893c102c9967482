"""A Spark session: the JVM it runs in, its settings, its log, and its end.

pyspark is imported here alone at the start of a session, so that nothing but `--engine spark` needs it.
"""

import logging
import os
import shutil
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from common.cluster.failures import NO_EXECUTOR, explained
from common.cluster.java import check_java
from common.cluster.master import check_master, is_local, is_loopback
from common.cluster.registration import refused_at_once
from common.cluster.watchdog import EMPTY_FOR, Watchdog, settle
from common.utils.errors import UserError
from common.utils.io import ROOT

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

REQUIREMENTS = "pip install -r requirements-spark.txt"
DRIVER_MEMORY = "512m"
"""Heap of the driver of a cluster: it plans and counts, and never holds a table."""
LOOPBACK = "127.0.0.1"
TOLD_BYTES = 200_000
"""Of a log, what is searched for the reason of a failure."""
LOGGING = """\
rootLogger.level = info
rootLogger.appenderRef.file.ref = file
appender.file.type = File
appender.file.name = file
appender.file.fileName = {path}
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{{HH:mm:ss.SSS}} %p %c{{1}}: %m%n%ex
"""
"""Log4j: everything into a file of the session, nothing on the terminal."""


@contextmanager
def spark_session(
    master: str,
    name: str = "encore",
    *,
    executor_memory: str = "1g",
    cores: int | None = None,
    settings: dict[str, str] | None = None,
    log_file: Path | None = None,
) -> Iterator["SparkSession"]:
    """A session on a master (spark://HOST:PORT, or local[N]), ended with its JVM when the block ends.

    `executor_memory` is the heap of one executor (of this process's JVM under local[N]), `cores` the most that the
    job takes of the cluster, `settings` further settings of Spark. Spark's own log goes to `log_file`, or nowhere.
    Raises a UserError where pyspark, Java or the master is missing or of a version that does not do.
    """
    check_pyspark()
    check_java()
    check_master(master)
    scratch = Path(tempfile.mkdtemp(prefix="encore-spark-"))
    written = (log_file or scratch / "spark.log").resolve()
    asked = _settings(master, name, executor_memory, cores, scratch, written) | (settings or {})
    try:
        with warnings.catch_warnings():
            # What the warning is about, tables of pandas, is not used here.
            warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
            with told(master, written), written.open("w", encoding="utf-8") as log:
                session = _start(asked, log, written, loopback=is_loopback(master))
            try:
                with told(master, written), watched(session, master, written):
                    _send_code(session, scratch)
                    yield session
            finally:
                _stop(session)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def told(master: str, log_file: Path) -> Iterator[None]:
    """Turn what goes wrong on a cluster while the block runs into a UserError, where its messages are known."""
    try:
        yield
    except Exception as error:
        of_spark = type(error).__module__.startswith(("py4j", "pyspark")) or isinstance(error, ConnectionError)
        if not of_spark or (said := explained(str(error), master) or explained(_end_of(log_file), master)) is None:
            raise
        raise said from error


def _end_of(log_file: Path) -> str:
    """The last of a log, where the failure is."""
    with suppress(OSError):
        return log_file.read_text(encoding="utf-8", errors="replace")[-TOLD_BYTES:]
    return ""


@contextmanager
def watched(session: "SparkSession", master: str, log_file: Path) -> Iterator[None]:
    """End the block with a UserError where the cluster has no executor for it for long."""
    if is_local(master):
        yield
        return
    watchdog = Watchdog(session.sparkContext)
    watchdog.start()
    try:
        settle(session.sparkContext)
        yield
    except Exception as error:
        if watchdog.fired:
            lost = UserError(NO_EXECUTOR.format(seconds=EMPTY_FOR, master=master))
            raise explained(_end_of(log_file), master) or lost from error
        raise
    finally:
        watchdog.end()


def cores_of(session: "SparkSession") -> int:
    """Cores that a session's tasks may take at once."""
    return int(session.sparkContext.defaultParallelism)


def check_pyspark() -> None:
    """Raise a UserError where pyspark is not installed."""
    try:
        import pyspark  # noqa: F401
    except ImportError as error:
        raise UserError(f"--engine spark needs pyspark: {REQUIREMENTS}") from error


def _settings(
    master: str, name: str, executor_memory: str, cores: int | None, scratch: Path, log_file: Path
) -> dict[str, str]:
    """Settings of the session, which are given to its JVM as it starts."""
    config = scratch / "log4j2.properties"
    config.write_text(LOGGING.format(path=log_file), encoding="utf-8")
    address = {"spark.driver.host": LOOPBACK, "spark.driver.bindAddress": LOOPBACK} if is_loopback(master) else {}
    most = {"spark.cores.max": str(cores)} if cores else {}
    return {
        "spark.master": master,
        "spark.app.name": name,
        "spark.driver.memory": executor_memory if is_local(master) else DRIVER_MEMORY,
        "spark.executor.memory": executor_memory,
        "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile={config.as_uri()}",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.autoBroadcastJoinThreshold": "-1",  # a table that is broadcast passes the driver
        "spark.sql.warehouse.dir": str(scratch / "warehouse"),
        "spark.hadoop.mapreduce.fileoutputcommitter.marksuccessfuljobs": "false",
        **address,
        **most,
    }


def _start(settings: dict[str, str], log: TextIO, log_file: Path, *, loopback: bool) -> "SparkSession":
    """The JVM, and a session in it; what the JVM prints goes to the log, which is open, and a file."""
    from unittest.mock import patch

    from pyspark import SparkConf, SparkContext
    from pyspark.java_gateway import launch_gateway
    from pyspark.sql import SparkSession

    if SparkContext._active_spark_context is not None:
        raise RuntimeError("a Spark session is open in this process: end it first")
    logging.getLogger("py4j").setLevel(logging.ERROR)
    conf = SparkConf(loadDefaults=False).setAll(list(settings.items()))
    with patch.dict(os.environ, _environment(loopback)):
        gateway = launch_gateway(conf, {"stdout": log, "stderr": log})
        try:
            several = "," in settings["spark.master"]  # of which another one may do
            with nullcontext() if several else refused_at_once(gateway.proc, log_file):
                context = SparkContext(conf=conf, gateway=gateway)
        except BaseException:
            _end_jvm(gateway)
            raise
    return SparkSession(context)


def _send_code(session: "SparkSession", scratch: Path) -> None:
    """Let Python workers of executors import what this process imports as `common`."""
    archive = scratch / "encore.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as written:
        for path in sorted((ROOT / "common").rglob("*.py")):
            written.write(path, path.relative_to(ROOT))
    before = list(sys.path)
    session.sparkContext.addPyFile(str(archive))
    sys.path[:] = before  # this process has the files themselves


def _environment(loopback: bool) -> dict[str, str]:
    """Variables that Spark reads as it starts."""
    python = {"PYSPARK_PYTHON": os.environ.get("PYSPARK_PYTHON", sys.executable)}
    return python | ({"SPARK_LOCAL_IP": LOOPBACK} if loopback else {})


def _stop(session: "SparkSession") -> None:
    """End the session, and its JVM, whatever has become of either."""
    gateway = session.sparkContext._gateway
    with suppress(Exception):  # a JVM that is gone cannot be asked to stop
        session.stop()
    _end_jvm(gateway)


def _end_jvm(gateway: Any) -> None:
    """End the JVM behind a gateway, so that the next session gets one of its own."""
    from pyspark import SparkContext

    SparkContext._gateway = SparkContext._jvm = SparkContext._active_spark_context = None
    with suppress(Exception):
        gateway.shutdown()
    gateway.proc.stdin.close()
    try:
        gateway.proc.wait(timeout=20)
    except Exception:
        gateway.proc.kill()
        gateway.proc.wait()
