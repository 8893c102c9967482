"""A master of another version ends a session at once, in a sentence of its own."""

import socket
import struct
import subprocess
import sys
import threading
import time
from importlib.metadata import version

import pytest

from common.cluster import registration
from common.cluster.registration import refused_at_once
from common.cluster.session import spark_session
from common.utils.errors import UserError
from tests.spark import needs_spark

TOLD = (
    "java.io.InvalidClassException: org.apache.spark.rpc.netty.RpcEndpointVerifier$CheckExistence; local class "
    "incompatible: stream classdesc serialVersionUID = 5378738997755484868, local class serialVersionUID = "
    "7789290765573734431"
)
"""What a master answers that has other classes by the names of ours."""
REQUEST, FAILURE = 3, 5
"""Kinds of messages of Spark's transport."""
HEADER = struct.Struct(">qbq")
"""Of a message: its length, this included, its kind, and the number of the request."""


@pytest.fixture
def other_version():
    """The address of a server that refuses every request as a Spark master of another version does."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=refuse, args=(server,), daemon=True).start()
        yield f"spark://127.0.0.1:{server.getsockname()[1]}"


def refuse(server: socket.socket) -> None:
    """Answer who connects, one after the other, until the server is closed; the first one only looks for it."""
    while True:
        try:
            connection = server.accept()[0]
        except OSError:
            return
        with connection, connection.makefile("rwb") as stream:
            while len(head := stream.read(HEADER.size)) == HEADER.size:
                length, kind, number = HEADER.unpack(head)
                stream.read(length - HEADER.size)
                if kind == REQUEST:
                    text = struct.pack(">i", len(TOLD)) + TOLD.encode()
                    stream.write(HEADER.pack(HEADER.size + len(text), FAILURE, number) + text)
                    stream.flush()


@needs_spark
def test_a_session_says_that_the_master_is_of_another_version(other_version, tmp_path):
    start = time.monotonic()
    with (
        pytest.raises(UserError, match=rf"another version of Spark or Java than pyspark {version('pyspark')} here"),
        spark_session(other_version, log_file=tmp_path / "spark.log"),
    ):
        pass
    log = (tmp_path / "spark.log").read_text(encoding="utf-8")
    assert "All masters are unresponsive" not in log, f"three attempts, {time.monotonic() - start:.0f} s"


def started() -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)


@pytest.mark.parametrize(("line", "killed"), [(f"Failed to connect to master a:7077\n{TOLD}", True), ("retry", False)])
def test_only_what_the_log_tells_of_another_version_ends_the_jvm(tmp_path, monkeypatch, line, killed):
    monkeypatch.setattr(registration, "LOOKS_EVERY", 0.01)
    with started() as process, refused_at_once(process, tmp_path / "spark.log"):
        (tmp_path / "spark.log").write_text(line, encoding="utf-8")
        deadline = time.monotonic() + (30 if killed else 0.2)
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        assert (process.poll() is not None) == killed
        process.kill()
