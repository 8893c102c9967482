"""Where a network is trained, and in which precision: decided once, with a reason that can be printed."""

from dataclasses import dataclass
from typing import Any

import torch

from common.errors import UserError
from common.training import parallel

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


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


def precision_of(device: str, wanted: str = "auto") -> str:
    """float32, bfloat16 or float16: what matrices are multiplied in; weights are float32 throughout.

    Raises a UserError for half precision on the CPU, where it is slower and its results are never compared.
    """
    if device.startswith("cpu"):
        if wanted in ("auto", "float32"):
            return "float32"
        raise UserError(f"precision {wanted} is for CUDA; on the CPU use float32 or auto")
    if wanted != "auto":
        return wanted
    return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float16"


def autocast(device: str, precision: str) -> Any:
    """The context in which a network runs."""
    return torch.autocast(device.split(":")[0], PRECISIONS[precision], enabled=precision != "float32")
