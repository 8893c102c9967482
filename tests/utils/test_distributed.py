"""Two processes that train together end where one does, and only the first of them writes."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.models.neural.sasrec.model import SASRec, SASRecSettings
from common.splits.train_view import TrainView
from common.training.context import FitContext
from common.utils import distributed as parallel
from tests.conftest import ROOT
from tests.models.contract_tests import block_visible

SETTINGS: dict[str, Any] = {
    **{"width": 16, "heads": 2, "length": 8, "epochs": 4, "batch": 13},
    **{"dropout": 0.0, "learning_rate": 0.01},
}
"""40 users in batches of 13: the last batch has one window, of which the second process gets none."""


def train_network(folder: Path, settings: dict, train: TrainView) -> SASRec:
    """A model trained on the blocks, validated on made-up scores, its checkpoints in `folder`."""
    model = SASRec(SASRecSettings(**SETTINGS | settings), seed=0)
    scores = iter([0.1, 0.2, 0.4, 0.3])
    return model.fit(train, lambda _: next(scores), FitContext(folder / "training"))


def main(folder: Path, loss: str) -> None:
    """What each of the two processes runs."""
    with parallel.group("cpu"):
        check_what_is_told()
        with parallel.main_first():
            train = block_visible(folder / f"blocks{parallel.rank()}")
        model = train_network(folder, {"loss": loss}, train)
        if parallel.is_main():
            model.save(folder / "model")
        assert model.refit_schedule is not None
        (folder / f"rank{parallel.rank()}.txt").write_text(f"{model.refit_schedule.epochs} {model.curves}")
    threads = {path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")}
    assert not any("gloo" in name for name in threads), "threads that outlive the group may abort the process"


def check_what_is_told() -> None:
    """Arrays go from process to process, in pieces of 8 bytes, and arrive as they were."""
    rank, parallel.SENT_AT_ONCE = parallel.rank(), 8
    forms = {"table": np.arange(6.0).reshape(2, 3), "word": np.array("abc"), "nothing": np.zeros((0, 2), np.int32)}
    found = parallel.of_main(lambda: forms if rank == 0 else pytest.fail("the first process alone makes them"))
    for name, array in forms.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)
        np.testing.assert_array_equal(found[name], array)
    assert parallel.gathered(np.arange(3 * rank)).tolist() == [0, 1, 2]
    assert parallel.summed(np.array([1, rank])).tolist() == [2, 1]
    whole: dict[str, np.ndarray] = {"codes": np.arange(10), "rows": np.ones((10, 2), np.float32)}
    part = parallel.part_of_main(whole if rank == 0 else {}, np.array([0, 4, 10]))
    assert part["codes"].tolist() == ([0, 1, 2, 3], [4, 5, 6, 7, 8, 9])[rank]
    assert part["rows"].shape == ((4, 2), (6, 2))[rank]
    parallel.SENT_AT_ONCE = 2**28


def test_one_process_tells_itself():
    values = {"codes": np.arange(3)}
    assert parallel.of_main(lambda: values) is values
    assert parallel.part_of_main(values, np.array([0, 3])) is values
    assert parallel.gathered(values["codes"]) is parallel.summed(values["codes"]) is values["codes"]


def test_torchrun_says_whether_it_starts_processes_again(monkeypatch):
    assert (parallel.restarts(), parallel.may_restart()) == (0, False)
    for name, value in {"WORLD_SIZE": 2, "TORCHELASTIC_MAX_RESTARTS": 1, "TORCHELASTIC_RESTART_COUNT": 0}.items():
        monkeypatch.setenv(name, str(value))
    assert (parallel.restarts(), parallel.may_restart()) == (0, True)
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    assert (parallel.restarts(), parallel.may_restart()) == (1, False)


@pytest.mark.parametrize("loss", ["full", pytest.param("sampled", marks=pytest.mark.thorough)])
def test_two_processes_follow_one(tmp_path, loss):
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    command += ["--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0", "--local-addr", "localhost"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    words = [*command, "-m", "tests.utils.test_distributed", str(tmp_path), loss]
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    train = block_visible(tmp_path / "blocks")
    alone = train_network(tmp_path / "alone", {"loss": loss}, train)
    together = SASRec.load(tmp_path / "model", train)
    of_both = together.arrays()
    for name, array in alone.arrays().items():
        if name.endswith("project.bias"):  # softmax ignores the bias of keys: its gradient is nothing but rounding
            keys = slice(SETTINGS["width"], 2 * SETTINGS["width"])
            array[keys] = of_both[name][keys] = 0
        np.testing.assert_allclose(array, of_both[name], rtol=1e-3, atol=2e-5, err_msg=name)
    users = np.arange(train.n_users)
    np.testing.assert_allclose(alone.score(users), together.score(users), rtol=1e-3, atol=1e-4)
    said = [(tmp_path / f"rank{rank}.txt").read_text() for rank in (0, 1)]
    assert said[0] == said[1]
    assert said[0].startswith("3 "), "the epoch that rank 0 chose"
    files = {path.name for path in (tmp_path / "training").iterdir()}
    assert files == {path.name for path in (tmp_path / "alone" / "training").iterdir()}
    [losses] = [float(value) for value in said[0].split("'train/loss': [")[1].split(",")[:1]]
    np.testing.assert_allclose(losses, alone.curves["train/loss"][0], rtol=1e-5)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
