"""The training loop of every neural model: epochs, validation, early stopping, checkpoints, several processes.

What is trained is a network whose `forward(**batch)` returns the summed loss of a batch, and `Batches` that cut the
training data into batches. The same seed gives the same weights on a CPU, whether the training was interrupted or not:
an epoch's batches depend on the seed and the epoch alone, and the random states are kept with the weights. Of several
processes only the first one's random state is kept: what they drop after a stop in mid-epoch is drawn anew.
"""

import logging
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from tqdm import tqdm

from common.training import checkpoint
from common.training.batches import Batches, Epoch, to_device
from common.training.context import NO_CONTEXT, FitContext, RefitSchedule
from common.training.early_stopping import EarlyStopping
from common.training.interrupts import Interrupts
from common.training.optimiser import WeightAverage, make_optimiser
from common.training.precision import autocast, precision_of
from common.training.schedule import learning_rate, next_factor
from common.training.settings import TrainingSettings
from common.utils import distributed as parallel
from common.utils.arrays import below
from common.utils.errors import DivergedError

log = logging.getLogger(__name__)
CHECK_EVERY = 50
"""Steps between two looks at the losses, which make the host wait for the device."""
LARGEST = 1e18
"""Weights beyond this have diverged: their products are no float32 any more."""


@dataclass
class Trainer:
    """The training of a network in place.

    With `validate` (validation NDCG@10 of the network as it is, or of the average of its weights where the settings
    want one) training stops once that has not risen for `patience` validations, and the best weights are kept. With a
    `schedule` its epochs and learning rates are replayed. With neither it runs all `epochs`. The caller seeds torch.
    `identity` is what a checkpoint must agree with to be resumed: model, settings, data, seed.

    Raises a UserError for a loss that is not finite, naming the batch, and KeyboardInterrupt after Ctrl-C and
    SIGTERM; in all cases the last good checkpoint is there.
    """

    network: nn.Module
    batches: Batches
    settings: TrainingSettings
    context: FitContext = NO_CONTEXT
    validate: Callable[[], float] | None = None
    schedule: RefitSchedule | None = None
    device: str = "cpu"
    identity: dict[str, Any] = field(default_factory=dict)
    title: str = "training"

    def __post_init__(self) -> None:
        """Start anew, at epoch 0."""
        self.precision = precision_of(self.device, self.settings.precision)
        alone = parallel.world() == 1
        self.module = self.network if alone else DistributedDataParallel(self.network, forward_sync_buffers=False)
        self.seed = torch.initial_seed()
        self.last_epoch = self.settings.epochs if self.schedule is None else self.schedule.epochs
        self.interrupts = Interrupts()
        self._begin()

    def _begin(self) -> None:
        self.optimiser = make_optimiser(self.network, self.settings)
        self.average = WeightAverage(self.network, self.settings.average)
        self.scaler = torch.amp.GradScaler(self.device.split(":")[0], enabled=self.precision == "float16")
        self.best: dict[str, torch.Tensor] = {}
        self.losses = torch.zeros(0)
        self.stopping = EarlyStopping(self.settings.patience, self.settings.validate_every)
        self.state: dict[str, Any] = {
            "identity": self.identity,
            "epoch": 0,
            "step": 0,
            "factor": 1.0,
            "factors": [],
            "curves": {},
            **self.stopping.state(),
            "seconds": 0.0,
            "seconds_to_best": 0.0,
            "examples": 0,
            "finished": False,
        }

    def run(self) -> RefitSchedule:
        """Train to the end, from the checkpoint if there is a sound one to resume.

        Raises a UserError for a loss that is not finite, naming the batch, and KeyboardInterrupt after Ctrl-C; in both
        cases the last good checkpoint is there.
        """
        if self.device.startswith("cuda"):
            torch.cuda.reset_peak_memory_stats(self.device)
        folder = self.context.checkpoints
        if self.context.resume and folder is not None and (folder / "last.json").exists():
            self._resume(folder)
        with self.interrupts.watched(), self._bar() as bar:
            while not self.state["finished"]:
                self._epoch(bar)
        if self.validate is not None and self.best:
            self.network.load_state_dict(self.best)
        else:
            self.average.settle()
        self.network.eval()
        return self._chosen()

    # One epoch

    def _epoch(self, bar: Any) -> None:
        state, number = self.state, self.state["epoch"] + 1
        epoch = self.batches.epoch(number)
        if state["step"] == 0:
            self.losses = torch.zeros(epoch.n_batches, device=self.device)
            state["factors"].append(self.schedule.factors[number - 1] if self.schedule else state["factor"])
        if parallel.world() > 1:  # every process drops other values
            torch.manual_seed(hash((self.seed, number, state["step"], parallel.rank())) % 2**63)
        self.network.train()
        start, rate = time.perf_counter(), 0.0
        while state["step"] < epoch.n_batches:
            step = state["step"]
            rate = learning_rate(self.settings, number - 1 + (step + 1) / epoch.n_batches, state["factors"][-1])
            self._step(epoch, step, rate)
            state["step"] += 1
            bar.update(1)
            self._look(epoch, start)
        tokens = sum(epoch.weight(step) for step in range(epoch.n_batches)) or 1  # nothing to learn from is no loss
        loss = float(parallel.total(self.losses.clone()).sum()) / tokens
        state["seconds"] += time.perf_counter() - start
        state["examples"] += epoch.n_examples
        state["epoch"], state["step"] = number, 0
        self._note({"train/loss": loss, "train/learning_rate": rate})
        with self.average.in_place():
            self._validate(number)
        self._save("last")
        self._tell(bar, number)

    def _step(self, epoch: Epoch, step: int, rate: float) -> None:
        batch = to_device(epoch.batch(step, parallel.rank(), parallel.world()), self.device)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad(set_to_none=True)
        with autocast(self.device, self.precision):
            loss = self.module(**batch)
        # Processes average their gradients; each has the sum over its own tokens.
        self.scaler.scale(loss * (parallel.world() / epoch.weight(step))).backward()
        if self.settings.clip:
            self.scaler.unscale_(self.optimiser)
            nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.clip)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self.average.update()
        self.losses[step] = loss.detach()

    def _look(self, epoch: Epoch, start: float) -> None:
        """Stop for a loss that is not finite or for Ctrl-C. Several processes must agree, which they do more rarely."""
        step = self.state["step"]
        last, due = step == epoch.n_batches, step % CHECK_EVERY == 0
        alone = parallel.world() == 1
        stop = self._interrupted() if alone or due or last else False
        if stop or last or due or (alone and self.device == "cpu"):
            train = parallel.total(self.losses[:step].clone())
            if not bool(torch.isfinite(train).all()):
                self._diverged(epoch, int(torch.nonzero(~torch.isfinite(train))[0]))
        if stop or last:
            self._check_weights(epoch, step)
        if stop and not last:  # after the last step the epoch is brought to its end
            self.losses = parallel.total(self.losses)
            self.state["seconds"] += time.perf_counter() - start
            self._save("last")
            raise self.interrupts.error()

    def _interrupted(self) -> bool:
        """Whether any process is to stop; all of them must call this together."""
        if parallel.world() > 1:
            came = torch.tensor(float(self.interrupts.came), device=self.device)
            self.interrupts.came = bool(parallel.total(came) > 0)
        return self.interrupts.came

    def _check_weights(self, epoch: Epoch, step: int) -> None:
        """Check the weights after the last step, of which no loss is known yet."""
        largest = torch.stack([weight.detach().abs().max() for weight in self.network.parameters()])
        if not bool((largest < LARGEST).all()):
            self._diverged(epoch, step - 1)

    def _diverged(self, epoch: Epoch, step: int) -> None:
        folder = self.context.checkpoints
        kept = folder is not None and self.state["epoch"] > 0
        where = f"; the checkpoint of epoch {self.state['epoch']} is kept in {folder}" if kept else ""
        raise DivergedError(
            f"{self.title}: the loss is not finite in epoch {self.state['epoch'] + 1}, batch {step + 1} of "
            f"{epoch.n_batches} ({epoch.describe(step)}); lower the learning rate (now "
            f"{self.settings.learning_rate:g}) or the clipping{where}"
        )

    # Validation and what follows from it

    def _validate(self, number: int) -> None:
        state, stopping = self.state, self.stopping
        if self.validate is not None:
            due = stopping.is_due(number, self.last_epoch)
            value = self._validated(self.validate) if due else float("nan")
            self._note({"val/ndcg_10": value})
            if due and stopping.improves(value, number):
                state["seconds_to_best"] = state["seconds"]
                self.best = {name: tensor.detach().clone() for name, tensor in self.network.state_dict().items()}
                self._save("best")
            elif due:
                state["factor"] = next_factor(self.settings, state["factor"], stopping.since_best)
        over = self.validate is not None and stopping.is_over
        state["finished"] = over or number >= self.last_epoch

    def _validated(self, validate: Callable[[], float]) -> float:
        self.network.eval()
        return parallel.share(validate() if parallel.is_main() else 0.0, self.device)

    def _note(self, values: dict[str, float]) -> None:
        for name, value in values.items():
            self.state["curves"].setdefault(name, []).append(value)

    def _tell(self, bar: Any, number: int) -> None:
        values = {name: curve[number - 1] for name, curve in self.state["curves"].items()}
        shown = {"loss": f"{values['train/loss']:.3f}"}
        if "val/ndcg_10" in values:
            shown |= {"NDCG@10": f"{values['val/ndcg_10']:.4f}", "best": f"{self.stopping.best or 0:.4f}"}
        bar.set_postfix(shown)
        if self.context.report is not None:
            self.context.report(values, number)
        if self._interrupted():
            raise self.interrupts.error()

    def _chosen(self) -> RefitSchedule:
        state = self.state
        epochs = self.stopping.best_epoch if self.validate is not None and self.best else state["epoch"]
        costs = {
            "epochs": float(state["epoch"]),
            "best_epoch": float(epochs),
            "train_seconds": state["seconds"],
            "seconds_to_best": state["seconds_to_best"] or state["seconds"],
            "examples_per_second": state["examples"] / max(1e-9, state["seconds"]),
        }
        if self.device.startswith("cuda"):
            costs["peak_gpu_mb"] = torch.cuda.max_memory_allocated(self.device) / 2**20
        return RefitSchedule(epochs, state["factors"][:epochs], state["curves"], costs)

    # What is on disk

    def _save(self, name: str) -> None:
        if self.context.checkpoints is None or not parallel.is_main():
            return
        tensors = {f"network/{key}": tensor for key, tensor in self.network.state_dict().items()}
        if name == "last":
            tensors |= {"losses": self.losses} | checkpoint.random_states(self.device) | self.average.tensors()
            for number, values in self.optimiser.state_dict()["state"].items():
                tensors |= {f"optimiser/{number}/{key}": tensor for key, tensor in values.items()}
        state = self.state | self.stopping.state() | {"scaler": self.scaler.state_dict()}
        checkpoint.write_checkpoint(self.context.checkpoints, name, state, tensors)

    def _resume(self, folder: Path) -> None:
        """Go on from the checkpoint. One that is damaged, or another training's, is set aside: then from epoch 0."""
        start, states = deepcopy(self.network.state_dict()), checkpoint.random_states(self.device)
        wrong = checkpoint.fault_of(folder, self._take)
        if float(parallel.total(torch.tensor(float(bool(wrong)), device=self.device))):  # whichever process found it
            self.network.load_state_dict(start)
            checkpoint.set_random_states(states, self.device)
            self._begin()
            if parallel.is_main():
                why = wrong or f"{folder / 'last.json'} could not be read by every process"
                aside = checkpoint.set_aside(folder)
                log.warning("%s; training starts at epoch 0, what was there is now in %s", why, aside)
        else:
            log.info("%s goes on after epoch %d and %d steps", self.title, self.state["epoch"], self.state["step"])
        for epoch in range(1, self.state["epoch"] + 1):
            if self.context.report is not None:
                self.context.report({name: curve[epoch - 1] for name, curve in self.state["curves"].items()}, epoch)

    def _take(self, folder: Path) -> None:
        state, tensors = checkpoint.read_checkpoint(folder, "last", self.identity)
        self.state = {key: value for key, value in state.items() if key in self.state}
        for curve in self.state["curves"].values():  # JSON knows no NaN
            curve[:] = [float("nan") if value is None else float(value) for value in curve]
            if len(curve) < self.state["epoch"]:
                raise ValueError(f"a curve of {len(curve)} epochs")
        self.stopping.restore(state)
        self.network.load_state_dict(below(tensors, "network/"))
        self.average.restore(tensors)
        optimiser = self.optimiser.state_dict()
        moments: dict[int, dict[str, torch.Tensor]] = {}
        for key, tensor in below(tensors, "optimiser/").items():
            number, name = key.split("/")
            moments.setdefault(int(number), {})[name] = tensor
        self.optimiser.load_state_dict(optimiser | {"state": moments})
        if state["scaler"]:
            self.scaler.load_state_dict(state["scaler"])
        self.losses = tensors["losses"].to(self.device) * parallel.is_main()
        checkpoint.set_random_states(tensors, self.device)
        if self.validate is not None and state["best_epoch"]:
            of_best, best = checkpoint.read_checkpoint(folder, "best", self.identity)
            self.best = {key: tensor.to(self.device) for key, tensor in below(best, "network/").items()}
            if of_best["best_epoch"] != state["best_epoch"]:  # killed between the two: the next epoch was the best
                self.best = {}
                self.stopping.restore({})

    def _bar(self) -> Any:
        steps = self.batches.epoch(1).n_batches
        done, total = self.state["epoch"] * steps + self.state["step"], self.last_epoch * steps
        hidden = None if parallel.is_main() else True
        return tqdm(total=total, initial=done, desc=self.title, unit="step", delay=2, leave=False, disable=hidden)
