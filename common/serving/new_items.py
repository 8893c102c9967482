"""Items that nobody has heard, placed by the saved models of a service: features in, place in the catalogue out."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

from common.data.dataset import load_dataset
from common.data.synthetic.settings import SyntheticSettings
from common.experiments.stored.run_files import PARTS, RunFiles
from common.models.base import Recommender
from common.models.new_items import Placement, new_item, placing_model
from common.serving.model_store import ModelStore
from common.splits.train_view import TrainView, load_train_view
from common.utils.errors import check_known

FEATURES = ("name", "tags", "genres", "audio", "release_year")
"""What may be told of a new item."""


class ModelService(Protocol):
    """What is needed of a service: its protocol, where its models lie, and the models themselves."""

    protocol: str
    model_store: ModelStore

    def model(self, name: str) -> Recommender:
        """A model by its name."""


class NewItemService:
    """Places new items by the models of a service; the data set is given as to `open_service`.

    The prepared tables are read when a model is first asked, which takes seconds; later answers take milliseconds.
    May be called from several threads.

        new_items = NewItemService(service, "lastfm-2k", data_dir, SyntheticSettings())
        new_items.place("two_tower", {"tags": ["shoegaze"]}, k=5, likes=["Slowdive"])
        {"model": "two_tower",
         "similar": [{"rank": 1, "item_id": "13054", "name": "Lotus Plaza", "score": 0.845}, ...],
         "listener": {"score": 2.65, "rank": 229, "of": 17632}}
    """

    def __init__(self, service: ModelService, dataset: str, data_dir: Path, synthetic: SyntheticSettings) -> None:
        self.service, self.where = service, (dataset, data_dir, synthetic)
        self._views: dict[str, TrainView] = {}
        self._lock = Lock()

    def place(
        self,
        model: str,
        features: Mapping[str, Any],
        k: int = 10,
        likes: Sequence[str] | Mapping[str, float] | None = None,
    ) -> dict[str, Any]:
        """The k items of the catalogue most like a new one and, where likes are given, its place in that list.

        model: a name, as for `recommend`. features: any of FEATURES, as `common.new_item` takes them, so that tags
        may be a list or a mapping to how many people gave each. likes: ids or names of items, maybe with plays.
        Returns what JSON can hold: model, similar (rank, item_id, [name], score), listener (score, its rank among the
        `of` items that are new to this listener, itself included; None without likes).

        Raises a UserError, in one sentence, for a model that is not trained or does not go by content, an unknown
        feature, tag, genre or liked item, numbers that are not finite or of the wrong count, and for no features.
        """
        check_known("feature of a new item", FEATURES, *map(str, features))
        histories = None if likes is None else [likes]
        with self._lock:
            chosen = self._model(model)
            placement = new_item(chosen, **features, histories=histories, k=k)
        return answer(model, placement)

    def _model(self, name: str) -> Any:
        """The service's own model, with the train view that it was fitted on."""
        chosen: Any = self.service.model(name)
        placing_model(chosen)
        if chosen.train_view is None:
            chosen.train_view = self._view(RunFiles(self.service.model_store.folder(name).parent))
        return chosen

    def _view(self, run: RunFiles) -> TrainView:
        phase = next(phase for phase, part in PARTS.items() if part == run.newest)
        if phase not in self._views:
            self._views[phase] = load_train_view(load_dataset(*self.where), self.service.protocol, phase)
        return self._views[phase]


def answer(model: str, placement: Placement) -> dict[str, Any]:
    """A placement for at most one listener as JSON can hold it."""
    listener = None
    if len(placement.users):
        row = placement.users.iloc[0]
        listener = {"score": float(row["score"]), "rank": int(row["rank"]), "of": int(row["of"])}
    similar = placement.similar.astype({"score": float, "rank": int}).to_dict("records")
    return {"model": model, "similar": similar, "listener": listener}
