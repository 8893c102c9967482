"""The contract that every model keeps, and saving that runs no code when it is read."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self, runtime_checkable
from zipfile import BadZipFile

import numpy as np

from common.splits.histories import Histories
from common.splits.train_view import TrainView
from common.utils.environment import Seconds
from common.utils.errors import UserError
from common.utils.io import atomic, read_json, write_json
from common.utils.settings import NoSettings, build_settings

NO_FILE = "no saved model"


@runtime_checkable
class PredictsPlays(Protocol):
    """A model that also predicts how often somebody plays an item."""

    def predict_plays(self, users: np.ndarray, items: np.ndarray) -> np.ndarray | None:
        """log(1 + plays) of pairs of user codes of the fitted data and items, float32 (pairs,).

        None where every interaction weighs the same, so that there is nothing to predict.
        """


class Recommender(ABC):
    """A model that scores every item of the catalogue for users.

    Life: `Model(settings, seed)`, then `fit(visible)` or `load(folder)`, then `score`, `fold_in`, `similar`.
    Scores are finite float32, higher is better, comparable only within one user; masking what a user already has
    is not the model's business. `fit` may be called again and forgets what it learned before.
    """

    name: ClassVar[str]
    Settings: ClassVar[type] = NoSettings
    files: ClassVar[tuple[str, ...]] = ("model.json", "model.npz")
    """What `save` writes."""

    def __init__(self, settings: Any = None, seed: int = 0) -> None:
        self.settings = self.Settings() if settings is None else settings
        self.seed = seed
        self.light = False
        """Whether the model was loaded to be asked for single lists; see `load`."""
        self.device = "cpu"
        """cpu or cuda; the same for every method."""
        self.curves: dict[str, list[float]] = {}
        """What `fit` notes of each epoch, first epoch first: `train/loss`, `val/ndcg_10`, ..."""
        self.catalogue_sha256 = ""
        self.costs: dict[str, float] = {}
        """What the last `fit` took, beside its seconds: numbers that go into `metrics.json`."""
        self.shared_seconds = Seconds()
        """Seconds of the last `fit` that a model before had already spent for both of them."""

    @abstractmethod
    def fit(self, train: TrainView) -> Self:
        """Learn from what a phase shows; returns itself."""

    @abstractmethod
    def score(self, users: np.ndarray) -> np.ndarray:
        """Scores of all items for user codes of the fitted data, float32 (len(users), n_items)."""

    @abstractmethod
    def fold_in(self, histories: Histories | Sequence[Sequence[int]]) -> np.ndarray:
        """Scores of all items for people the model never saw, float32 (len(histories), n_items).

        A history may be empty. Plain lists of item codes are taken as histories of weight 1.
        """

    @abstractmethod
    def similar(self, item: int, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The k items most like `item` (at most n_items - 1, never itself): codes int64 and scores, best first."""

    @abstractmethod
    def arrays(self) -> dict[str, np.ndarray]:
        """Everything learned, as named arrays: what `save` writes and `restore` takes back."""

    @abstractmethod
    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take back what `arrays` gave."""

    def nbytes(self) -> int:
        """Bytes of everything learned."""
        return sum(array.nbytes for array in self.arrays().values())

    def save(self, folder: Path) -> None:
        """Write `model.json` (name, settings, seed, catalogue hash) and `model.npz` (arrays, no pickle)."""
        with atomic(folder / "model.npz") as temporary, temporary.open("wb") as handle:
            np.savez(handle, allow_pickle=False, **self.arrays())
        about = {"model": self.name, "seed": self.seed, "settings": asdict(self.settings)}
        write_json(folder / "model.json", {**about, "catalogue_sha256": self.catalogue_sha256})

    @classmethod
    def load(cls, folder: Path, catalogue_sha256: str | None = None, light: bool = False) -> Self:
        """Read a saved model; refuses another model's folder and, where a hash is given, another catalogue's.

        light: for who asks for one list after the other and wants the first one soon. Nothing is imported or prepared
        that one list does not need; scores are the same but for rounding, on the CPU. Such a model is not for saving.
        """
        if not (folder / "model.json").exists():
            raise UserError(f"{folder} holds {NO_FILE}; run the stage that trains {cls.name} first")
        about = read_json(folder / "model.json")
        try:
            name, catalogue = about["model"], about["catalogue_sha256"]
            model = cls(build_settings(cls.Settings, about["settings"]), about["seed"]) if name == cls.name else None
        except (TypeError, KeyError) as error:
            damaged = f"{folder / 'model.json'} is damaged or of another version"
            raise UserError(f"{damaged}; train {cls.name} again") from error
        if model is None:
            raise UserError(f"{folder} holds the model {name!r}, not {cls.name!r}; name the folder of {cls.name}")
        if catalogue_sha256 not in (None, catalogue):
            raise UserError(f"the model in {folder} was trained on another catalogue; train it again on this data set")
        model.catalogue_sha256, model.light = catalogue, light
        try:
            model.restore(cls.read_arrays(folder))
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
            raise UserError(f"{folder / cls.files[1]} is missing or damaged; train {cls.name} again") from error
        return model

    @classmethod
    def read_arrays(cls, folder: Path) -> dict[str, np.ndarray]:
        """The arrays that `save` wrote."""
        with (folder / "model.npz").open("rb") as handle, np.load(handle, allow_pickle=False) as saved:
            return dict(saved)


class Trained(Recommender):
    """A model that is trained in epochs, and for that wants to know how it does on validation.

    Whoever runs the phases sets these before `fit`.
    """

    judge: Callable[[], float] | None = None
    """Validation NDCG@10 of the model as it is, by which `fit` stops and chooses the epoch; None where none is to be
    looked at: then `fit` replays what it chose before."""
    folder: Path | None = None
    """Folder of checkpoints; without one, none are written."""
    resume: bool = False
    """Whether `fit` goes on from the checkpoint in `folder`."""
    report: Callable[[dict[str, float], int], None] | None = None
    """Called with the values of each epoch."""
    data_sha256: str = ""
    """Hash of the data set: what a checkpoint must agree with."""


def as_histories(histories: Histories | Sequence[Sequence[int]], n_items: int) -> Histories:
    """Histories from either form that `fold_in` takes; refuses those of another catalogue and senseless weights."""
    if not isinstance(histories, Histories):
        return Histories.from_lists(histories, n_items)
    if histories.n_items != n_items:
        raise ValueError(f"histories over {histories.n_items} items, model over {n_items}")
    if not (np.isfinite(histories.weights) & (histories.weights >= 0)).all():
        raise ValueError("weights of a history must be finite and not negative")
    return histories


def pack_parts(parts: Mapping[str, Recommender]) -> dict[str, np.ndarray]:
    """The arrays of several models as those of one, `<part>/<array>`."""
    return {f"{name}/{key}": array for name, part in parts.items() for key, array in part.arrays().items()}


def restore_parts(parts: Mapping[str, Recommender], arrays: dict[str, np.ndarray]) -> None:
    """Give several models back what `pack_parts` took."""
    for name, part in parts.items():
        prefix = f"{name}/"
        part.restore({key[len(prefix) :]: array for key, array in arrays.items() if key.startswith(prefix)})


def similar_by_parts(
    parts: Iterable[tuple[Recommender, float]], item: int, k: int, n_items: int
) -> tuple[np.ndarray, np.ndarray]:
    """The k items most like one by several models: each one's likeness in units of its largest, times its weight."""
    total = np.zeros(n_items)
    for part, weight in parts:
        items, similarity = part.similar(item, n_items)
        total[items] += weight * similarity / max(similarity.max(initial=0), 1e-12)
    return best(total, k, leave_out=item)


def best(scores: np.ndarray, k: int, leave_out: int) -> tuple[np.ndarray, np.ndarray]:
    """The k best items of one row of scores but one, ties by code.

    >>> best(np.array([3.0, 9.0, 5.0, 5.0]), 2, leave_out=1)
    (array([2, 3]), array([5., 5.]))
    """
    order = np.argsort(-scores, kind="stable")
    order = order[order != leave_out][:k]
    return order, scores[order]
