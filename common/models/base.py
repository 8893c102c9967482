"""The contract of every model, and saving without pickle."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, ClassVar, Self, final

import numpy as np
import pandas as pd

from common.models.explanation import Explanation
from common.models.external_ids import NamedHistories, checked_view, item_table, to_query
from common.models.saved_files import ABOUT, check_files, described, read_about, read_npz, seal, take_back, write_npz
from common.models.top_items import tie_places, top_items
from common.splits.histories import Histories, Query
from common.splits.train_view import TrainView
from common.training.context import NO_CONTEXT, FitContext
from common.utils.environment import Seconds
from common.utils.errors import UserError, check_known, unknown_name, whole_number
from common.utils.io import write_json
from common.utils.manifests import read_together
from common.utils.memory import block_bytes, require
from common.utils.settings import NoSettings, check_ranges, kept_values, plain_value
from common.utils.temporary import swapped_in

USERS_AT_ONCE, SCORE_BYTES = 1024, 24
"""Users that `recommend` scores together at most, and memory that a score takes until the best ones are chosen."""


class Recommender(ABC):
    """A model that scores every item of the catalogue for users.

    Life: `Model(factors=64, seed=0)`, then `fit(train)` or `Model.load(folder)`, then `score`, `fold_in`, `similar`,
    or by ids and names `recommend`, `similar_items`. Scores are finite float32, higher is better, comparable only
    within one user; masking what a user already has is not the model's business. `fit` may be called again and starts
    from scratch.
    """

    name: ClassVar[str]
    Settings: ClassVar[type] = NoSettings
    files: ClassVar[tuple[str, ...]] = ("model.json", "model.npz")
    """What `save` writes."""

    needs_times: ClassVar[bool] = False
    """Whether the model cannot be fitted where interactions have no times."""

    reads_shards: ClassVar[bool] = False
    """Whether each of several processes fits the model from the histories of its own users alone (`splits.shards`)."""
    knows_hours: bool = False
    """Whether lists depend on the hour and weekday at which they are asked for (`Query.hours`)."""

    def __init__(self, settings: Any = None, *, seed: int = 0, device: str = "cpu", **changes: Any) -> None:
        """A model to be fitted. `changes` are fields of `Settings`, by which those given or the defaults are changed.

        device: cpu, cuda, cuda:1, ..., or auto, the best that the model runs on here. Raises a UserError for a field
        that the model does not have, a value out of its range, and another device.
        """
        if settings is not None and not isinstance(settings, self.Settings):
            raise UserError(f"settings = {settings!r}: give {self.Settings.__name__}, or its fields by keyword")
        self.settings = self._changed(self.Settings() if settings is None else settings, changes)
        if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", str(device)):
            raise unknown_name("device", device, ["auto", "cpu", "cuda"])
        self.seed, self.device = whole_number("seed", seed, 0), self.best_device() if device == "auto" else device
        self.inference_only = False
        """Whether the model was loaded to serve single lists; see `load`."""
        self.curves: dict[str, list[float]] = {}
        """What `fit` measured in each epoch, first epoch first: `train/loss`, `val/ndcg_10`, ..."""
        self.costs: dict[str, float] = {}
        """What the last `fit` took: `fit_seconds`, `fit_cpu_seconds`, and the model's own figures."""
        self.shared_seconds = Seconds()
        """Seconds of the last `fit` that an earlier model had already spent for both of them."""
        self.catalogue_sha256 = ""
        self.train_view: TrainView | None = None
        """What the model was fitted on, or what `load` was given."""

    @classmethod
    def best_device(cls) -> str:
        """The device that `auto` means for this model."""
        return "cpu"

    def _changed(self, settings: Any, changes: dict[str, Any]) -> Any:
        known = [field.name for field in fields(self.Settings)]
        check_known(f"setting of {self.name}", known, *changes)
        settings = replace(settings, **{name: plain_value(value) for name, value in changes.items()})
        check_ranges(self.name, settings)
        if changes and hasattr(settings, "check"):
            settings.check()
        return settings

    def fit(self, train: TrainView, validation: "Validation | None" = None, context: FitContext = NO_CONTEXT) -> Self:
        """Learn from a train view; returns itself.

        A model that is trained in epochs stops by `validation` and keeps the best epoch; without it, it goes through
        all epochs of its settings.

        Raises a UserError for what is no train view or no validation, and where the data lack what the model needs.
        """
        if validation is not None and not callable(validation):
            raise UserError(f"validation: {validation!r} is no evaluator; give task.valid")
        return self._timed(train, lambda: self._fit(train, validation, context))

    def refit(self, train: TrainView, context: FitContext = NO_CONTEXT) -> Self:
        """`fit` from scratch on more data without validation, by the epochs and rates of the last validated fit."""
        return self._timed(train, lambda: self._refit(train, context))

    def needed_memory(self, train: TrainView) -> tuple[float, str]:
        """Bytes that `fit` and a block of lists take, from sizes known before it, and what makes them fewer.

        0 from a model that takes hardly more than the data themselves.
        """
        return 0.0, ""

    def _timed(self, train: TrainView, learn: Callable[[], None]) -> Self:
        require(self.name, *self.needed_memory(checked_view(train)))
        start, self.catalogue_sha256 = Seconds.now(), train.catalogue_sha256
        self.inference_only, self.train_view = False, train
        self.curves, self.costs, self.shared_seconds = {}, {}, Seconds()
        learn()
        spent = Seconds.now() - start + self.shared_seconds
        self.costs = {"fit_seconds": spent.wall, "fit_cpu_seconds": spent.cpu, **self.costs}
        return self

    @abstractmethod
    def _fit(self, train: TrainView, validation: "Validation | None", context: FitContext) -> None:
        """Learn from a train view: a model's own part of `fit`."""

    def _refit(self, train: TrainView, context: FitContext) -> None:
        self._fit(train, None, context)

    @abstractmethod
    def score(self, users: np.ndarray) -> np.ndarray:
        """Scores of all items for user codes of the fitted data, float32 (len(users), n_items)."""

    @abstractmethod
    def fold_in(self, histories: Histories | Sequence[Sequence[int]]) -> np.ndarray:
        """Scores of all items for users the model never saw, float32 (len(histories), n_items).

        A history may be empty. Plain lists of item codes are taken as histories of weight 1.
        """

    @abstractmethod
    def similar(self, item: int, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The k items most like `item` (at most n_items - 1, never itself): codes int64 and scores, best first."""

    def predict_plays(self, users: np.ndarray, items: np.ndarray) -> np.ndarray | None:
        """log(1 + plays) of pairs of user codes of the fitted data and items, float32 (pairs,); None: predicts none."""
        return None

    def explain(self, history: Histories, item: int, user: int = -1) -> Explanation | None:
        """What the score of an item is made of for one history; None from a model that cannot say.

        `user` is the code of a known user, of whom the model may know more than the history.
        """
        explained = self.explain_list(history, [item], user)
        return None if explained is None else explained[0]

    def explain_list(self, history: Histories, items: Sequence[int], user: int = -1) -> list[Explanation] | None:
        """`explain` for several items of one list."""
        return None

    def recommend(
        self,
        users: Sequence[str] | None = None,
        k: int = 10,
        histories: NamedHistories | None = None,
        exclude_seen: bool = True,
    ) -> pd.DataFrame:
        """The k best items of known users (ids; all of them by default) or of new histories.

        A history is a list of item ids or names, or a mapping from them to plays; it may be empty.
        Columns: user_id (of a history: its number, from 0), rank int32 from 1, item_id, name where items have names,
        score float32; fewer than k rows where the catalogue ends. `exclude_seen` leaves out what is in the history.

        Raises a UserError for an unknown id or name, with the nearest known ones, for plays that are not above 0, for
        one id in place of a list, and for a k below 1.
        """
        train, k = self._view(), whole_number("k", k)
        places, k = tie_places(train.items["item_id"]), min(k, train.n_items)
        ids, query = to_query(train, users, histories)
        seen = query.given if exclude_seen else Histories.from_lists([[]] * len(query), train.n_items)
        step = min(USERS_AT_ONCE, max(1, block_bytes() // (SCORE_BYTES * train.n_items)))
        blocks = np.split(np.arange(len(query)), range(step, len(query), step))
        lists = [top_items(self.scores_of(query.take(rows)), seen.take(rows), places, k) for rows in blocks]
        items, scores = (np.concatenate(part) for part in zip(*lists, strict=True))
        return item_table(train, ids, items, scores)

    def scores_of(self, query: Query) -> np.ndarray:
        """Scores of known users by code and of the others by their history, float32 (len(query), n_items)."""
        known = query.users >= 0
        if known.all():
            return self.score(query.users)
        scores = self.fold_in(query.given)
        if known.any():
            scores[known] = self.score(query.users[known])
        return scores

    def similar_items(self, item: str, k: int = 10) -> pd.DataFrame:
        """The k items most similar to one (id or name): rank int32, item_id, name where items have names, score.

        Raises a UserError for an unknown id or name, with the nearest known ones, and for a k below 1.
        """
        items, similarity = self.similar(self._view().item_code(item), whole_number("k", k))
        return item_table(self._view(), np.array([""]), items[None], similarity[None]).drop(columns="user_id")

    def _view(self) -> TrainView:
        if self.train_view is None:
            raise UserError(f"{self.name} knows no ids yet: call fit, or give the train view to load")
        return self.train_view

    @abstractmethod
    def arrays(self) -> dict[str, np.ndarray]:
        """Everything learned, as named arrays: what `save` writes and `restore` takes back."""

    @abstractmethod
    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take back what `arrays` gave."""

    def nbytes(self) -> int:
        """Bytes of everything learned."""
        return sum(array.nbytes for array in self.arrays().values())

    @final
    def save(self, folder: Path | str) -> None:
        """Write the model into a folder, without pickle: all files at once, `model.json` with the hashes of the others.

        Raises a UserError for a model that is not fitted.
        """
        if not self.catalogue_sha256:
            raise UserError(f"{self.name} is not fitted, so there is nothing to save; call fit first")
        with swapped_in(Path(folder)) as fresh:
            self.write(fresh)
            seal(fresh)

    def write(self, folder: Path) -> None:
        """Write `model.json` (name, settings, seed, catalogue hash) and `model.npz` (arrays) into an empty folder."""
        write_npz(folder / "model.npz", self.arrays())
        write_json(folder / ABOUT, self.description())

    def description(self) -> dict[str, Any]:
        """The content of `model.json`, from which `load` builds the model."""
        about = {"model": self.name, "seed": self.seed, "settings": kept_values(self.settings)}
        return about | {"catalogue_sha256": self.catalogue_sha256}

    @classmethod
    def load(
        cls,
        folder: Path | str,
        train: TrainView | None = None,
        *,
        catalogue_sha256: str | None = None,
        device: str = "cpu",
        inference_only: bool = False,
    ) -> Self:
        """Read a saved model; refuses another model's folder and another catalogue than that of `train` or the hash.

        `train` is needed for ids and names alone (`recommend`, `similar_items`). inference_only: for serving single
        lists soon after the start. Nothing is imported or prepared that one list does not need; scores are the same
        but for rounding, on the CPU. Such a model is not for saving. Raises a UserError for files that are damaged or
        not of one training; while another process saves, it waits for that.
        """
        folder = Path(folder)
        expected = catalogue_sha256 if train is None else checked_view(train).catalogue_sha256

        def read() -> Any:
            about = read_about(folder, cls.name)
            if expected not in (None, about["catalogue_sha256"]):
                raise UserError(f"the model in {folder} was trained on another catalogue; train it again on these data")
            check_files(folder, about, cls.name)
            model = described(cls, folder, about, device)
            model.train_view, model.inference_only = train, inference_only
            take_back(model, folder, about)
            return model

        cls.check_device(device)
        return read_together(folder / ABOUT, read)

    @classmethod  # noqa: B027 - most models run on the CPU alone
    def check_device(cls, device: str) -> None:
        """Raise a UserError for a device that a saved model of this class cannot be put on."""

    def read_more(self, folder: Path) -> None:  # noqa: B027 - most models have nothing more
        """Read what `write` wrote beside the arrays."""

    @classmethod
    def read_arrays(cls, folder: Path, mapped: bool = False) -> dict[str, np.ndarray]:
        """The arrays that `save` wrote; mapped: large ones are read when they are used."""
        return read_npz(folder / "model.npz", mapped)


Validation = Callable[[Recommender], float]
"""What a model knows of validation: how good it is as it stands, higher is better. An `Evaluator` is one: NDCG@10."""


def scoring_memory(n_items: int) -> float:
    """Bytes that `recommend` takes for the scores of one block of users."""
    return min(float(block_bytes()), float(SCORE_BYTES * USERS_AT_ONCE * n_items))


def as_histories(histories: Histories | Sequence[Sequence[int]], n_items: int) -> Histories:
    """Histories from either form that `fold_in` takes; refuses those of another catalogue and senseless weights."""
    if not isinstance(histories, Histories):
        return Histories.from_lists(histories, n_items)
    if histories.n_items != n_items:
        raise ValueError(f"histories over {histories.n_items} items, model over {n_items}")
    if not (np.isfinite(histories.weights) & (histories.weights >= 0)).all():
        raise ValueError("weights of a history must be finite and not negative")
    return histories


def best(scores: np.ndarray, k: int, leave_out: int) -> tuple[np.ndarray, np.ndarray]:
    """The k best items of one row of scores but one, ties by code.

    >>> best(np.array([3.0, 9.0, 5.0, 5.0]), 2, leave_out=1)
    (array([2, 3]), array([5., 5.]))
    """
    order = np.argsort(-scores, kind="stable")
    order = order[order != leave_out][:k]
    return order, scores[order]
