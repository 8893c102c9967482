"""The files of a saved model: `model.json`, written with the others, vouches for them."""

from pathlib import Path
from typing import Any

import numpy as np

from common.utils.errors import UserError, whole_number
from common.utils.io import read_json, write_json
from common.utils.manifests import entries, fault, read_manifest, sealed
from common.utils.settings import build_settings, check_ranges

ABOUT = "model.json"
NO_FILE = "no saved model"


def seal(folder: Path) -> None:
    """Let `model.json` vouch for the files that lie beside it."""
    others = sorted(path.name for path in folder.iterdir() if path.name != ABOUT)
    write_json(folder / ABOUT, sealed(read_json(folder / ABOUT) | {"files": entries(folder, others)}))


def read_about(folder: Path, name: str) -> dict[str, Any]:
    """`model.json` of a model of that name. Raises a UserError where there is none, and for another model's."""
    if not (folder / ABOUT).exists():
        raise UserError(f"{folder} holds {NO_FILE}; run the stage that trains {name} first")
    about = read_json(folder / ABOUT)
    found = about.get("model") if isinstance(about, dict) else None
    if not isinstance(found, str) or not isinstance(about.get("catalogue_sha256"), str):
        raise UserError(f"{folder / ABOUT} is damaged or of another version; train {name} again")
    if found != name:
        raise UserError(f"{folder} holds the model {found!r}, not {name!r}; name the folder of {name}")
    return about


def check_files(folder: Path, about: dict[str, Any], name: str) -> None:
    """Raise a UserError for the first file that is not the one saved with `model.json`; an older one knows of none."""
    if not is_sealed(about):
        return
    for file, entry in read_manifest(folder / ABOUT, f"train {name} again")["files"].items():
        if wrong := fault(folder / file, entry):
            raise UserError(f"{folder / file} {wrong}; train {name} again")


def is_sealed(about: dict[str, Any]) -> bool:
    """Whether `model.json` vouches for the other files; those of earlier versions do not."""
    return "files" in about or "seal" in about


def described(kind: Any, folder: Path, about: dict[str, Any], device: str) -> Any:
    """The unfitted `Recommender` of a class that `model.json` describes."""
    try:
        seed, settings = whole_number("seed", about["seed"], 0), build_settings(kind.Settings, about["settings"])
        check_ranges(kind.name, settings)
    except Exception as error:  # whatever a damaged description leads to
        raise UserError(f"{folder / ABOUT} is damaged or of another version; train {kind.name} again") from error
    model = kind(settings, seed=seed, device=device)
    model.catalogue_sha256 = about["catalogue_sha256"]
    return model


def take_back(model: Any, folder: Path, about: dict[str, Any]) -> None:
    """Read the arrays and all else; a model for which nothing vouches is tried."""
    try:
        model.restore(model.read_arrays(folder))
        model.read_more(folder)
        if not is_sealed(about):
            probe(model)
    except (UserError, MemoryError):
        raise
    except Exception as error:  # whatever damaged arrays lead to
        raise UserError(f"{folder / model.files[1]} is missing or damaged; train {model.name} again") from error


def probe(model: Any) -> None:
    """Let a model score somebody new, a known user and an item: whatever is raised, its arrays do not fit together."""
    scores = model.fold_in([[], [0]])
    n_items = scores.shape[1] if model.train_view is None else model.train_view.n_items
    known, (items, _) = model.score(np.array([0])), model.similar(n_items - 1, 1)
    if scores.shape != (2, n_items) or known.shape != (1, n_items) or (items >= n_items).any():
        raise ValueError(f"scores of {scores.shape[1]} items, the catalogue has {n_items}")
    if not (np.isfinite(scores).all() and np.isfinite(known).all()):
        raise ValueError("scores that are not finite")
