"""Fixtures that every test may ask for. No test reaches the network, tracks a run or reads settings from outside."""

import base64
import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from matplotlib.figure import Figure

from common.data.dataset import Dataset, load_dataset
from common.data.sources.lastfm_2k_files import find_sources
from common.data.sources.registry import LASTFM, SYNTHETIC
from common.data.synthetic.settings import SyntheticSettings
from common.experiments.settings import ModelSettings
from common.utils.errors import UserError
from tests.postgres_server import BINARIES, PostgresCluster

torch.set_num_threads(1)  # toy networks: a second thread only waits for the first
BLANK = base64.b64decode(
    b"iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAsTj2FAAAAABJRU5ErkJggg=="
)
"""A PNG of one pixel."""
ROOT = Path(__file__).resolve().parents[1]
SMALL = SyntheticSettings(users=60, items=200, seed=1)
"""Generated data that is prepared in a tenth of a second and still large enough for every protocol."""


def raise_again(handler: logging.Handler, record: logging.LogRecord) -> None:
    """Where logging would print a traceback and go on, as after a message that its arguments do not fit: fail."""
    raise


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No tracking, no connection beyond this machine, no error of logging unseen, and the messages' destination and the
    limit of memory as they were."""
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("WANDB_MODE", "disabled")
    for name in ("WANDB_DIR", "WANDB_DATA_DIR"):  # set, then unset: what a test's run leaves there is undone
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    connect = socket.socket.connect

    def refuse_others(self: socket.socket, address):
        if self.family == getattr(socket, "AF_UNIX", None) or address[0] in ("127.0.0.1", "::1", "localhost"):
            return connect(self, address)
        raise OSError(f"a test tried to reach {address}")

    def no_download(data_dir: Path) -> None:
        raise UserError("a test does not download")

    monkeypatch.setattr(socket.socket, "connect", refuse_others)
    monkeypatch.setattr("common.data.sources.download.download", no_download)
    monkeypatch.setattr("common.experiments.tracking._failed", [])
    monkeypatch.setattr("common.utils.memory._given", None)
    monkeypatch.setattr(logging.Handler, "handleError", raise_again)
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(autouse=True)
def composed_figures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures get all their lines, bars and texts, but no pixels, which take most of a stage's time on toy data."""
    if "plots" in request.path.parts or request.node.get_closest_marker("rendered"):
        return

    def save(self: Figure, file: str | Path, **options: object) -> None:
        Path(file).write_bytes(BLANK)

    monkeypatch.setattr(Figure, "savefig", save)


@pytest.fixture(scope="session")
def small_data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A `--data-dir` that holds the small generated data, prepared once. Tests that change files copy it."""
    folder = tmp_path_factory.mktemp("data")
    load_dataset(SYNTHETIC, folder, SMALL)
    return folder


@pytest.fixture(scope="session")
def small_data(small_data_dir: Path) -> Dataset:
    """The small generated data."""
    return load_dataset(SYNTHETIC, small_data_dir, SMALL)


@pytest.fixture
def small_settings(small_data_dir: Path, tmp_path: Path) -> ModelSettings:
    """Flags of a stage on the small generated data, results under the test's own folder."""
    return ModelSettings(
        dataset=SYNTHETIC, synthetic=SMALL, data_dir=small_data_dir, output_dir=tmp_path / "out", wandb="disabled"
    )


@pytest.fixture
def small_flags(small_data_dir: Path, tmp_path: Path) -> list[str]:
    """The same as `small_settings`, as they stand on a command line."""
    return [
        *("--dataset", SYNTHETIC, "--synthetic.users", str(SMALL.users), "--synthetic.items", str(SMALL.items)),
        *("--synthetic.seed", str(SMALL.seed), "--data-dir", str(small_data_dir)),
        *("--output-dir", str(tmp_path / "out"), "--wandb", "disabled"),
    ]


@pytest.fixture(scope="session")
def real_data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The real Last.fm data, prepared once; the test is skipped where the files are not at hand."""
    sources = find_sources(ROOT / "data")
    if sources is None:
        pytest.skip("the real files are not here")
    folder = tmp_path_factory.mktemp("real")
    (folder / "raw").mkdir()
    for source in (sources[0], sources[1].parent):
        (folder / "raw" / source.name).symlink_to(source.resolve())
    return load_dataset(LASTFM, folder)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresCluster]:
    """A PostgreSQL server of the tests' own, on loopback."""
    if BINARIES is None:
        pytest.skip("no PostgreSQL server: apt-get install postgresql")
    pytest.importorskip("psycopg", reason="no psycopg: pip install -r requirements-serve.txt")
    with PostgresCluster() as server:
        server.start()
        yield server
