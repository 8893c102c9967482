"""The files of a saved model: `model.json`, written with the others, vouches for them."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from common.utils.errors import UserError, whole_number
from common.utils.io import atomic, read_json, write_json
from common.utils.manifests import entries, fault, read_manifest, sealed
from common.utils.settings import build_settings, check_ranges

ABOUT = "model.json"
NO_FILE = "no saved model"
ALIGNED, LOCAL_HEADER, OF_ZIP64, PADDING = 64, 30, 20, 4
"""Bytes: of which the place of an array in a file is a multiple, and of the parts of a zip archive before it."""
LEAST_MAPPED = 2**16
"""Bytes from which an array is mapped."""


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
        model.restore(model.read_arrays(folder, mapped=model.inference_only and is_sealed(about)))
        model.read_more(folder)
        if not is_sealed(about):
            probe(model)
    except (UserError, MemoryError):
        raise
    except Exception as error:  # whatever damaged arrays lead to
        raise UserError(f"{folder / model.files[1]} is missing or damaged; train {model.name} again") from error


def write_npz(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays as `np.savez` does, each at a place in the file from where memory can be mapped."""
    with atomic(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy")
            start = archive.start_dir + LOCAL_HEADER + OF_ZIP64 + len(member.filename.encode()) + PADDING
            padding = -start % ALIGNED
            member.extra = b"\x35\xd9" + padding.to_bytes(2, "little") + bytes(padding)  # the kind that zipalign uses
            with archive.open(member, "w", force_zip64=True) as handle:
                np.lib.format.write_array(handle, np.asanyarray(array), allow_pickle=False)


def read_npz(path: Path, mapped: bool = False) -> dict[str, np.ndarray]:
    """The arrays of a .npz file. mapped: large ones are read from disk when they are used, and their checksums are not
    looked at; what is written to them changes nothing on disk."""
    with path.open("rb") as handle, np.load(handle, allow_pickle=False) as saved:
        if not mapped:
            return dict(saved)
        return {name: _mapped(path, saved.zip.getinfo(f"{name}.npy"), saved) for name in saved.files}


def _mapped(path: Path, member: zipfile.ZipInfo, saved: Any) -> np.ndarray:
    """An array of a .npz file as it lies there; read whole where it is small, or not at a place for mapping."""
    name = member.filename.removesuffix(".npy")
    with path.open("rb") as handle:
        handle.seek(member.header_offset + LOCAL_HEADER - 4)
        lengths = np.frombuffer(handle.read(4), "<u2")
        handle.seek(int(lengths.sum()), 1)
        if member.file_size < LEAST_MAPPED or np.lib.format.read_magic(handle) != (1, 0):
            return saved[name]
        shape, in_columns, kind = np.lib.format.read_array_header_1_0(handle)
        if handle.tell() % ALIGNED:
            return saved[name]
        return np.asarray(np.memmap(path, kind, "c", handle.tell(), shape, "F" if in_columns else "C"))


def probe(model: Any) -> None:
    """Let a model score somebody new, a known user and an item: whatever is raised, its arrays do not fit together."""
    scores = model.fold_in([[], [0]])
    n_items = scores.shape[1] if model.train_view is None else model.train_view.n_items
    known, (items, _) = model.score(np.array([0])), model.similar(n_items - 1, 1)
    if scores.shape != (2, n_items) or known.shape != (1, n_items) or (items >= n_items).any():
        raise ValueError(f"scores of {scores.shape[1]} items, the catalogue has {n_items}")
    if not (np.isfinite(scores).all() and np.isfinite(known).all()):
        raise ValueError("scores that are not finite")
