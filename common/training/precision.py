"""In which precision a network is trained: float32, bfloat16 or float16."""

from typing import Any

import torch

from common.utils.errors import UserError


def precision_of(device: str, precision: str = "auto") -> str:
    """float32, bfloat16 or float16: what matrices are multiplied in; weights are float32 throughout.

    Raises a UserError for half precision on the CPU, where it is slower and its results are never compared.
    """
    if device.startswith("cpu"):
        if precision in ("auto", "float32"):
            return "float32"
        raise UserError(f"precision {precision} is for CUDA; on the CPU use float32 or auto")
    if precision != "auto":
        return precision
    return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float16"


def autocast(device: str, precision: str) -> Any:
    """The context in which a network runs."""
    return torch.autocast(device.split(":")[0], getattr(torch, precision), enabled=precision != "float32")
