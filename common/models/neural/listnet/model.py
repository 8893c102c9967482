"""A deep hybrid over candidates: everything that is known of a pair, learned listwise (Cao et al. 2007), and its plays.

Candidates, their features and the cross-fitted lessons are those of the two-stage models (`candidates.py`); the network
stands in `hybrid_network.py`, what it is told besides in `hybrid_inputs.py`, the loss in `listwise.py`.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import numpy as np

from common.features.preprocessing.preprocessor import MusicPreprocessor
from common.models.base import Validation
from common.models.inference.numpy_layers import Weights
from common.models.inference.numpy_networks import NumpyHybrid
from common.models.neural.base import Neural
from common.models.neural.listnet.batches import ListBatches
from common.models.neural.listnet.inputs import Inputs, Side, make_inputs
from common.models.two_stage.base import Candidates, TwoStageRecommender
from common.models.two_stage.candidates import CandidateSettings
from common.splits.histories import Query
from common.splits.train_view import TrainView
from common.training.context import FitContext
from common.training.settings import TrainingSettings
from common.utils.errors import UserError
from common.utils.io import atomic
from common.utils.settings import NOT_SEARCHED, SearchRange

if TYPE_CHECKING:
    from common.models.neural.listnet.network import HybridNetwork

AT_ONCE = 2**15
"""Pairs that go through the network together."""
KEPT_BYTES = 2**30
"""Memory that the candidates of the judged people may take, so that they are made once for all validations."""
DAMPING = 5.0
"""Listeners of average intensity that are added to every item, so that one listener's plays do not decide."""
SOURCES = "sources.npz"
OF_SCORES = ("interaction_strength", "listening_last")
"""Features outside the group `sources` that come from a source's likeness of items all the same."""
OF_CONTENT = {
    "audio": ("audio_", "content_knn_"),
    "tags": ("tag_", "user_tag_", "tag_knn_"),
}
"""How features begin that an ablation leaves out."""
WITHOUT = ("audio", "tags", "ids", "people")


