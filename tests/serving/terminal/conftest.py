import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.serving.saved_models import save_models, write_own_folder
from tests.stages import stage


@pytest.fixture(scope="package")
def model_store(tmp_path_factory):
    """Flags of a data set with trained models."""
    folder = tmp_path_factory.mktemp("terminal")
    own = write_own_folder(folder / "own")
    save_models(own, folder / "data", folder / "out", ("popularity", "als", "ease"))
    flags = ["--dataset", str(own), "--data-dir", str(folder / "data"), "--output-dir", str(folder / "out")]
    return [*flags, "--as", "tester", "--model", "als"]


@pytest.fixture
def ask(model_store, capsys):
    """Ask, and get what is printed."""

    def asked(*more: str) -> str:
        stage("recommend.py")([*model_store, *more])
        return capsys.readouterr().out

    return asked


@pytest.fixture
def talk(ask, monkeypatch):
    """Type lines, delete all feedback, and get what is printed."""

    def talked(*typed: str) -> str:
        waiting = iter(["forget", *typed, "forget", "q"])
        monkeypatch.setattr("builtins.input", lambda _="": next(waiting))
        return ask("-k", "5")

    return talked


def run(model_store, *more: str | bytes, shell: str = "", **environment: str) -> subprocess.CompletedProcess[bytes]:
    """The program as a process of its own, `shell` behind its command line."""
    words = [sys.executable, "recommend.py", *model_store, *more]
    command: list[str | bytes] = ["sh", "-c", f'exec "$@" {shell}', "sh", *words] if shell else words
    environ = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, timeout=120, check=False)
