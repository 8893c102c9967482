"""Several processes that train one network, started by `torchrun --nproc-per-node N 4_sasrec.py ...`.

Every process runs the same script. All of them fit; the first one (rank 0) alone validates, writes and logs.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

PATIENCE = timedelta(hours=2)
"""How long the others wait while the first process prepares data or scores."""


def rank() -> int:
    """Place of this process, 0 where there is one alone."""
    return int(os.environ.get("RANK", "0"))


def world() -> int:
    """Number of processes, 1 unless torchrun has started more."""
    if started() == 1:
        return 1
    from torch import distributed

    return distributed.get_world_size() if distributed.is_initialized() else 1


def started() -> int:
    """Number of processes that torchrun has started, 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def on_this_machine() -> tuple[int, int]:
    """Place of this process among those that torchrun has started on this machine, and their number."""
    return int(os.environ.get("LOCAL_RANK", "0")), int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def is_main() -> bool:
    """Whether this process validates, writes and logs."""
    return rank() == 0


@contextmanager
def group(device: str) -> Iterator[None]:
    """Join the other processes while the block runs: NCCL between cards, gloo between CPUs. Does nothing alone."""
    if started() == 1:
        yield
        return
    import torch
    import torch.distributed.nn.functional
    from torch import distributed

    # That module has the group of its import for a default. Imported by DDP inside the group, it would keep the group
    # and its threads beyond `destroy_process_group`, and a thread that outlives Python now and then aborts the process.
    if not is_main():
        logging.getLogger().setLevel(logging.ERROR)
    if device.startswith("cuda"):
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo", timeout=PATIENCE)
    try:
        yield
    finally:
        distributed.destroy_process_group()


@contextmanager
def main_first() -> Iterator[None]:
    """Let rank 0 run the block before the others do, so that they find what it has written."""
    if world() == 1:
        yield
        return
    from torch import distributed

    if not is_main():
        distributed.barrier()
    yield
    if is_main():
        distributed.barrier()


def share(value: float, device: str) -> float:
    """The value that rank 0 has."""
    if world() == 1:
        return value
    import torch
    from torch import distributed

    box = torch.tensor([value], dtype=torch.float64, device=device)
    distributed.broadcast(box, 0)
    return float(box)


def total(values: "torch.Tensor") -> "torch.Tensor":
    """The sum over all processes, in place."""
    if world() > 1:
        from torch import distributed

        distributed.all_reduce(values)
    return values
