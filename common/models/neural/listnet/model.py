"""HybridListNet: candidates of cheap sources, put in order by a network over everything that is known of a pair.

Candidates, their features and the cross-fitted training data are those of every two-stage model (`two_stage/`); what
puts them in order is `ranker.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from common.features.preprocessing.preprocessor import MusicPreprocessor
from common.models.base import Validation
from common.models.neural.base import WEIGHTS, Neural, read_weights, training_memory, write_arrays
from common.models.neural.listnet.inputs import MOST_ROWS
from common.models.neural.listnet.ranker import ListNetRanker
from common.models.saved_files import read_npz, write_npz
from common.models.two_stage.base import TwoStageRecommender
from common.models.two_stage.candidates import CandidateSettings
from common.models.two_stage.training_data import COLUMNS, rows_at_most
from common.splits.cross_fitting import FOLDS
from common.splits.train_view import TrainView
from common.training.context import FitContext, RefitSchedule
from common.training.settings import TrainingSettings
from common.utils import distributed as parallel
from common.utils.errors import UserError, short
from common.utils.io import write_json
from common.utils.settings import NOT_SEARCHED, Range, SearchRange

SIDE_BYTES = 1000
"""Memory that a row of the preprocessor's frame takes, in which items and users meet interactions."""
SOURCES = "sources.npz"
MOST_LAYERS = 64
WITHOUT = ("audio", "tags", "ids", "people")


@dataclass(frozen=True)
class HybridListNetSettings(TrainingSettings, CandidateSettings):
    """The defaults are the textbook's."""

    epochs: Annotated[int, SearchRange(2, 40, least=1, most=10_000, search=False)] = 20
    """Epochs at most; where validation is at hand, it stops earlier."""
    batch: Annotated[int, SearchRange(16, 256, log=True, least=1, most=65_536)] = 128
    """Lists of a step, over all processes together."""
    learning_rate: Annotated[float, SearchRange(3e-4, 2e-2, log=True, least=1e-7, most=10.0)] = 0.01
    """Step size after the warm-up."""
    inputs: Annotated[Literal["content+scores", "content"], NOT_SEARCHED] = "content+scores"
    """content: what is known of user and item; content+scores: also the scores of the cross-fitted sources."""
    task: Annotated[Literal["both", "rank", "plays"], NOT_SEARCHED] = "both"
    """What is learned: order and plays together, or one of them; order by predicted plays where only they are."""
    plays_weight: Annotated[float, SearchRange(0.01, 10.0, log=True, least=0.0, most=1e6)] = 1.0
    """What the squared error of log plays weighs beside a list's cross-entropy."""
    negatives: Annotated[int, SearchRange(1, 100, log=True, least=1, most=10_000, search=False)] = 8
    """Negative candidates per positive one in training."""
    width: Annotated[int, SearchRange(8, 64, log=True, least=1, most=4096)] = 32
    """Length of each embedding and of each block of an item's or a user's features."""
    hidden: Annotated[tuple[int, ...], Range(1, 16_384), NOT_SEARCHED] = (128, 128, 128)
    """Units of the residual layers."""
    residual: Annotated[bool, NOT_SEARCHED] = True
    """Whether layers have a shortcut."""
    dropout: Annotated[float, SearchRange(0.0, 0.6, least=0.0, most=0.95)] = 0.2
    """Share of the units that is dropped in every layer."""
    side_dropout: Annotated[float, SearchRange(0.0, 0.8, least=0.0, most=0.95)] = 0.0
    """Share of what is known of an item or a user alone that is dropped."""
    id_dropout: Annotated[float, SearchRange(0.0, 0.9, least=0.0, most=1.0)] = 0.1
    """Share of the ids that is dropped, so that the network learns from content alone."""
    temperature: Annotated[float, SearchRange(0.3, 3.0, log=True, least=1e-2, most=1e6)] = 1.0
    """What scores are divided by before the softmax over a list."""
    target_temperature: Annotated[float, SearchRange(0.0, 1.0, least=0.0, most=1e6)] = 0.0
    """Temperature of the target distribution; 0: the same for all positive candidates, 0 for the others."""
    ils_weight: Annotated[float, SearchRange(0.0, 10.0, least=0.0, most=1e6, search=False)] = 0.0
    """Weight of the expected intra-list similarity beside a list's cross-entropy."""
    ils_temperature: Annotated[float, SearchRange(0.3, 3.0, log=True, least=1e-2, most=1e6, search=False)] = 1.0
    """How much flatter than the predicted distribution is the one whose similarity is priced."""
    outliers: Annotated[Literal["robust", "cap", "none"], NOT_SEARCHED] = "robust"
    """How the preprocessor treats outliers of numeric columns."""
    tags: Annotated[int, SearchRange(0, 256, least=0, most=4096, search=False)] = 64
    """Dimensions to which tags are reduced; 0 leaves them out."""
    words: Annotated[int, SearchRange(0, 128, least=0, most=4096, search=False)] = 32
    """Dimensions to which each text (artists' names, genres, guests) is reduced; 0 leaves texts out."""
    without: Annotated[tuple[str, ...], NOT_SEARCHED] = ()
    """What is left out: any of audio, tags, ids (those of items and users), people (ids of users alone)."""

    def __post_init__(self) -> None:
        """Lists, as files have them, become tuples, and so does a value alone."""
        for name in ("hidden", "without", "sources"):
            value = getattr(self, name)
            object.__setattr__(self, name, tuple(value) if isinstance(value, list | tuple) else (value,))

    def check(self) -> None:
        """Raise a UserError for settings that make no sense."""
        if not self.hidden or min(self.hidden) < 1 or len(self.hidden) > MOST_LAYERS:
            layers = f"one or more layers, at most {MOST_LAYERS}, of 1 unit or more"
            raise UserError(f"--hybrid-listnet.hidden {short(self.hidden)}: give {layers}")
        if unknown := set(self.without) - set(WITHOUT):
            raise UserError(f"--hybrid-listnet.without {', '.join(sorted(unknown))}: choose among {', '.join(WITHOUT)}")


