"""The device that models are fitted on: decided in one place, with a reason that can be printed."""

from typing import NamedTuple

from common.utils import distributed
from common.utils.errors import UserError


class Device(NamedTuple):
    """A device as torch spells it (`cpu`, `cuda:0`), and why it was chosen."""

    name: str
    reason: str


def choose_device(requested: str, supported: tuple[str, ...] = ("cpu",)) -> Device:
    """The device that `--device` (auto, cpu, cuda) means for models without torch.

    `supported`: the devices that they can be fitted on, the best first. Raises UserError for any other.
    """
    if requested == "auto":
        return Device(supported[0], "the best that the models of this stage run on")
    if requested not in supported:
        kinds = " or ".join(supported)
        raise UserError(f"--device {requested}: the models of this stage run on {kinds}; use --device auto")
    return Device(requested, "by --device")


def choose_torch_device(requested: str) -> Device:
    """The device that `--device` (auto, cpu, cuda) means for networks; each process of torchrun has a GPU of its own.

    Raises UserError where there is no such GPU, or where there are fewer than processes.
    """
    if requested == "cpu":
        return Device("cpu", "by --device")
    import torch

    if torch.cuda.is_available():
        (gpu, processes), gpus = distributed.on_this_machine(), torch.cuda.device_count()
        if processes > gpus:
            raise UserError(f"{processes} processes for {gpus} CUDA devices; start at most {gpus}")
        return Device(f"cuda:{gpu}", torch.cuda.get_device_name(gpu))
    lacking = "is built for the CPU alone" if torch.version.cuda is None else "finds no CUDA device"
    reason = f"torch {torch.__version__} {lacking}"
    if requested == "cuda":
        raise UserError(f"--device cuda: {reason}; use --device cpu or auto")
    return Device("cpu", reason)
