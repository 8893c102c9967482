"""A trained model as files that other runtimes read: ONNX graphs, ids, and a manifest of inputs and outputs."""

import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from common.experiments.run import Run
from common.experiments.stored.phase_manifest import hash_config
from common.models.base import Recommender
from common.models.inference.onnx_export import FORESTS, graphs
from common.models.inference.onnx_graph import OPSET, OPSET_OF_TREES
from common.models.inference.onnx_networks import Exported
from common.models.inference.onnx_runtime import through_onnx
from common.splits.train_view import TrainView
from common.utils.errors import UserError
from common.utils.io import atomic, display, sha256_file, write_json
from common.utils.manifests import entries, read_manifest, sealed
from common.utils.temporary import swapped_in, sweep

MANIFEST = "export.json"
CLOSE = 1e-4
"""How far scores of an export may lie from the model's, where nothing is quantised."""
CHECKED = 64
"""Users whose scores are compared before an export is written."""


def export(run: Run, model: Recommender, train: TrainView, folder: Path, quantised: bool) -> dict[str, Any]:
    """Write a run's model as ONNX into a folder, all files or none; returns the manifest.

    Scores of some users are computed through the files first. Raises a UserError for a model that cannot be exported,
    a folder that holds other files, and scores that differ by more than CLOSE from the model's.
    """
    sweep(folder)
    _check_empty(folder)
    earlier, made = _earlier(folder), graphs(model, quantised)
    with swapped_in(folder) as fresh:
        for name, one in made.items():
            with atomic(fresh / name) as temporary:
                temporary.write_bytes(one.content)
        _write_state(model, train, fresh)
        difference = largest_difference(model, fresh)
        if not quantised and difference > CLOSE:
            raise UserError(f"{model.name}: exported scores differ by {difference:.2g}; write to the maintainers")
        names = sorted(path.name for path in fresh.iterdir())
        content = manifest(run, model, made, quantised) | {"files": entries(fresh, names)}
        write_json(fresh / MANIFEST, sealed(content | {"largest_difference": difference}))
    for name in earlier - {*names, MANIFEST}:
        (folder / name).unlink(missing_ok=True)
    return content | {"largest_difference": difference}


def _earlier(folder: Path) -> set[str]:
    """The files of an earlier export, as its manifest names them."""
    if not (folder / MANIFEST).exists():
        return set()
    files = read_manifest(folder / MANIFEST, "name a new folder with --out")["files"]
    return {name for name in files if Path(name).name == name}


def _check_empty(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise UserError(f"--out {display(folder)} is a file; name a folder")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MANIFEST).exists():
        raise UserError(f"--out {display(folder)} holds other files; name a new folder, or that of an earlier export")


def largest_difference(model: Recommender, folder: Path) -> float:
    """The largest difference between a model's scores and those through its export, over some of its users.

    Of candidates' models that of the candidates' scores: the rest keeps the order of the first stage in both.
    """
    n_users = len(getattr(model, "histories", ()))
    users = np.unique(np.linspace(0, n_users - 1, min(CHECKED, n_users)).astype(int))
    return float(np.abs(through_onnx(model, folder).score(users) - model.score(users)).max(initial=0))


def _write_state(model: Any, train: TrainView, folder: Path) -> None:
    """Ids by code, names of features, and what the towers are given of items and users."""
    write_json(folder / "item_ids.json", train.items["item_id"].tolist())
    if model.name == "two_tower":
        _write_array(folder / "features.npy", model.items)
        _write_array(folder / "attributes.npy", model.attributes)
    if model.name in FORESTS:
        write_json(folder / "feature_names.json", model.feature_builder.names)
    if model.name == "hybrid_listnet":
        write_json(folder / "feature_names.json", model.ranker.feature_names)
    if model.name in ("two_tower", "hybrid_listnet"):
        write_json(folder / "user_ids.json", train.users["user_id"].tolist())


def _write_array(path: Path, array: np.ndarray) -> None:
    with atomic(path) as temporary, temporary.open("wb") as handle:
        np.save(handle, np.ascontiguousarray(array, np.float32), allow_pickle=False)


def manifest(run: Run, model: Recommender, made: dict[str, Exported], quantised: bool) -> dict[str, Any]:
    """What a reader of an export has to know: the run, the graphs' inputs and outputs, and the versions."""
    config = run.config()
    names = ("dataset", "protocol", "split_seed", "model", "preset", "seed", "data_sha256", "split_sha256", "settings")
    of_run = {name: config[name] for name in names} | {"config_sha256": hash_config(config)}
    weights = {
        name: sha256_file(run.model_folder / name) for name in sorted(p.name for p in run.model_folder.iterdir())
    }
    ports = {
        name: {"inputs": [p.described() for p in one.inputs], "outputs": [p.described() for p in one.outputs]}
        for name, one in made.items()
    }
    return {
        "format_of_graphs": "onnx",
        "opset": {"ai.onnx": OPSET, "ai.onnx.ml": OPSET_OF_TREES},
        "quantised": "int8" if quantised else None,
        "graphs": ports,
        "ids": {"item_ids.json": "the id of each item code, in order"},
        "catalogue_sha256": model.catalogue_sha256,
        "run": of_run,
        "weights_sha256": weights,
        "versions": {"python": platform.python_version(), **{n: version(n) for n in ("onnx", "onnxruntime")}},
    }
