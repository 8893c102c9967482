"""What every neural model shares: a network, its training through both phases, and how it is kept on disk.

torch is imported where a network is built. A model that was loaded to be asked for single lists (`light`) does without,
as importing torch takes longer than all else: its weights are walked by `numpy_networks.py`.
"""

import hashlib
import json
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from common.models.base import Trained
from common.models.inference.numpy_layers import Weights
from common.splits.train_view import TrainView
from common.utils.io import read_checked, read_json, write_checked, write_json

if TYPE_CHECKING:
    from common.training.batches import Lessons
    from common.training.context import Place, RefitSchedule

WEIGHTS = "model.safetensors"


class Neural(Trained):
    """A model whose `fit` trains a network.

    With a `judge` (in phase `select`) training stops when validation no longer rises, and `plan` remembers the epochs
    and learning rates. The next `fit` without a judge (phase `final`) replays the plan. With neither, `fit` goes
    through all epochs of the settings.
    """

    files: ClassVar[tuple[str, ...]] = ("model.json", WEIGHTS)
    network: Any
    """A torch module, or its twin in numpy (`light`)."""

    def __init__(self, settings: Any = None, seed: int = 0) -> None:
        super().__init__(settings, seed)
        self.plan: RefitSchedule | None = None
        """What the last `fit` with a judge chose."""

    @abstractmethod
    def remember(self, train: TrainView) -> None:
        """Keep what scoring needs beside the network."""

    @abstractmethod
    def build(self) -> Any:
        """A new network, with its random start, for what was remembered."""

    @abstractmethod
    def in_numpy(self, weights: Weights) -> Any:
        """What scores as the network does, without torch."""

    @abstractmethod
    def lessons(self, train: TrainView) -> "Lessons | None":
        """What the network is trained on; None where the data teach nothing, and the network stays as it was built."""

    def fit(self, train: TrainView) -> Self:
        """Train a new network; see the class."""
        from common.training.context import RefitSchedule
        from common.training.trainer import train_network

        self.light = False
        self.remember(train)
        self.catalogue_sha256 = train.catalogue_sha256
        with seeded(self.seed, self.device):
            self.network = self.build().to(self.device)
            plan = None if self.judge is not None or not (self.plan and self.plan.epochs) else self.plan
            place, lessons = self._place(train), self.lessons(train)
            course = RefitSchedule(0, [])
            if lessons is not None:
                course = train_network(self.network, lessons, self.settings, place, self.judge, plan)
        self.curves, self.costs = course.curves, course.costs
        if self.judge is not None:
            self.plan = course
        self.network.eval()
        return self

    def _place(self, train: TrainView) -> "Place":
        from common.training.context import Place

        identity = {
            "model": self.name,
            "data set": train.dataset,
            "split": f"{train.protocol} {train.split_sha256[:16]}",
            "phase": train.phase,
            "settings": hashlib.sha256(json.dumps(asdict(self.settings), sort_keys=True).encode()).hexdigest()[:16],
            "seed": self.seed,
            "data": self.data_sha256[:16],
            "plan": [] if self.judge is not None or self.plan is None else self.plan.factors,
        }
        return Place(self.device, self.folder, identity, self.resume, f"{self.name} {train.phase}", self.report)

    @contextmanager
    def running(self) -> Iterator[None]:
        """The network without gradients and dropout, in the precision it is trained in."""
        if self.light:
            yield
            return
        import torch

        from common.training.precision import autocast, precision_of

        was = self.network.training
        self.network.eval()
        with torch.inference_mode(), autocast(self.device, precision_of(self.device, self._precision())):
            yield
        self.network.train(was)

    def exactly(self) -> Any:
        """Inside `running`: float32 throughout, so that scores do not tie for want of digits."""
        if self.light:
            return nullcontext()
        import torch

        return torch.autocast(self.device.split(":")[0], enabled=False)

    def _precision(self) -> str:
        return self.settings.precision if self.device.startswith("cuda") else "auto"

    def tensor(self, array: np.ndarray) -> Any:
        """An array on the network's device, in the form that the network takes."""
        if self.light:
            return array
        import torch

        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)

    def array(self, made: Any) -> np.ndarray:
        """What the network made, float32."""
        return made if self.light else made.float().cpu().numpy()

    def arrays(self) -> dict[str, np.ndarray]:
        """The network's weights, `network/<name>`, and what was remembered."""
        weights = {f"network/{name}": t.detach().cpu().numpy() for name, t in self.network.state_dict().items()}
        return weights | self.remembered()

    @abstractmethod
    def remembered(self) -> dict[str, np.ndarray]:
        """What `remember` keeps, as arrays."""

    @abstractmethod
    def recall(self, arrays: dict[str, np.ndarray]) -> None:
        """Take back what `remembered` gave."""

    def written(self) -> dict[str, np.ndarray]:
        """What goes into `model.safetensors`."""
        return self.arrays()

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take back what `arrays` gave."""
        self.recall(arrays)
        weights = {n.removeprefix("network/"): a for n, a in arrays.items() if n.startswith("network/")}
        self.network = self.in_numpy(Weights(weights)) if self.light else self._rebuilt(weights)

    def _rebuilt(self, weights: dict[str, np.ndarray]) -> Any:
        import torch

        with seeded(self.seed, "cpu"):
            network = self.build()
        try:
            network.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in weights.items()})
        except RuntimeError as error:
            raise ValueError(str(error)) from error
        return network.to(self.device).eval()

    def save(self, folder: Path) -> None:
        """Write `model.safetensors`, then `model.json` with its hash."""
        from safetensors.numpy import save

        content = save({name: np.atleast_1d(np.ascontiguousarray(array)) for name, array in self.written().items()})
        sha256 = write_checked(folder / WEIGHTS, content)
        about = {"model": self.name, "seed": self.seed, "settings": asdict(self.settings)}
        write_json(folder / "model.json", {**about, "catalogue_sha256": self.catalogue_sha256, "sha256": sha256})

    @classmethod
    def read_arrays(cls, folder: Path) -> dict[str, np.ndarray]:
        """The arrays that `save` wrote."""
        from safetensors import SafetensorError
        from safetensors.numpy import load

        try:
            return load(read_checked(folder / WEIGHTS, str(read_json(folder / "model.json").get("sha256"))))
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
