"""A catalogue of artists with awkward names, and tiny models of every family saved where `recommend.py` looks."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from common.data.dataset import Dataset, load_dataset
from common.models.base import Recommender
from common.models.registry import MODELS
from common.splits.train_view import TrainView, load_train_view

NAMES = (
    *("Radiohead", "Björk", "Muse", "Sigur Rós", "Portishead", "Daft Punk", "The Beatles", "AC/DC", "!!!", "椎名林檎"),
    *("فيروز", "שלמה ארצי", "🔥 Fire 🔥", "Coldplay", "Placebo", "The Cure"),
    *("Nirvana", "Nirvana", "Guns N' Roses", "Moby"),
)
TINY: dict[str, dict[str, Any]] = {
    "als": {"factors": 8, "iterations": 3},
    "forest": {"trees": 5},
    "hist_gradient": {"iterations": 5},
    "sasrec": {"epochs": 1, "width": 8, "heads": 2, "layers": 1, "length": 10},
    "two_tower": {"epochs": 1, "width": 8, "hidden": 8, "tags": 4},
    "hybrid_listnet": {"epochs": 1, "width": 8, "hidden": (8,), "tags": 4, "words": 4},
}


def write_own_folder(folder: Path, users: int = 40) -> Path:
    """A data set of one's own: two circles of listeners, each with its half of the artists, tagged alike."""
    rng = np.random.default_rng(0)
    half, rows = len(NAMES) // 2, []
    for user in range(users):
        own = rng.permutation(half)[:7] + (user % 2) * half
        rows += [(f"u{user:02d}", f"a{item:02d}", int(rng.integers(1, 50))) for item in own]
    folder.mkdir(parents=True)
    pd.DataFrame(rows, columns=["user_id", "item_id", "weight"]).to_csv(folder / "interactions.csv", index=False)
    ids = [f"a{item:02d}" for item in range(len(NAMES))]
    pd.DataFrame({"item_id": ids, "name": NAMES, "artist": ids}).to_csv(folder / "items.csv", index=False)
    tags = [(i, tag, 3) for n, i in enumerate(ids) for tag in (("rock", "live") if n < half else ("pop", "night"))]
    pd.DataFrame(tags, columns=["item_id", "tag", "weight"]).to_csv(folder / "item_tags.csv", index=False)
    return folder


def fit_tiny(model: str, train: TrainView) -> Recommender:
    """A tiny model of a family."""
    kind = MODELS[model]
    return kind(kind.Settings(**TINY.get(model, {}))).fit(train)


def save_models(own: Path, data_dir: Path, output_dir: Path, models: tuple[str, ...]) -> tuple[Dataset, TrainView]:
    """Train models on everything but the test part and save them as the stages do."""
    data = load_dataset(str(own), data_dir)
    train = load_train_view(data, "listen", "final")
    for model in models:
        folder = output_dir / data.name / "listen" / model / "tuned" / "seed0" / "model"
        fit_tiny(model, train).save(folder)
    return data, train
