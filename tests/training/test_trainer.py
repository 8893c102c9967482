"""The training loop on a small regression: stopping, replaying, resuming, and what goes wrong."""

import json
import os
import signal
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from common.models.neural.base import seeded
from common.training import trainer as loop
from common.training.batches import Epoch, to_device
from common.training.context import FitContext, RefitSchedule
from common.training.settings import TrainingSettings
from common.training.trainer import Trainer
from common.utils.errors import UserError

ROWS, BATCH = 40, 8
SETTINGS = TrainingSettings(epochs=8, batch=BATCH, patience=3, learning_rate=0.05, warmup=1.0)


class Regression(nn.Module):
    """A linear model behind dropout, which draws from torch's random state."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 1)
        self.dropout = nn.Dropout(0.1)

    def forward(self, inputs: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        return ((self.linear(self.dropout(inputs))[:, 0] - wanted) ** 2).sum()


@dataclass(frozen=True)
class Rows(Epoch):
    inputs: np.ndarray
    wanted: np.ndarray

    def batch(self, step: int, rank: int, world: int) -> dict[str, Any]:
        rows = slice(step * BATCH, (step + 1) * BATCH)
        return {"inputs": self.inputs[rows], "wanted": self.wanted[rows]}

    def weight(self, step: int) -> float:
        return float(BATCH)

    def describe(self, step: int) -> str:
        return f"rows from {step * BATCH}"


class Batches:
    """Rows in a random order; `poison` puts an infinity into a batch of an epoch; `on_batch` is called at each."""

    def __init__(self, poison: tuple[int, int] | None = None, on_batch: Any = None) -> None:
        rng = np.random.default_rng(0)
        self.inputs = rng.normal(size=(ROWS, 3)).astype(np.float32)
        self.wanted = (self.inputs @ [1.0, -2.0, 0.5]).astype(np.float32)
        self.poison, self.on_batch = poison, on_batch

    def epoch(self, number: int) -> Rows:
        order = np.random.default_rng([7, number]).permutation(ROWS)
        wanted = self.wanted[order]
        if self.poison and self.poison[0] == number:
            wanted[self.poison[1] * BATCH] = np.inf
        if self.on_batch is None:
            return Rows(order, BATCH, self.inputs[order], wanted)
        return Watched(order, BATCH, self.inputs[order], wanted, on_batch=self.on_batch, number=number)


@dataclass(frozen=True)
class Watched(Rows):
    on_batch: Any = None
    number: int = 0

    def batch(self, step: int, rank: int, world: int) -> dict[str, Any]:
        self.on_batch(self.number, step)
        return super().batch(step, rank, world)


class Elsewhere(str):
    """The CPU under a name that the loop does not take for one: it looks at the losses as rarely as on a card."""

    def __eq__(self, other: object) -> bool:
        return False

    __hash__ = str.__hash__


def run(
    batches: Any = None,
    settings: TrainingSettings = SETTINGS,
    values: list[float] | None = None,
    **how: Any,
) -> tuple[Regression, RefitSchedule]:
    """Train from seed 3; `values` is what validation says, one after the other."""
    with seeded(3, "cpu"):
        network = Regression()
        said = iter(values or [])
        validate = (lambda: next(said)) if values else None
        return network, Trainer(network, batches or Batches(), settings, validate=validate, **how).run()


def same(one: nn.Module, other: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def kept_in(folder: Path, resume: bool = False, data: str = "one", report: Any = None) -> dict[str, Any]:
    """Arguments of a training whose checkpoints lie in a folder."""
    identity = {"model": "regression", "data set": data}
    return {"context": FitContext(folder, resume, report), "identity": identity, "title": "regression"}


def test_it_learns_and_records_what_it_did():
    network, chosen = run(settings=TrainingSettings(epochs=60, batch=BATCH, learning_rate=0.05))
    losses = chosen.curves["train/loss"]
    assert losses[-1] < losses[0] / 3
    assert network.linear.weight[0].tolist() == pytest.approx([1.0, -2.0, 0.5], abs=0.5)
    assert not network.training
    assert chosen.epochs == 60
    assert chosen.costs["examples_per_second"] * chosen.costs["train_seconds"] == pytest.approx(60 * ROWS)


def test_the_loss_of_an_epoch_is_the_mean_over_its_targets():
    _, chosen = run(settings=TrainingSettings(epochs=1, learning_rate=1e-7, batch=BATCH))
    with seeded(3, "cpu"):
        network, epoch = Regression(), Batches().epoch(1)
        batches = [to_device(epoch.batch(step, 0, 1), "cpu") for step in range(5)]
        expected = sum(network(**batch).item() for batch in batches) / ROWS
    assert chosen.curves["train/loss"] == [pytest.approx(expected, rel=1e-5)]


def test_it_stops_when_validation_no_longer_rises_and_keeps_the_best():
    values = [0.1, 0.3, 0.2, 0.3, 0.25, 0.9]
    network, chosen = run(values=values)
    assert chosen.epochs == 2
    assert chosen.curves["val/ndcg_10"] == values[:5]
    assert chosen.costs["epochs"] == 5
    assert same(network, run(settings=TrainingSettings(**{**SETTINGS.__dict__, "epochs": 2}))[0])


def test_validation_is_looked_at_as_often_as_asked_and_at_the_end():
    settings = TrainingSettings(epochs=5, validate_every=2, batch=BATCH)
    _, chosen = run(settings=settings, values=[0.1, 0.2, 0.3])
    known = np.isfinite(chosen.curves["val/ndcg_10"])
    assert known.tolist() == [False, True, False, True, True]
    assert chosen.epochs == 5


def test_a_plan_is_replayed_to_the_same_weights():
    settings = TrainingSettings(epochs=9, batch=BATCH, schedule="plateau", patience=4, learning_rate=0.05)
    first, chosen = run(settings=settings, values=[0.5, 0.4, 0.4, 0.6, 0.5, 0.5, 0.5, 0.5])
    assert chosen.epochs == 4
    assert chosen.factors == [1.0, 1.0, 1.0, 0.5]
    again, replayed = run(settings=settings, schedule=chosen)
    assert same(first, again)
    assert replayed.curves["train/learning_rate"] == chosen.curves["train/learning_rate"][:4]
    assert "val/ndcg_10" not in replayed.curves
    other, _ = run(settings=settings, schedule=RefitSchedule(4, [1.0, 1.0, 1.0, 1.0]))
    assert not same(other, again)


def test_gradients_are_clipped(monkeypatch):
    norms = []
    step = torch.optim.Adam.step

    def noted(self: Any, *args: Any, **kwargs: Any) -> Any:
        gradients = [p.grad for group in self.param_groups for p in group["params"]]
        norms.append(torch.cat([g.flatten() for g in gradients]).norm().item())
        return step(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.Adam, "step", noted)
    run(settings=TrainingSettings(epochs=2, batch=BATCH, clip=0.01))
    assert max(norms) == pytest.approx(0.01, rel=1e-3)
    norms.clear()
    run(settings=TrainingSettings(epochs=2, batch=BATCH, clip=0.0))
    assert min(norms) > 0.01


def test_killed_between_the_two_checkpoints_of_an_epoch_it_still_ends_alike(tmp_path, monkeypatch):
    values = [0.1, 0.2, 0.4, 0.35, 0.3, 0.2]
    undisturbed, chosen = run(values=values)
    save = loop.Trainer._save

    def killed(self: Any, name: str) -> None:
        if name == "last" and self.state["epoch"] == 3:
            raise RuntimeError("killed")
        save(self, name)

    monkeypatch.setattr(loop.Trainer, "_save", killed)
    with pytest.raises(RuntimeError):
        run(**kept_in(tmp_path), values=values)
    monkeypatch.undo()
    assert json.loads((tmp_path / "best.json").read_text())["best_epoch"] == 3
    resumed, again = run(**kept_in(tmp_path, resume=True), values=values[2:])
    assert same(resumed, undisturbed)
    assert (again.epochs, again.curves) == (chosen.epochs, chosen.curves)


def test_a_stop_never_replaces_a_good_checkpoint_by_a_bad_one(tmp_path):
    def interrupt(epoch: int, step: int) -> None:
        if (epoch, step) == (2, 2):
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(UserError, match="not finite in epoch 2, batch 2"):
        run(Batches(poison=(2, 1), on_batch=interrupt), **kept_in(tmp_path), device=Elsewhere("cpu"))
    assert json.loads((tmp_path / "last.json").read_text())["epoch"] == 1


def test_weights_that_have_left_float32_are_told_even_if_no_loss_has(monkeypatch):
    monkeypatch.setattr(loop, "LARGEST", 1e-9)
    with pytest.raises(UserError, match="not finite in epoch 1, batch 5 of 5"):
        run()


def test_a_finished_training_is_not_trained_again(tmp_path):
    values = [0.1, 0.3, 0.2, 0.2, 0.2]
    network, chosen = run(**kept_in(tmp_path), values=values)
    again, resumed = run(**kept_in(tmp_path, resume=True), values=[9.0])
    assert same(network, again)
    assert (resumed.epochs, resumed.curves) == (chosen.epochs, chosen.curves)
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["best-00002-0000000.safetensors", "best.json", "last-00005-0000000.safetensors", "last.json"]


def test_a_training_in_float16_goes_on_with_the_scale_it_had(tmp_path, monkeypatch):
    """As on a GPU, with a scale that doubles after seven good steps."""
    monkeypatch.setattr(loop, "precision_of", lambda *_: "float16")
    scaler = partial(torch.amp.GradScaler, init_scale=4.0, growth_interval=7)
    monkeypatch.setattr(torch.amp, "GradScaler", scaler)

    def killed(values: dict[str, float], epoch: int) -> None:
        if epoch == 3:
            raise RuntimeError("killed")

    undisturbed, chosen = run(**kept_in(tmp_path / "one"))
    with pytest.raises(RuntimeError):
        run(**kept_in(tmp_path / "other", report=killed))
    resumed, again = run(**kept_in(tmp_path / "other", resume=True))
    assert same(resumed, undisturbed)
    assert again.curves == chosen.curves
    kept = [json.loads((tmp_path / name / "last.json").read_text())["scaler"] for name in ("one", "other")]
    assert kept[0] == kept[1]
    assert kept[0]["scale"] == 4.0 * 2 ** (8 * 5 // 7)


def test_without_resume_it_starts_anew(tmp_path):
    run(**kept_in(tmp_path), values=[0.1, 0.3, 0.2, 0.2, 0.2])
    _, chosen = run(**kept_in(tmp_path), values=[0.5, 0.1, 0.1, 0.1])
    assert chosen.curves["val/ndcg_10"] == [0.5, 0.1, 0.1, 0.1]


def test_a_loss_that_is_not_finite_names_the_batch_and_keeps_the_checkpoint(tmp_path):
    with pytest.raises(UserError) as told:
        run(Batches(poison=(3, 1)), **kept_in(tmp_path))
    assert "not finite in epoch 3, batch 2 of 5 (rows from 8); lower the learning rate" in str(told.value)
    assert "the checkpoint of epoch 2 is kept" in str(told.value)
    assert json.loads((tmp_path / "last.json").read_text())["epoch"] == 2
    resumed, _ = run(**kept_in(tmp_path, resume=True))
    assert same(resumed, run()[0])


def test_looks_at_the_losses_may_be_rare(tmp_path, monkeypatch):
    """On a card the host looks every CHECK_EVERY steps and at the end of an epoch; the batch named is the same."""
    looks = []
    finite = torch.isfinite

    def noted(values: torch.Tensor) -> torch.Tensor:
        looks.append(len(values))
        return finite(values)

    monkeypatch.setattr(loop, "CHECK_EVERY", 3)
    monkeypatch.setattr(torch, "isfinite", noted)
    with pytest.raises(UserError, match="batch 2 of 5"):
        run(Batches(poison=(2, 1)), device=Elsewhere("cpu"))
    assert looks[:3] == [3, 5, 3]


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(bytes(content))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_on_a_card_it_learns_and_no_step_waits_for_the_host(precision, monkeypatch):
    step = loop.Trainer._step

    def strict(self: Any, *args: Any) -> None:
        torch.cuda.set_sync_debug_mode("error")
        try:
            step(self, *args)
        finally:
            torch.cuda.set_sync_debug_mode("default")

    monkeypatch.setattr(loop.Trainer, "_step", strict)
    settings = TrainingSettings(epochs=30, batch=BATCH, learning_rate=0.05, precision=precision)
    with seeded(3, "cuda:0"):
        network = Regression().to("cuda:0")
        chosen = Trainer(network, Batches(), settings, device="cuda:0").run()
    assert chosen.curves["train/loss"][-1] < chosen.curves["train/loss"][0] / 2
    assert chosen.costs["peak_gpu_mb"] > 0