@dataclass(frozen=True)
class HybridListNetSettings(TrainingSettings, CandidateSettings):
    """The defaults are the textbook's."""

    epochs: Annotated[int, SearchRange(2, 40, least=1, search=False)] = 20
    """Epochs at most; where validation is at hand, it stops earlier."""
    batch: Annotated[int, SearchRange(16, 256, log=True, least=1)] = 128
    """Lists of a step, over all processes together."""
    learning_rate: Annotated[float, SearchRange(3e-4, 2e-2, log=True, least=1e-7)] = 0.01
    """Step size after the warm-up."""
    inputs: Annotated[Literal["content+scores", "content"], NOT_SEARCHED] = "content+scores"
    """content: what is known of person and item; content+scores: and what the cross-fitted sources say of the pair."""
    task: Annotated[Literal["both", "rank", "plays"], NOT_SEARCHED] = "both"
    """What is learned: order and plays together, or one of them; order by predicted plays where only they are."""
    plays_weight: Annotated[float, SearchRange(0.01, 10.0, log=True, least=0.0)] = 1.0
    """What the squared error of log plays weighs beside a list's cross-entropy."""
    negatives: Annotated[int, SearchRange(1, 100, log=True, least=1, search=False)] = 8
    """Candidates that are not wanted, per wanted one, in training."""
    width: Annotated[int, SearchRange(8, 64, log=True, least=1)] = 32
    """Length of each embedding and of each block of an item's or a person's features."""
    hidden: Annotated[tuple[int, ...], NOT_SEARCHED] = (128, 128, 128)
    """Units of the residual layers."""
    residual: Annotated[bool, NOT_SEARCHED] = True
    """Whether layers have a shortcut."""
    dropout: Annotated[float, SearchRange(0.0, 0.6, least=0.0, most=0.95)] = 0.2
    """Share of the units that is dropped in every layer."""
    side_dropout: Annotated[float, SearchRange(0.0, 0.8, least=0.0, most=0.95)] = 0.0
    """Share of what is known of an item or a person alone that is dropped."""
    id_dropout: Annotated[float, SearchRange(0.0, 0.9, least=0.0, most=1.0)] = 0.1
    """Share of the ids that is dropped, so that content learns to speak alone."""
    temperature: Annotated[float, SearchRange(0.3, 3.0, log=True, least=1e-2)] = 1.0
    """What scores are divided by before the softmax over a list."""
    target_temperature: Annotated[float, SearchRange(0.0, 1.0, least=0.0)] = 0.0
    """Temperature of the wanted distribution; 0: all wanted candidates alike, the others nothing."""
    ils_weight: Annotated[float, SearchRange(0.0, 10.0, least=0.0, search=False)] = 0.0
    """What the expected intra-list similarity weighs beside a list's cross-entropy."""
    ils_temperature: Annotated[float, SearchRange(0.3, 3.0, log=True, least=1e-2, search=False)] = 1.0
    """How much flatter than the predicted distribution is the one whose similarity is priced."""
    outliers: Annotated[Literal["robust", "cap", "none"], NOT_SEARCHED] = "robust"
    """How the preprocessor treats outliers of numeric columns."""
    tags: Annotated[int, SearchRange(0, 256, least=0, search=False)] = 64
    """Dimensions to which tags are reduced; 0 leaves them out."""
    words: Annotated[int, SearchRange(0, 128, least=0, search=False)] = 32
    """Dimensions to which each text (artists' names, genres, guests) is reduced; 0 leaves texts out."""
    without: Annotated[tuple[str, ...], NOT_SEARCHED] = ()
    """What is left out: any of audio, tags, ids (those of items and people), people (ids of people alone)."""

    def __post_init__(self) -> None:
        """Lists, as files have them, become tuples, and so does a value alone."""
        for name in ("hidden", "without"):
            value = getattr(self, name)
            object.__setattr__(self, name, tuple(value) if isinstance(value, list | tuple) else (value,))

    def check(self) -> None:
        """Raise a UserError for settings that make no sense."""
        if not self.hidden or min(self.hidden) < 1:
            raise UserError(f"--hybrid-listnet.hidden {self.hidden}: give one or more layers of 1 unit or more")
        if unknown := set(self.without) - set(WITHOUT):
            raise UserError(f"--hybrid-listnet.without {', '.join(sorted(unknown))}: choose among {', '.join(WITHOUT)}")


