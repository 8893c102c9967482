"""Encore from Python: load data, fit a model, recommend with names and reasons, measure.

music = load("lastfm-2k").fit("ensemble")
music.recommend(music.users[0])
music.recommend_for(["Radiohead", "Muse"])
music.evaluate()["ndcg_10"]
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from common.data.dataset import Dataset, load_dataset
from common.data.synthetic.generator import SyntheticSettings
from common.evaluation.task import Task
from common.experiments.presets import preset_values
from common.features.work_versions import groups_of, one_per_group
from common.models import ALS, Ensemble, Forest
from common.models.base import Recommender
from common.models.explanation import Explanation
from common.models.registry import MODELS
from common.models.top_items import tie_places, top_items
from common.splits.histories import Histories
from common.splits.train_view import TrainView, load_train_view
from common.utils.errors import UserError, unknown_name
from common.utils.io import ROOT
from common.utils.settings import check_ranges

REASONS = 3
"""Items of the history that stand in a recommendation's reasons."""


def load(
    dataset: str = "auto",
    protocol: str = "listen",
    phase: str = "select",
    data_dir: Path = ROOT / "data",
    synthetic: SyntheticSettings | None = None,
) -> "Music":
    """A data set and what a phase of a protocol shows of it; prepared first where that has not been done.

    `select` leaves the validation part to be found by `evaluate`; `final` shows it, and `evaluate` opens test.
    """
    data = load_dataset(dataset, data_dir, synthetic)
    return Music(data, load_train_view(data, protocol, phase))


class Music:
    """A data set and, once `fit` or `open` was called, a model that answers in names."""

    def __init__(self, data: Dataset, train: TrainView) -> None:
        self.data, self.train = data, train
        self.users: list[str] = train.users["user_id"].tolist()
        self.names = train.names
        self.fitted: Recommender | None = None

    def fit(self, model: str = "ensemble", preset: str = "tuned", seed: int = 0, **changes: Any) -> Self:
        """Fit a model with the settings of a preset, some of them changed; returns itself.

        A network stops training when validation no longer rises; to see validation as well (`final`), it is then
        trained again for as many epochs.
        """
        kind = _model(model)
        settings = preset_values(preset, self.data.presets, self.train.protocol, model, kind.Settings)
        fields = {field.name for field in dataclasses.fields(settings)}
        for name in changes.keys() - fields:
            raise unknown_name(f"setting of {model}", name, sorted(fields))
        settings = dataclasses.replace(settings, **changes)
        check_ranges(model, settings)
        self.fitted = kind(settings, seed=seed)
        select, in_epochs = self.train.phase == "select", "epochs" in fields
        if in_epochs:  # a network chooses its epochs on validation
            task = Task(self.data, self.train.protocol)
            self.fitted.fit(task.train, task.valid)
        if not (select and in_epochs):
            self.fitted.refit(self.train)
        return self

    def open(self, model: str, folder: Path) -> Self:
        """Take a model that a stage has saved (`.../seed0/model`); refused if its catalogue is another one."""
        self.fitted = _model(model).load(folder, self.train)
        return self

    @property
    def model(self) -> Recommender:
        """The model; refused before there is one."""
        if self.fitted is None:
            raise UserError("there is no model yet; call fit() or open() first")
        return self.fitted

    def recommend(self, user_id: str, k: int = 10) -> pd.DataFrame:
        """The k best items that a known user does not have yet; see `recommend_for` for the columns."""
        code = np.array([self.train.user_code(user_id)])
        return self._table(self.model.score(code), self.train.histories.take(code), k, int(code[0]))

    def recommend_for(self, liked: Sequence[str] | Mapping[str, float], k: int = 10) -> pd.DataFrame:
        """The k best items for somebody new, who likes some items (ids or names), perhaps with plays; none is fine.

        Columns: item_id, name, score; of models that can explain themselves also a column per part, which add up to
        the score, and `because`: the liked items that speak most for it, with what each adds (of a forest, the
        features that move it most). Of several versions of one track the best alone is listed. Fewer than k rows where
        the catalogue ends.
        """
        history = self.history(liked)
        return self._table(self.model.fold_in(history), history, k)

    def history(self, liked: Sequence[str] | Mapping[str, float]) -> Histories:
        """One history from ids or names, and plays if they are given."""
        plays = liked if isinstance(liked, Mapping) else dict.fromkeys(liked, 1.0)
        if not all(np.isfinite(value) and value > 0 for value in plays.values()):
            raise UserError("plays of liked items must be finite numbers above 0")
        history = Histories.from_lists([[self.train.item_code(item) for item in plays]], self.train.n_items)
        return dataclasses.replace(history, weights=np.array(list(plays.values()), np.float32))

    def code(self, item: str) -> int:
        """The code of an item by its id, else by its name in any case; of several of one name the most popular."""
        return self.train.item_code(item)

    def similar(self, item: str, k: int = 10) -> pd.DataFrame:
        """The k items most like one of them (id or name), one version of each track: item_id, name, likeness."""
        code, groups = self.train.item_code(item), groups_of(self.train.items)
        items, similarity = self.model.similar(code, self.train.n_items)
        kept = one_per_group(items, groups, taken=[groups[code]])
        return self._named(items[kept][: _count(k)], similarity=similarity[kept][: _count(k)])

    def explain(self, history: Histories, item: int, user: int = -1) -> Explanation | None:
        """What a score is made of; None if the model cannot say. `user` is the code of a known user."""
        return self.model.explain(history, item, user) if isinstance(self.model, ALS | Ensemble | Forest) else None

    def evaluate(self) -> dict[str, float]:
        """All metrics on what the phase hides: validation, unless `load` was asked for `final`."""
        task = Task(self.data, self.train.protocol)
        return (task.valid if self.train.phase == "select" else task.test).evaluate(self.model).metrics

    def _table(self, scores: np.ndarray, history: Histories, k: int, user: int = -1) -> pd.DataFrame:
        k = _count(k)
        items, values = top_items(scores, history, tie_places(self.train.items["item_id"]), self.train.n_items)
        items, values = items[0][items[0] >= 0], values[0][items[0] >= 0]
        kept = one_per_group(items, groups_of(self.train.items))
        table = self._named(items[kept][:k], score=values[kept][:k])
        explained = [why for item in items[kept][:k] if (why := self.explain(history, int(item), user))]
        if not explained:
            return table
        if isinstance(self.model, Forest):  # dozens of parts: the strongest are named, none has a column of its own
            return table.assign(because=[_moved(why) for why in explained])
        parts = pd.DataFrame([why.parts for why in explained])
        return pd.concat([table, parts, pd.Series([self._because(why) for why in explained], name="because")], axis=1)

    def _named(self, items: np.ndarray, **columns: np.ndarray) -> pd.DataFrame:
        ids = self.train.items["item_id"].to_numpy(object)
        return pd.DataFrame({"item_id": ids[items], "name": self.names.to_numpy(object)[items], **columns})

    def _because(self, why: Explanation) -> str:
        return ", ".join(f"{self.names[item]} {value:+.3f}" for item, value in why.strongest(REASONS) if value > 0)


def _moved(why: Explanation) -> str:
    return ", ".join(f"{part} {by:+.3f}" for part, by in why.strongest_parts(REASONS))


def _model(name: str) -> type[Recommender]:
    if name not in MODELS:
        raise unknown_name("model", name, MODELS)
    return MODELS[name]


def _count(k: int) -> int:
    if k < 1:
        raise UserError(f"k is {k}; ask for at least 1 item")
    return k