class HybridListNet(TwoStageRecommender):
    """A two-stage recommender whose ranker is a network; it trains, validates and resumes as any `Neural` does.

    Of several processes the first one fits the sources and makes the lists, and all of them train the network.
    """

    name = "hybrid_listnet"
    Settings = HybridListNetSettings
    reads_shards = True
    files: ClassVar[tuple[str, ...]] = (*Neural.files, SOURCES, "preprocessor.json")
    ranker: ListNetRanker

    def __init__(self, settings: Any = None, **how: Any) -> None:
        super().__init__(settings, **how)
        self.ranker = ListNetRanker(self.settings, self.seed, self.device)

    @classmethod
    def best_device(cls) -> str:
        """A GPU where torch finds one."""
        return Neural.best_device()

    def memory_parts(self, train: TrainView) -> dict[str, float]:
        """Those of two stages, the features of items and users, and the network's parameters and batches."""
        s, n = self.settings, max(train.n_users, train.n_items)
        pairs = rows_at_most(train, s.negatives, s.top) * s.batch / (FOLDS * train.n_users)
        parameters = float(s.width * (train.n_items + train.n_users) + 8 * s.width * sum(s.hidden[:1]))
        activations = pairs * (4 * COLUMNS + 12 * s.width + 8 * sum(s.hidden))
        of_network = training_memory(self.device, train.n_items, parameters, activations, s.average)
        rows = len(train.histories.items)
        sides = SIDE_BYTES * ((rows if train.stored is None else min(rows, MOST_ROWS)) + 2.0 * n)
        return super().memory_parts(train) | {
            "lower --hybrid-listnet.width": of_network["state"] + sides,
            "lower --hybrid-listnet.batch or --hybrid-listnet.hidden": of_network["batch"],
        }

    def _fit(self, train: TrainView, validation: Validation | None, context: FitContext) -> None:
        self._train(train, context, None if validation is None else lambda: validation(self))

    def _refit(self, train: TrainView, context: FitContext) -> None:
        self._train(train, context, None, self.ranker.refit_schedule)

    def _train(
        self,
        train: TrainView,
        context: FitContext,
        validate: Callable[[], float] | None,
        schedule: RefitSchedule | None = None,
    ) -> None:
        self.settings.check()
        try:
            if parallel.is_main():
                fitted = self.cross_fit(train, context)
                self.kept = fitted.candidates  # of the users that validation scores after each epoch
                self.ranker.set_state(fitted.data)
            if parallel.world() > 1:
                self.ranker.share_state()
            chosen = self.ranker.train_on(train, validate, context, schedule)
        finally:
            if context.shared is None:
                self.kept = None
        self.curves, self.costs = chosen.curves, chosen.costs

    # What is kept

    def state(self) -> dict[str, np.ndarray]:
        """Everything but the network's weights."""
        return super().arrays() | self.ranker.state()

    def arrays(self) -> dict[str, np.ndarray]:
        """The network's weights, `network/<name>`, and the state beside it."""
        return self.ranker.weights() | self.state()

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take back what `arrays` gave."""
        super().restore(arrays)
        self.ranker.inference_only = self.inference_only
        self.ranker.load_state(arrays)
        self.ranker.load_weights(arrays)

    def write(self, folder: Path) -> None:
        """Write the state, then the preprocessor, then the network and `model.json`."""
        write_npz(folder / SOURCES, self.state())
        self.ranker.preprocessor.save_preprocessors(folder)
        write_arrays(folder / WEIGHTS, self.ranker.weights())
        write_json(folder / "model.json", self.description())

    def read_more(self, folder: Path) -> None:
        """Read the preprocessor, unless the model is for inference only, which does without."""
        if not self.inference_only:
            self.ranker.preprocessor = MusicPreprocessor.load_preprocessors(folder)

    @classmethod
    def read_arrays(cls, folder: Path, mapped: bool = False) -> dict[str, np.ndarray]:
        """The arrays that `save` wrote; mapped: large ones are read when they are used."""
        return read_weights(folder) | read_npz(folder / SOURCES, mapped)
