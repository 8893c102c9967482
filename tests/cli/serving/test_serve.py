import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from common.cli.serving.serve import main
from common.serving.http.server import bind
from common.utils.io import ROOT
from tests.serving.saved_models import save_models, write_own_folder
from tests.stages import complaint


@pytest.fixture(scope="module")
def flags(tmp_path_factory):
    """Flags of a data set of one's own with a saved model."""
    folder = tmp_path_factory.mktemp("serve")
    own = write_own_folder(folder / "own")
    save_models(own, folder / "data", folder / "out", ("als",))
    return [f"--dataset={own}", f"--data-dir={folder / 'data'}", f"--output-dir={folder / 'out'}"]


def start(flags: list[str], log: Path) -> tuple[subprocess.Popen, str]:
    """The service in a process of its own, and where it listens."""
    command = [sys.executable, "-m", "common", "serve", *flags, "--port=0"]
    with log.open("w") as handle:
        running = subprocess.Popen(command, cwd=ROOT, stdout=handle, stderr=subprocess.STDOUT, env=os.environ)
    end = time.monotonic() + 60
    while "http://" not in log.read_text():
        assert running.poll() is None, log.read_text()
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.05)
    return running, "http://" + log.read_text().split("http://")[1].split()[0]


def test_it_serves_until_it_is_asked_to_end(flags, tmp_path):
    running, address = start(flags, tmp_path / "log.txt")
    try:
        while True:
            with urllib.request.urlopen(f"{address}/v1/models", timeout=30) as answer:
                found = json.load(answer)
            if found["models"]:
                break
        assert found["models"][0]["name"] == "als"
        port = int(address.rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", port), timeout=30) as half_sent:
            half_sent.sendall(b"POST /v1/recommend HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n")
            half_sent.sendall(b'Content-Length: 8\r\n\r\n{"k"')
            time.sleep(0.3)
            running.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            half_sent.sendall(b": 2}")
            assert half_sent.recv(12) == b"HTTP/1.1 200"
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=30).close()
    finally:
        running.send_signal(signal.SIGTERM)
        code = running.wait(30)
    assert code == 0
    assert (tmp_path / "log.txt").read_text().splitlines()[-1] == "stopped; every request was answered"


def test_mistakes_end_in_one_sentence(flags, capsys, monkeypatch):
    with bind("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        said = complaint(capsys, main, *flags, f"--port={port}")
    assert f"--port {port}: address already in use; choose another --port" in said
    assert "unknown model 'alls': did you mean 'als'" in complaint(capsys, main, *flags, "--models", "alls")
    assert "--store names no database" in complaint(capsys, main, *flags, "--store=postgresql://me@host")
    assert "--timeout 0" in complaint(capsys, main, *flags, "--timeout=0")
    monkeypatch.setitem(sys.modules, "fastapi", None)
    for name in [name for name in sys.modules if name.startswith("common.serving.http.")]:
        monkeypatch.delitem(sys.modules, name)
    assert "pip install -r requirements-serve.txt" in complaint(capsys, main, *flags)
