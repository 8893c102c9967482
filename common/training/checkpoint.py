"""Checkpoints: tensors as safetensors, all else as JSON, never half of one.

The JSON names the file of its tensors and that file's hash, and is renamed into place last: a process killed at any
moment leaves the former checkpoint or the new one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from common.utils.errors import UserError
from common.utils.io import read_checked, read_json, write_checked, write_json
from common.utils.manifests import is_intact, sealed

MEND = "leave out --resume to train from the start, or delete the folder"


def write_checkpoint(folder: Path, name: str, state: dict[str, Any], tensors: dict[str, torch.Tensor]) -> None:
    """Replace the checkpoint `name` of a folder: `<name>.json`, and the file of tensors that it speaks of."""
    file = f"{name}-{state['epoch']:05}-{state['step']:07}.safetensors"
    content = save({key: tensor.detach().cpu().contiguous() for key, tensor in tensors.items()})
    sha256 = write_checked(folder / file, content)
    write_json(folder / f"{name}.json", sealed(state | {"tensors": file, "sha256": sha256}))
    for old in folder.glob(f"{name}-*.safetensors"):
        if old.name != file:
            old.unlink(missing_ok=True)


def read_checkpoint(
    folder: Path, name: str, identity: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """A checkpoint's state and tensors; UserError for one that is damaged or of another model, data set or setting."""
    path = folder / f"{name}.json"
    state = read_json(path)
    if not isinstance(state, dict) or not isinstance(state.get("identity"), dict) or not is_intact(state):
        raise UserError(f"{path} is not a checkpoint, or damaged; {MEND}")
    found, file, sha256 = state["identity"], state.get("tensors"), str(state.get("sha256"))
    for key in identity:
        if found.get(key) != identity[key]:
            raise UserError(f"{path} belongs to another {key} ({found.get(key)!r}, not {identity[key]!r}); {MEND}")
    try:
        return state, load(read_checked(folder / str(file), sha256))
    except (OSError, ValueError, SafetensorError) as error:
        raise UserError(f"{folder / str(file)} is missing or damaged ({error}); {MEND}") from error


@contextmanager
def in_words(folder: Path) -> Iterator[None]:
    """Tell in a sentence whatever a checkpoint of another form leads to."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{folder / 'last.json'} is damaged ({error}); {MEND}") from error
