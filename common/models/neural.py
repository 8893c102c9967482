"""What every neural model shares: a network, its training through both phases, and how it is kept on disk."""

import hashlib
import json
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import nn

from common.data.visible import Visible
from common.files import read_json, write_json
from common.models.contract import Trained
from common.training.checkpoint import read_tensors, write_tensors
from common.training.device import autocast, precision_of
from common.training.loop import Course, Lessons, Place, train


class Remembering(nn.Module):
    """A network that keeps what was made with its weights, until they change."""

    def __init__(self) -> None:
        super().__init__()
        self.made: dict[str, Any] = {}
        """What the weights as they are make of all people or items, for whoever scores."""

    def train(self, mode: bool = True) -> Self:
        """As in torch; what was made with the weights is forgotten before they change."""
        if mode:
            self.made = {}
        return super().train(mode)

    def load_state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """As in torch; what was made with the former weights is forgotten."""
        self.made = {}
        return super().load_state_dict(*args, **kwargs)


class Neural(Trained):
    """A model whose `fit` trains a network.

    With a `judge` (in phase `select`) training stops when validation no longer rises, and `plan` remembers the epochs
    and learning rates. The next `fit` without a judge (phase `final`) replays the plan. With neither, `fit` goes
    through all epochs of the settings.
    """

    files: ClassVar[tuple[str, ...]] = ("model.json", "model.safetensors")
    network: nn.Module

    def __init__(self, settings: Any = None, seed: int = 0) -> None:
        super().__init__(settings, seed)
        self.plan: Course | None = None
        """What the last `fit` with a judge chose."""

    @abstractmethod
    def remember(self, visible: Visible) -> None:
        """Keep what scoring needs beside the network."""

    @abstractmethod
    def build(self) -> nn.Module:
        """A new network, with its random start, for what was remembered."""

    @abstractmethod
    def lessons(self, visible: Visible) -> Lessons | None:
        """What the network is trained on; None where the data teach nothing, and the network stays as it was built."""

    def fit(self, visible: Visible) -> Self:
        """Train a new network; see the class."""
        self.remember(visible)
        self.catalogue_sha256 = visible.catalogue_sha256
        with seeded(self.seed, self.device):
            self.network = self.build().to(self.device)
            plan = None if self.judge is not None or not (self.plan and self.plan.epochs) else self.plan
            place, lessons = self._place(visible), self.lessons(visible)
            course = Course(0, [])
            if lessons is not None:
                course = train(self.network, lessons, self.settings, place, self.judge, plan)
        self.curves, self.costs = course.curves, course.costs
        if self.judge is not None:
            self.plan = course
        self.network.eval()
        return self

    def _place(self, visible: Visible) -> Place:
        identity = {
            "model": self.name,
            "data set": visible.dataset,
            "split": f"{visible.protocol} {visible.split_sha256[:16]}",
            "phase": visible.phase,
            "settings": hashlib.sha256(json.dumps(asdict(self.settings), sort_keys=True).encode()).hexdigest()[:16],
            "seed": self.seed,
            "data": self.data_sha256[:16],
            "plan": [] if self.judge is not None or self.plan is None else self.plan.factors,
        }
        return Place(self.device, self.folder, identity, self.resume, f"{self.name} {visible.phase}", self.report)

    @contextmanager
    def running(self) -> Iterator[None]:
        """The network without gradients and dropout, in the precision it is trained in."""
        was = self.network.training
        self.network.eval()
        with torch.inference_mode(), autocast(self.device, precision_of(self.device, self._precision())):
            yield
        self.network.train(was)

    def exactly(self) -> Any:
        """Inside `running`: float32 throughout, so that scores do not tie for want of digits."""
        return torch.autocast(self.device.split(":")[0], enabled=False)

    def _precision(self) -> str:
        return self.settings.precision if self.device.startswith("cuda") else "auto"

    def tensor(self, array: np.ndarray) -> torch.Tensor:
        """An array on the network's device."""
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)

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
        with seeded(self.seed, "cpu"):
            self.network = self.build()
        weights = {n.removeprefix("network/"): a for n, a in arrays.items() if n.startswith("network/")}
        try:
            self.network.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in weights.items()})
        except RuntimeError as error:
            raise ValueError(str(error)) from error
        self.network.to(self.device).eval()

    def save(self, folder: Path) -> None:
        """Write `model.safetensors`, then `model.json` with its hash."""
        arrays = {name: np.atleast_1d(np.ascontiguousarray(array)) for name, array in self.written().items()}
        tensors = {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}
        sha256 = write_tensors(folder / "model.safetensors", tensors)
        about = {"model": self.name, "seed": self.seed, "settings": asdict(self.settings)}
        write_json(folder / "model.json", {**about, "catalogue_sha256": self.catalogue_sha256, "sha256": sha256})

    @classmethod
    def read_arrays(cls, folder: Path) -> dict[str, np.ndarray]:
        """The arrays that `save` wrote."""
        sha256 = str(read_json(folder / "model.json").get("sha256"))
        tensors = read_tensors(folder / "model.safetensors", sha256)
        return {name: tensor.numpy() for name, tensor in tensors.items()}


@contextmanager
def seeded(seed: int, device: str) -> Iterator[None]:
    """torch's random numbers from a seed while the block runs, and from where they were after it."""
    cards = [torch.device(device)] if device.startswith("cuda") else []
    with torch.random.fork_rng(cards):
        torch.manual_seed(seed)
        yield
