"""Where a model is trained: decided once, with a reason that can be printed."""

from dataclasses import dataclass

import torch

from common.utils import distributed as parallel
from common.utils.errors import UserError


def choose_device(wanted: str, able: tuple[str, ...] = ("cpu",)) -> str:
    """The device that `--device` means for a stage whose models run on the devices in `able`, the best first."""
    if wanted == "auto":
        return able[0]
    if wanted not in able:
        raise UserError(f"--device {wanted}: the models of this stage run on {' or '.join(able)}; use --device auto")
    return wanted


@dataclass(frozen=True)
class Device:
    """A device as torch spells it (`cpu`, `cuda:0`), and why it was taken."""

    name: str
    reason: str

    @property
    def kind(self) -> str:
        """cpu or cuda."""
        return self.name.split(":")[0]


def choose(wanted: str) -> Device:
    """The device that `--device` means: auto, cpu, or cuda. Each process of a parallel run takes a card of its own.

    Raises a UserError for a card that is not there.
    """
    if wanted == "cpu":
        return Device("cpu", "asked for")
    if torch.cuda.is_available():
        place, cards = parallel.local_rank(), torch.cuda.device_count()
        if parallel.started_here() > cards:
            raise UserError(f"{parallel.started_here()} processes for {cards} CUDA devices; start at most {cards}")
        return Device(f"cuda:{place}", torch.cuda.get_device_name(place))
    built = "is built for the CPU alone" if torch.version.cuda is None else "finds no CUDA device"
    reason = f"torch {torch.__version__} {built}"
    if wanted == "cuda":
        raise UserError(f"--device cuda: {reason}; use --device cpu or auto")
    return Device("cpu", reason)
