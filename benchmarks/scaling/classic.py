"""The small benchmark that many projects print: 10,000 users x 5,000 songs, three models, four metrics."""

from pathlib import Path
from typing import Any

from benchmarks.scaling.fits import measure
from common.models.registry import MODELS
from common.utils.environment import use_one_thread

MODELS_SHOWN = ("popularity", "als", "tag_knn", "content_knn", "ensemble")
METRICS = ("precision_5", "precision_10", "ndcg_10", "coverage_10")
PROTOCOL = "listen"


def prepare(folder: str, users: int, songs: int) -> dict[str, Any]:
    """Generate the data set and draw its split; its counts."""
    task = _task(folder, users, songs)
    return {
        "users": task.train_valid.n_users,
        "items": task.train_valid.n_items,
        "tested": len(task.test.holdout.users),
    }


def evaluate(folder: str, users: int, songs: int, model: str, lists: int) -> dict[str, Any]:
    """Fit a model on train and validation together, measure it on test: costs and metrics.

    Settings are those of the preset `tuned` for data without a file of their own, so nothing was chosen on these data.
    """
    from common.experiments.presets import preset_values

    use_one_thread()
    task, kind = _task(folder, users, songs), MODELS[model]
    fitted = kind(preset_values("tuned", "synthetic", PROTOCOL, model, kind.Settings))
    costs = measure(fitted, task.train_valid, lists)
    found = task.test.evaluate(fitted)
    return costs | {"metrics": {name: found.metrics[name] for name in METRICS}}


def _task(folder: str, users: int, songs: int) -> Any:
    from common.data.dataset import load_dataset
    from common.data.synthetic.settings import SyntheticSettings
    from common.evaluation.task import split

    return split(load_dataset("synthetic", Path(folder), SyntheticSettings(users, songs)), PROTOCOL)
