"""Several processes that train one network, started by `torchrun --nproc-per-node N 4_sasrec.py ...`.

Every process runs the same script. All of them fit; the first one (rank 0) alone validates, writes and logs. What they
tell one another are numbers and arrays; every process has to call a function that does so, in the same order.
"""

import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

PATIENCE = timedelta(hours=2)
"""How long the others wait while the first process prepares data or scores."""
SENT_AT_ONCE = 2**28
"""Bytes of an array that are sent together."""


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


def restarts() -> int:
    """How often torchrun has started these processes again, after one of them had died."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))


def may_restart() -> bool:
    """Whether torchrun starts these processes again when one dies (`--max-restarts`)."""
    return started() > 1 and int(os.environ.get("TORCHELASTIC_MAX_RESTARTS", "0")) > restarts()


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
    from torch.distributed.rendezvous import rendezvous

    # That module has the group of its import for a default. Imported by DDP inside the group, it would keep the group
    # and its threads beyond `destroy_process_group`, and a thread that outlives Python now and then aborts the process.
    if not is_main():
        logging.getLogger().setLevel(logging.ERROR)
    if device.startswith("cuda"):
        torch.cuda.set_device(device)
    kind, store = "nccl" if device.startswith("cuda") else "gloo", next(rendezvous("env://", timeout=PATIENCE))[0]
    # After a restart torchrun's store still has the addresses of the processes that are gone.
    store = distributed.PrefixStore(f"restart-{restarts()}", store)
    distributed.init_process_group(kind, store=store, rank=rank(), world_size=started(), timeout=PATIENCE)
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


def summed(values: np.ndarray) -> np.ndarray:
    """The sum of an array over all processes."""
    if world() == 1:
        return values
    import torch

    return total(torch.from_numpy(values.copy()).to(_device())).cpu().numpy()


def gathered(values: np.ndarray) -> np.ndarray:
    """The values (n,) of all processes, one after the other; n may differ from process to process."""
    if world() == 1:
        return values
    import torch
    from torch import distributed

    mine = np.zeros(world(), np.int64)
    mine[rank()] = len(values)
    lengths = summed(mine)
    padded = np.zeros(lengths.max(), values.dtype)
    padded[: len(values)] = values
    box = torch.from_numpy(padded).to(_device())
    boxes = [torch.empty_like(box) for _ in lengths]
    distributed.all_gather(boxes, box)
    return np.concatenate([of.cpu().numpy()[:n] for of, n in zip(boxes, lengths, strict=True)])


def of_main(make: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The named arrays that rank 0 makes, in every process."""
    if world() == 1:
        return make()
    from torch import distributed

    named = make() if is_main() else {}
    return {
        name: _passed(named.get(name), dtype, shape, partial(distributed.broadcast, src=0))
        for name, dtype, shape in _forms(named)
    }


def part_of_main(named: dict[str, np.ndarray], cuts: np.ndarray) -> dict[str, np.ndarray]:
    """Rows `cuts[rank]` to before `cuts[rank + 1]` of named arrays that rank 0 has; the others give {}."""
    if world() == 1:
        return named
    from torch import distributed

    found = {name: array[int(cuts[0]) : int(cuts[1])] for name, array in named.items()}
    for other in range(1, world()):
        first, end = (int(cut) for cut in cuts[other : other + 2])
        theirs = {name: array[first:end] for name, array in named.items()}
        for name, dtype, shape in _forms(theirs):
            if is_main():
                _passed(theirs[name], dtype, shape, partial(distributed.send, dst=other))
            elif rank() == other:
                found[name] = _passed(None, dtype, shape, partial(distributed.recv, src=0))
    return found


def _forms(named: dict[str, np.ndarray]) -> list[tuple[str, str, list[int]]]:
    """Name, type and shape of rank 0's arrays, in every process."""
    import torch
    from torch import distributed

    text = json.dumps([(name, array.dtype.str, array.shape) for name, array in named.items()]).encode()
    size = int(share(float(len(text)), _device()))
    box = torch.from_numpy(np.frombuffer(text if is_main() else bytes(size), np.uint8).copy()).to(_device())
    distributed.broadcast(box, 0)
    return [(name, dtype, shape) for name, dtype, shape in json.loads(box.cpu().numpy().tobytes())]


def _passed(array: np.ndarray | None, dtype: str, shape: list[int], pass_on: Callable[[Any], Any]) -> np.ndarray:
    """An array after its bytes went through `pass_on`, which sends or fills a tensor of some of them."""
    import torch

    if array is None:
        array = np.empty(shape, dtype)
        content = array.reshape(-1).view(np.uint8)
    else:
        content = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    for start in range(0, len(content), SENT_AT_ONCE):
        part = content[start : start + SENT_AT_ONCE]
        box = torch.from_numpy(part if part.flags.writeable else part.copy()).to(_device())
        pass_on(box)
        if box.device.type != "cpu" and part.flags.writeable:
            part[:] = box.cpu().numpy()
    return array


def _device() -> str:
    """Where tensors have to be for what the processes tell one another."""
    from torch import distributed

    return "cuda" if distributed.get_backend() == "nccl" else "cpu"
