"""Two processes of torchrun train what one does, each on its own rows, and go on after one of them was killed."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from common.data.dataset import load_dataset
from common.experiments.experiment import Experiment
from common.experiments.flags import parse
from common.experiments.processes.together import SharedTask, forget_checkpoints, goes_on
from common.experiments.run import Run
from common.experiments.settings import ModelSettings
from common.models import HybridListNet, LightGCN, SASRec, TwoTower
from common.splits.shards import OthersRowsError
from common.utils import distributed as parallel
from common.utils.errors import UserError
from common.utils.io import read_json, write_json
from common.utils.logs import log_to
from tests.conftest import ROOT
from tests.data.matrix_folders import events, write_matrix_folder
from tests.runs import run_through

MODELS = (SASRec, TwoTower, HybridListNet)
NO_DROPOUT = [
    *("--sasrec.dropout", "0", "--sasrec.loss", "sampled", "--sasrec.negatives", "50", "--sasrec.order", "shuffled"),
    *("--two-tower.dropout", "0", "--two-tower.id-dropout", "0", "--two-tower.person-dropout", "0"),
    *("--two-tower.start", "als"),
    *("--hybrid-listnet.dropout", "0", "--hybrid-listnet.id-dropout", "0"),
]
"""Dropout draws other values in each process; without it two processes differ from one by rounding alone."""
LOSS_NEAR, METRIC_NEAR = 1e-3, 0.02
"""How far each epoch's loss may be from that of one process, as a share of it, and a metric of 60 users."""
KILLED = "TOGETHER_KILLED"
"""Variable that names a process, and the epoch and step in which it kills itself, unless it was restarted."""


@dataclass(frozen=True)
class Settings(ModelSettings):
    """The flags of a stage with all networks."""

    models: tuple[str, ...] = tuple(model.name for model in MODELS)
    """Models to run."""


class Together(NamedTuple):
    """What came of a command: its output folder, what each process noted, and what all of them printed."""

    out: Path
    noted: list[dict[str, Any]]
    printed: str

    def record(self, model: str, part: str = "valid") -> dict[str, Any]:
        return read_json(next(self.out.glob(f"*/*/{model}/*/seed0/{part}/metrics.json")))

    def curves(self, model: str) -> dict[str, list[float]]:
        return read_json(next(self.out.glob(f"*/*/{model}/*/seed0/curves.json")))


def main(folder: Path, flags: list[str]) -> None:
    """What each process runs: every stage with a network, without the figures."""
    die_in_the_middle()
    args = parse(Settings, flags, models=MODELS)
    with Experiment(args, "4_sasrec", models=MODELS) as exp:
        write_json(folder / f"rank{parallel.rank()}.json", what_is_held(exp))
        run_through(exp, *MODELS)
        assert parallel.world() == 1, "the processes have parted, so that the first one can go on alone"


def what_is_held(exp: Experiment) -> dict[str, Any]:
    """Users whose rows a process holds, how many rows those are, whether it gets others', and counts of all items."""
    view = exp.train
    histories = view.histories
    others = np.setdiff1d(np.arange(view.n_users), np.arange(view.n_users)[histories.own_users])
    refused = 0
    for user in others:
        try:
            histories.take([user])
        except OthersRowsError:
            refused += 1
    return {
        "users": [histories.own_users.start, histories.own_users.stop],
        "rows": len(histories.own.items),
        "of": len(histories.items),
        "refused": [refused, int((histories.lengths[others] > 0).sum())],
        "counts": view.counts.tolist(),
        "items": view.items["item_id"].tolist(),
    }


def die_in_the_middle() -> None:
    """Kill this process in the epoch and step that KILLED names, if it is the one and was not restarted."""
    from common.training.trainer import Trainer

    who, when = os.environ.get(KILLED, "none,").split(",", 1)
    step = Trainer._step
    if who != str(parallel.rank()) or parallel.restarts():
        return

    def deadly(self: Trainer, *args: Any) -> None:
        if f"{self.state['epoch'] + 1},{args[1]}" == when:
            os.kill(os.getpid(), signal.SIGKILL)
        step(self, *args)

    Trainer._step = deadly  # type: ignore[assignment, method-assign]


def start_two(folder: Path, flags: list[str], *, restarts: int = 0, **environment: str) -> Together:
    """Run `main` in two processes of torchrun."""
    folder.mkdir()
    words = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--max-restarts", str(restarts)]
    words += ["--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0", "--local-addr", "localhost"]
    words += ["-m", "tests.experiments.processes.test_together", str(folder), *flags, "--output-dir", str(folder)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)} | environment
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=3000)
    assert done.returncode == 0, done.stderr[-3000:]
    noted = [read_json(folder / f"rank{rank}.json") for rank in (0, 1)]
    return Together(folder, noted, done.stdout + done.stderr)


def start_one(folder: Path, flags: list[str]) -> Together:
    """Run `main` in this process."""
    folder.mkdir()
    main(folder, [*flags, "--output-dir", str(folder)])
    return Together(folder, [read_json(folder / "rank0.json")], "")


