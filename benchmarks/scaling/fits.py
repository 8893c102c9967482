"""One fit of one model on generated users, and one list after the other, in a process that does nothing else."""

import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.scale.child import peak_mb, resident_mb
from common.models.registry import MODELS
from common.utils import memory as limits
from common.utils.environment import use_one_thread

if TYPE_CHECKING:
    from common.models.base import Recommender
    from common.splits.train_view import TrainView

FITS: dict[str, tuple[str, dict[str, Any]]] = {
    "popularity": ("popularity", {}),
    "item_knn": ("item_knn", {}),
    "als": ("als", {"factors": 64, "iterations": 15}),
    "ease": ("ease", {}),
    "sasrec": ("sasrec", {"epochs": 1}),
    "sasrec, 256 negatives": ("sasrec", {"epochs": 1, "loss": "sampled"}),
    "two_tower": ("two_tower", {"epochs": 1}),
}
"""What is fitted: a model, and the settings that are not its defaults."""
WARM_UP_USERS = 50
LIST = 10
"""Items of a list."""


def fit(folder: str, label: str, memory: str, lists: int) -> dict[str, Any]:
    """Fit, and answer for some users one at a time: CPU seconds, memory, bytes of the model, milliseconds of a list.

    What counts begins after libraries are loaded and the data are opened, and the fit ends when everything that the
    model saves is made. `refused`: the bytes that the model says it needs, where it may not take so much.
    """
    from benchmarks.scaling.data import view

    use_one_thread()
    limits.use(memory)
    name, changes = FITS[label]
    _warm_up(name, changes)
    train, model = view(Path(folder)), MODELS[name](**changes)
    needed = model.needed_memory(train)[0]
    if needed > limits.limit():
        return {"refused": needed, "allowed": limits.limit()}
    return measure(model, train, lists)


def measure(model: "Recommender", train: "TrainView", lists: int) -> dict[str, Any]:
    """Fit a model, and time lists of single users."""
    opened, started = resident_mb(), time.process_time()
    model.fit(train)
    size = model.nbytes()
    spent = time.process_time() - started
    peak = peak_mb()
    found = {"fit_cpu_seconds": round(spent, 4), "opened_mb": opened, "peak_mb": peak, "model_bytes": size}
    return found | {"list_ms": list_ms(model, train, lists)}


def list_ms(model: "Recommender", train: "TrainView", lists: int) -> float:
    """Median milliseconds of a processor that the ten best new items of one history take, after a few to warm up."""
    from common.models.top_items import tie_places, top_items

    places, took = tie_places(train.items["item_id"]), []
    for user in np.random.default_rng(0).integers(0, train.n_users, lists + 3):
        history, started = train.histories.take(np.array([user])), time.process_time()
        top_items(model.fold_in(history), history, places, LIST)
        took.append(1000 * (time.process_time() - started))
    return round(statistics.median(took[3:]), 4)


def _warm_up(name: str, changes: dict[str, Any]) -> None:
    """Fit the model on a few users, which loads its libraries."""
    from benchmarks.scaling.data import generate, view

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "few"
        generate(str(place), WARM_UP_USERS)
        few = view(place)
        MODELS[name](**changes).fit(few).fold_in(few.histories.take(np.array([0])))
