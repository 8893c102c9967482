"""What every neural model shares: a network, its training, and how it is kept on disk.

torch is imported where a network is built. A model that was loaded for inference only does without, as importing torch
takes longer than all else: its forward pass is that of `inference/numpy_networks.py`.
"""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from common.models.base import Recommender, Validation, scoring_memory
from common.models.inference.numpy_layers import Weights
from common.models.saved_files import ABOUT, is_sealed
from common.splits.train_view import TrainView
from common.training.context import FitContext, RefitSchedule
from common.utils.arrays import below
from common.utils.device import choose_torch_device
from common.utils.io import atomic, read_checked, read_json, write_json
from common.utils.settings import kept_values

if TYPE_CHECKING:
    from common.training.batches import Batches

WEIGHTS = "model.safetensors"
COPIES, COPIES_BESIDE_CARD = 12, 7
"""Values that a parameter takes at most: weight, gradient and what it is added up from, two moments of Adam, the best
weights, and a checkpoint while it is written; on the host, where a card holds the others, the last two."""
RUNTIME_BYTES = 2e8
"""Memory that torch takes for itself once it trains."""


def training_memory(
    device: str, n_items: int, parameters: float, activations: float, average: float
) -> dict[str, float]:
    """Bytes of memory that training and scoring take, by `state`, `batch` and `scores`; numbers of values in.

    state: of each parameter COPIES, and two more for an average of the weights, if there is one, and its checkpoint;
    batch: what a step keeps for its gradients, on a CPU. Scores follow on it, when the most of both is gone.
    """
    on_card = device.startswith("cuda")
    copies = (COPIES_BESIDE_CARD if on_card else COPIES) + 2 * (average > 0)
    state = 4.0 * copies * parameters
    batch = 0.0 if on_card else 4.0 * activations
    scores = max(0.0, scoring_memory(n_items) - batch - 0.75 * state)
    return {"state": RUNTIME_BYTES + state, "batch": batch, "scores": scores}


class NetworkOwner(ABC):
    """What builds, trains and runs a torch network: a model, or the ranker of one."""

    name: ClassVar[str]
    settings: Any
    seed: int
    device: str
    inference_only: bool
    network: Any
    """A torch module, or its twin in numpy (`inference_only`)."""
    refit_schedule: RefitSchedule | None = None
    """What the last training with validation chose."""

    @classmethod
    def check_device(cls, device: str) -> None:
        """Raise a UserError for CUDA where torch has none."""
        if device.startswith("cuda"):
            choose_torch_device("cuda")

    @classmethod
    def best_device(cls) -> str:
        """A GPU where torch finds one."""
        return choose_torch_device("auto").name

    @abstractmethod
    def build(self) -> Any:
        """A new network, with its random start."""

    @abstractmethod
    def as_numpy(self, weights: Weights) -> Any:
        """What scores as the network does, without torch."""

    @abstractmethod
    def batches(self, train: TrainView) -> "Batches | None":
        """What the network is trained on; None where there is nothing to learn, and the network stays as built."""

    def train_on(
        self,
        train: TrainView,
        validate: Callable[[], float] | None,
        context: FitContext,
        schedule: RefitSchedule | None = None,
    ) -> RefitSchedule:
        """Train a new network, with validation or by a schedule if there is one; returns what came of it."""
        from common.training.trainer import Trainer

        if self.device == "cuda":
            self.device = choose_torch_device("cuda").name
        chosen = RefitSchedule(0, [])
        with seeded(self.seed, self.device):
            self.network = self.build().to(self.device)
            if (batches := self.batches(train)) is not None:
                chosen = Trainer(
                    self.network,
                    batches,
                    self.settings,
                    context=context,
                    validate=validate,
                    schedule=schedule if schedule and schedule.epochs else None,
                    device=self.device,
                    identity=self._identity(train, context, schedule),
                    title=f"{self.name} {train.phase}",
                ).run()
        self.network.eval()
        if validate is not None:
            self.refit_schedule = chosen
        return chosen

    def _identity(self, train: TrainView, context: FitContext, schedule: RefitSchedule | None) -> dict[str, Any]:
        """What a checkpoint must agree with to be resumed."""
        settings = json.dumps(kept_values(self.settings), sort_keys=True)
        return {
            "model": self.name,
            "data set": train.dataset,
            "split": f"{train.protocol} {train.split_sha256[:16]}",
            "phase": train.phase,
            "settings": hashlib.sha256(settings.encode()).hexdigest()[:16],
            "seed": self.seed,
            "data": context.data_sha256[:16],
            "plan": [] if schedule is None else schedule.factors,
        }

    @contextmanager
    def running(self, exact: bool = False) -> Iterator[None]:
        """The network without gradients and dropout, in the precision it is trained in.

        exact: float32 throughout, so that scores do not tie for want of digits.
        """
        if self.inference_only:
            yield
            return
        import torch

        from common.training.precision import autocast, precision_of

        was = self.network.training
        self.network.eval()
        wished = self.settings.precision if self.device.startswith("cuda") else "auto"
        precision = "float32" if exact else precision_of(self.device, wished)
        with torch.inference_mode(), autocast(self.device, precision):
            yield
        self.network.train(was)

    def tensor(self, array: np.ndarray) -> Any:
        """An array on the network's device, in the form that the network takes."""
        if self.inference_only:
            return array
        import torch

        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)

    def array(self, made: Any) -> np.ndarray:
        """What the network made, float32."""
        return made if self.inference_only else made.float().cpu().numpy()

    def weights(self) -> dict[str, np.ndarray]:
        """The network's weights, `network/<name>`."""
        return {f"network/{name}": t.detach().cpu().numpy() for name, t in self.network.state_dict().items()}

    def load_weights(self, arrays: dict[str, np.ndarray]) -> None:
        """Take back what `weights` gave, from arrays with more in them. Raises ValueError for another network's."""
        weights = below(arrays, "network/")
        self.network = self.as_numpy(Weights(weights)) if self.inference_only else self._rebuilt(weights)

    def _rebuilt(self, weights: dict[str, np.ndarray]) -> Any:
        import torch

        with seeded(self.seed, "cpu"):
            network = self.build()
        try:
            network.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in weights.items()})
        except RuntimeError as error:
            raise ValueError(str(error)) from error
        return network.to(self.device).eval()