@pytest.fixture(scope="module")
def matrix_flags(tmp_path_factory) -> list[str]:
    """A folder of matrix form, in which SASRec is fitted, refitted and tested."""
    folder = tmp_path_factory.mktemp("matrices")
    data = ["--dataset", str(write_matrix_folder(folder / "logs", events())), "--data-dir", str(folder / "data")]
    small = ["--preset", "smoke", "--models", "sasrec", "--sasrec.batch", "8"]
    return [*data, "--protocol", "temporal", "--wandb", "disabled", *small]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, matrix_flags) -> Together:
    return start_two(tmp_path_factory.mktemp("two") / "out", matrix_flags)


def check_shares(noted: list[dict[str, Any]]) -> None:
    """The second process has what is left of the first one's half, and is refused all else."""
    first, second = noted
    assert first["users"] == [0, len_of(first)]
    assert second["refused"][0] == second["refused"][1] > 0
    assert 0.3 < second["rows"] / second["of"] < 0.7
    assert second["counts"] == first["counts"]
    assert second["items"] == first["items"]


def len_of(noted: dict[str, Any]) -> int:
    return noted["users"][1]


def check_same(one: Together, two: Together, model: str) -> None:
    """Losses and metrics are those of one process."""
    for name, values in one.curves(model).items():
        if name.endswith("loss"):
            np.testing.assert_allclose(two.curves(model)[name], values, rtol=LOSS_NEAR, err_msg=f"{model} {name}")
    for metric in ("ndcg_10", "recall_20"):
        assert two.record(model)[metric] == pytest.approx(one.record(model)[metric], abs=METRIC_NEAR), model


@pytest.mark.thorough
def test_tables_are_shared_and_three_networks_end_alike(tmp_path, small_flags):
    flags = [*small_flags[: small_flags.index("--output-dir")], "--wandb", "disabled", "--phase", "select"]
    flags += ["--preset", "smoke", *NO_DROPOUT]
    two, one = start_two(tmp_path / "two", flags), start_one(tmp_path / "one", flags)
    check_shares(two.noted)
    for model in MODELS:
        check_same(one, two, model.name)


@pytest.mark.thorough
def test_matrices_are_shared_and_a_refit_ends_alike(tmp_path, matrix_flags, undisturbed):
    one = start_one(tmp_path / "one", matrix_flags)
    check_shares(undisturbed.noted)
    assert undisturbed.noted[0]["counts"] == one.noted[0]["counts"]
    for part in ("valid", "test"):
        pair = [found.record("sasrec", part)["ndcg_10"] for found in (one, undisturbed)]
        assert pair[1] == pytest.approx(pair[0], abs=0.05), "dropout draws other values"


def test_what_needs_all_rows_is_refused_on_a_prepared_log(tmp_path):
    folder = write_matrix_folder(tmp_path / "logs", events())
    data = load_dataset(str(folder), tmp_path / "data")
    assert SharedTask(data, "temporal", MODELS).by_shards
    with pytest.raises(UserError, match=r"whole log .* for lightgcn: .* out of --models, or start without torchrun"):
        SharedTask(data, "temporal", (TwoTower, LightGCN))


@pytest.mark.parametrize("network", ["", "sasrec"])
def test_where_a_restart_may_come_older_checkpoints_are_set_aside(tmp_path, monkeypatch, network):
    run = Run(tmp_path / "data" / "split" / "model" / "tuned" / "seed0")
    last = run.checkpoints("valid") / network / "last.json"  # a model of several networks has a folder for each

    def is_kept(resume: bool) -> bool:
        last.parent.mkdir(parents=True, exist_ok=True)
        last.write_text("{}")
        forget_checkpoints([run], resume)
        return last.exists()

    assert is_kept(resume=False), "no torchrun"
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("TORCHELASTIC_MAX_RESTARTS", "1")
    assert is_kept(resume=True)
    assert not goes_on(resume=False)
    assert not is_kept(resume=False)
    assert (last.parent / "set-aside" / "last.json").exists()
    assert not is_kept(resume=False), "in place of those set aside before"
    assert not (last.parent / "set-aside" / "set-aside").exists()
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    assert goes_on(resume=False)


@pytest.mark.thorough
@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_is_killed_and_the_run_goes_on_to_the_same_end(tmp_path, matrix_flags, undisturbed, rank):
    killed = start_two(tmp_path / "killed", matrix_flags, restarts=1, **{KILLED: f"{rank},3,1"})
    assert "exitcode: -9" in killed.printed, "torchrun has seen the kill"
    log = next(killed.out.glob("*/temporal/sasrec/*/seed0/log.txt")).read_text()
    assert "sasrec select goes on after epoch 2 and 0 steps" in log
    assert "torchrun has started the processes again (1)" in killed.printed
    for part in ("valid", "test"):
        ours, theirs = killed.record("sasrec", part), undisturbed.record("sasrec", part)
        assert {name: ours[name] for name in ("ndcg_10", "recall_20")} == {
            name: theirs[name] for name in ("ndcg_10", "recall_20")
        }
    assert json.dumps(killed.curves("sasrec")) == json.dumps(undisturbed.curves("sasrec"))


if __name__ == "__main__":
    log_to(sys.stdout)
    main(Path(sys.argv[1]), sys.argv[2:])
