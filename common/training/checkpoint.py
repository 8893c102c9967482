"""Checkpoints: tensors as safetensors, all else as JSON, never half of one.

The JSON names the file of its tensors and that file's hash, and is renamed into place last: a process killed at any
moment leaves the former checkpoint or the new one. One that is damaged, or another training's, is set aside.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from common.utils.errors import UserError
from common.utils.io import read_checked, write_checked, write_json
from common.utils.manifests import is_intact, sealed

ASIDE = "set-aside"
"""Folder, below that of checkpoints, of those that could not be used."""
NAMES = ("last", "best")


def write_checkpoint(folder: Path, name: str, state: dict[str, Any], tensors: dict[str, torch.Tensor]) -> None:
    """Replace the checkpoint `name` of a folder: `<name>.json`, and the file of tensors that it speaks of."""
    file = f"{name}-{state['epoch']:05}-{state['step']:07}.safetensors"
    content = save({key: tensor.detach().cpu().contiguous() for key, tensor in tensors.items()})
    sha256 = write_checked(folder / file, content)
    write_json(folder / f"{name}.json", sealed(state | {"tensors": file, "sha256": sha256}))
    for old in folder.glob(f"{name}-*.safetensors"):
        if old.name != file:
            old.unlink(missing_ok=True)


def read_state(folder: Path, name: str, identity: dict[str, Any]) -> dict[str, Any]:
    """A checkpoint's JSON; UserError for one that is damaged or of another model, data set or setting."""
    path = folder / f"{name}.json"
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is missing or damaged ({error})") from error
    if not isinstance(state, dict) or not isinstance(state.get("identity"), dict) or not is_intact(state):
        raise UserError(f"{path} is not a checkpoint, or damaged")
    found = state["identity"]
    for key in identity:
        if found.get(key) != identity[key]:
            raise UserError(f"{path} belongs to another {key} ({found.get(key)!r}, not {identity[key]!r})")
    return state


def read_checkpoint(
    folder: Path, name: str, identity: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """A checkpoint's state and tensors; UserError for one that is damaged or of another model, data set or setting."""
    state = read_state(folder, name, identity)
    file, sha256 = str(state.get("tensors")), str(state.get("sha256"))
    try:
        return state, load(read_checked(folder / file, sha256))
    except (OSError, ValueError, SafetensorError) as error:
        raise UserError(f"{folder / file} is missing or damaged ({error})") from error


def fault_of(folder: Path, take: Callable[[Path], None]) -> str:
    """What is wrong with the checkpoint of a folder when it is taken; empty where nothing is."""
    try:
        take(folder)
    except UserError as error:
        return str(error)
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # whatever a checkpoint of another form leads to
        return f"{folder / 'last.json'} is damaged ({error})"
    return ""


def set_aside(folder: Path) -> Path:
    """Move the checkpoints of a folder into one below it, in place of those moved before; returns that."""
    aside = folder / ASIDE
    try:
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir()
        for path in [path for name in NAMES for path in folder.glob(f"{name}[.-]*")]:
            path.replace(aside / path.name)
    except OSError as error:
        raise UserError(f"cannot set aside what is in {folder}: {error.strerror}; delete it and start again") from error
    return aside


def random_states(device: str) -> dict[str, torch.Tensor]:
    """Where torch's random numbers are: `random/cpu`, and `random/cuda` on a card."""
    on_card = {"random/cuda": torch.cuda.get_rng_state(device)} if device.startswith("cuda") else {}
    return {"random/cpu": torch.get_rng_state()} | on_card


def set_random_states(states: dict[str, torch.Tensor], device: str) -> None:
    """Go back to where `random_states` was called."""
    torch.set_rng_state(states["random/cpu"])
    if device.startswith("cuda") and "random/cuda" in states:
        torch.cuda.set_rng_state(states["random/cuda"], device)