class Neural(NetworkOwner, Recommender):
    """A model whose `fit` trains a network.

    With validation, training stops when it no longer rises, and `refit_schedule` keeps the epochs and learning rates,
    which `refit` replays. Without it, or where nothing was chosen, training goes through all epochs of the settings.
    """

    files: ClassVar[tuple[str, ...]] = (ABOUT, WEIGHTS)

    @abstractmethod
    def set_state(self, train: TrainView) -> None:
        """Keep what scoring needs beside the network."""

    def _fit(self, train: TrainView, validation: Validation | None, context: FitContext) -> None:
        self.set_state(train)
        self._record(self.train_on(train, None if validation is None else lambda: validation(self), context))

    def _refit(self, train: TrainView, context: FitContext) -> None:
        self.set_state(train)
        self._record(self.train_on(train, None, context, self.refit_schedule))

    def _record(self, chosen: RefitSchedule) -> None:
        self.curves, self.costs = chosen.curves, chosen.costs

    def arrays(self) -> dict[str, np.ndarray]:
        """The network's weights, `network/<name>`; a subclass adds what `set_state` keeps."""
        return self.weights()

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take back what `arrays` gave; a subclass first takes back what `set_state` keeps."""
        self.load_weights(arrays)

    def write(self, folder: Path) -> None:
        """Write `model.safetensors` and `model.json`."""
        write_arrays(folder / WEIGHTS, self.arrays())
        write_json(folder / ABOUT, self.description())

    @classmethod
    def read_arrays(cls, folder: Path, mapped: bool = False) -> dict[str, np.ndarray]:
        """The arrays that `save` wrote."""
        return read_weights(folder)


def write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write arrays as safetensors, from where they lie: one that is mapped is not read into memory first."""
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    with atomic(path) as temporary:
        try:
            save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, temporary)
        except SafetensorError as error:  # of the disk: arrays themselves are never refused
            raise OSError(str(error)) from error


def read_weights(folder: Path) -> dict[str, np.ndarray]:
    """The arrays of `model.safetensors`; ValueError where they are none.

    `model.json` vouches for the file, by its hash or, if it is large, by size and time. One of an earlier version does
    not: it has a hash of the weights alone, and other weights are a ValueError.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    path, about = folder / WEIGHTS, read_json(folder / ABOUT)
    try:
        return load(path.read_bytes() if is_sealed(about) else read_checked(path, str(about.get("sha256"))))
    except SafetensorError as error:
        raise ValueError(str(error)) from error


@contextmanager
def seeded(seed: int, device: str) -> Iterator[None]:
    """torch's random numbers from a seed while the block runs, and from where they were after it."""
    import torch

    cards = [torch.device(device)] if device.startswith("cuda") else []
    with torch.random.fork_rng(cards):
        torch.manual_seed(seed)
        yield