class HybridListNet(TwoStageRecommender, Neural):
    """The model of the module's head."""

    name = "hybrid_listnet"
    Settings = HybridListNetSettings
    files: ClassVar[tuple[str, ...]] = (*Neural.files, SOURCES, "preprocessor.json")

    kept: dict[bytes, Candidates] | None = None
    """Candidates of the users that validation scores, while `fit` runs."""

    def _fit(self, train: TrainView, validation: Validation | None, context: FitContext) -> None:
        self.kept = {}
        try:
            Neural._fit(self, train, validation, context)
        finally:
            self.kept = None

    def set_state(self, train: TrainView) -> None:
        """Fit the sources and gather all that the network is told."""
        s = self.settings
        s.check()
        learned = self.cross_fit(train, s.negatives).lessons
        self.columns = np.flatnonzero([not self._left_out(g, n) for g, own in self.bench.columns.items() for n in own])
        inputs: Inputs = make_inputs(train, s.without, s.outliers, s.tags, s.words)
        self.items, self.users, self.spaces = inputs.items, inputs.users, inputs.spaces
        self.preprocessor = inputs.preprocessor
        self.knows_people = bool((learned.users >= 0).any())
        plays = learned.log_plays
        self.mean_plays = float(plays.mean()) if len(plays) else float("nan")
        self.taught = ListBatches.of(self._scaled(learned), self._expected(learned.described), s.batch, self.seed)

    def _expected(self, features: np.ndarray) -> np.ndarray:
        """Log plays by means alone, float32 (pairs,): mean of the person + n / (n + DAMPING) of how much more than
        their own mean the item's n listeners play it; the mean of all where the person's is unknown."""
        place = {name: column for column, name in enumerate(self.bench.names)}
        if "user_log_plays" not in place or not np.isfinite(self.mean_plays):
            return np.zeros(len(features), np.float32)
        own, more, listeners = (
            features[:, place[name]] if name in place else np.zeros(len(features))
            for name in ("user_log_plays", "item_intensity", "item_listeners")
        )
        n, own = np.exp(listeners), np.where(np.isnan(own), self.mean_plays, own)
        return (own + np.nan_to_num(more) * n / (n + DAMPING)).astype(np.float32)

    def is_told(self, what: str) -> bool:
        """Whether a fitted model is told anything of `audio` or `tags`."""
        block = {"audio": "music", "tags": "tags"}[what]
        names = np.array(self.bench.names)[self.columns]
        return block in self.items.blocks or any(name.startswith(OF_CONTENT[what]) for name in names)

    def _left_out(self, group: str, name: str) -> bool:
        s = self.settings
        of_scores = s.inputs == "content" and (group == "sources" or name.startswith(OF_SCORES))
        return of_scores or any(name.startswith(OF_CONTENT.get(what, ())) for what in s.without if what in OF_CONTENT)

    def _scaled(self, learned: Any) -> Any:
        """Lessons with the columns that are used; what standardises these is remembered."""
        described = self._prepared(learned.described)
        there = ~np.isnan(described)
        number = np.maximum(1, there.sum(axis=0))
        mean = np.nansum(described, axis=0, dtype=np.float64) / number
        spread = np.sqrt(np.nansum((described - mean) ** 2, axis=0, dtype=np.float64) / number)
        rows = [mean, np.where(spread > 1e-6, spread, 1.0), ~there.all(axis=0)]
        self.scale = np.stack(rows).astype(np.float32).reshape(3, -1)
        return replace(learned, described=described)

    def _prepared(self, features: np.ndarray) -> np.ndarray:
        """The columns in use, float32 (pairs, columns), ranks on a logarithmic scale."""
        features = features[:, self.columns].astype(np.float32)
        ranks = [n.endswith("_rank") and n != "item_popularity_rank" for n in np.array(self.bench.names)[self.columns]]
        features[:, ranks] = np.log1p(features[:, ranks])
        return features

    def build(self) -> "HybridNetwork":
        """A new network."""
        from common.models.neural.listnet.network import HybridNetwork

        return HybridNetwork(self.scale, self.items, self.users, self.spaces, self.settings)

    def as_numpy(self, weights: Weights) -> NumpyHybrid:
        """What judges as the network does, without torch."""
        return NumpyHybrid(weights, self.scale, self.items, self.users, self.settings.residual)

    def batches(self, train: TrainView) -> ListBatches | None:
        """Cross-fitted lists; None where there is no order to learn."""
        return self.taught if len(self.taught.usable) else None

    # Scores

    def pool(self, asked: Query) -> Candidates:
        """The candidates of some people and their features, kept while `fit` runs."""
        if self.kept is None:
            return super().pool(asked)
        key = b"".join(part.tobytes() for part in (asked.users, asked.given.indptr, asked.given.items))
        if key not in self.kept:
            pool = super().pool(asked)
            size = sum(array.nbytes for kept in (*self.kept.values(), pool) for array in vars(kept).values())
            if size > KEPT_BYTES:
                return pool
            self.kept[key] = pool
        return self.kept[key]

    def order(self, pool: Candidates) -> np.ndarray:
        """The network's scores less the lowest of each person, at least 0; their differences are those of log P."""
        scores, plays = self._judged(pool.users, pool.items, pool.features)
        scores = plays if self.settings.task == "plays" else scores
        lowest = np.full(len(pool.people), np.inf, np.float32)
        np.minimum.at(lowest, pool.rows, scores)
        return scores - lowest[pool.rows]

    def plays_of(self, users: np.ndarray, items: np.ndarray, features: np.ndarray) -> np.ndarray | None:
        """Log plays by the network's second head, float32 (pairs,); None where they were not learned."""
        if self.settings.task == "rank" or not np.isfinite(self.mean_plays):
            return None
        return self._judged(users, items, features)[1]

    def _judged(self, users: np.ndarray, items: np.ndarray, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = np.zeros((2, len(users)), np.float32)
        with self.running(), self.exactly():
            for start in range(0, len(users), AT_ONCE):
                part = slice(start, start + AT_ONCE)
                own = features[part]
                people = (
                    users[part] if self.knows_people else np.full_like(users[part], -1)
                )  # taught on strangers alone
                codes, expected = np.stack([people, items[part]]).astype(np.int64), self._expected(own)
                arrays = (self._prepared(own), *codes, expected)
                found[:, part] = [self.array(made) for made in self.network.judge(*map(self.tensor, arrays))]
        return found[0], found[1]

    # What is kept

    def state(self) -> dict[str, np.ndarray]:
        """The sources, the sides, the spaces, and how features are scaled."""
        spaces = {f"space/{place}": vectors for place, vectors in enumerate(self.spaces)}
        mean = np.array(self.mean_plays)
        about: dict[str, np.ndarray] = {"used": self.columns, "scale": self.scale, "mean_plays": mean}
        about["knows_people"] = np.array(self.knows_people)
        sides = self.items.pack("items") | self.users.pack("users")
        return {**TwoStageRecommender.arrays(self), **sides, **spaces, **about}

    def arrays(self) -> dict[str, np.ndarray]:
        """The network's weights, `network/<name>`, and what was remembered."""
        return Neural.arrays(self)

    def load_state(self, arrays: dict[str, np.ndarray]) -> None:
        """Take back what `state` gave."""
        TwoStageRecommender.restore(self, arrays)
        self.items, self.users = (Side.unpack(side, arrays) for side in ("items", "users"))
        self.spaces = [arrays[f"space/{n}"] for n in range(sum(name.startswith("space/") for name in arrays))]
        self.columns, self.scale = arrays["used"], arrays["scale"].reshape(3, -1)
        self.mean_plays = float(arrays["mean_plays"].item())
        self.knows_people = bool(arrays["knows_people"].item())

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take back what `arrays` gave."""
        Neural.restore(self, arrays)

    def write(self, folder: Path) -> None:
        """Write the sources, then the preprocessor, then the network and `model.json`."""
        with atomic(folder / SOURCES) as temporary, temporary.open("wb") as handle:
            np.savez(handle, allow_pickle=False, **self.state())
        self.preprocessor.save_preprocessors(folder)
        Neural.write(self, folder)

    @classmethod
    def load(cls, folder: Path | str, train: TrainView | None = None, **how: Any) -> Self:
        """Read a saved model and, unless it is for inference only, its preprocessor, which scoring does without."""
        model = super().load(folder, train, **how)
        if not model.inference_only:
            model.preprocessor = MusicPreprocessor.load_preprocessors(Path(folder))
        return model

    def written(self) -> dict[str, np.ndarray]:
        """What goes into `model.safetensors`: the weights alone."""
        return {name: array for name, array in self.arrays().items() if name.startswith("network/")}

    @classmethod
    def read_arrays(cls, folder: Path) -> dict[str, np.ndarray]:
        """The arrays that `save` wrote."""
        with (folder / SOURCES).open("rb") as handle, np.load(handle, allow_pickle=False) as saved:
            return Neural.read_arrays.__func__(cls, folder) | dict(saved)  # type: ignore[attr-defined]
