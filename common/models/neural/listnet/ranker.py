"""The ranker of the hybrid: a network over candidates, learned listwise (Cao et al. 2007), and their plays.

The network is `network.py`, its inputs beside the features of a pair `inputs.py`, its loss `loss.py`.
"""

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from common.models.inference.numpy_layers import Weights
from common.models.inference.numpy_networks import NumpyHybrid
from common.models.neural.base import NetworkOwner
from common.models.neural.listnet.batches import ListBatches
from common.models.neural.listnet.inputs import Side, make_inputs
from common.models.neural.two_tower.features import mean_and_spread
from common.models.two_stage.base import Candidates
from common.models.two_stage.training_data import TrainingData
from common.splits.train_view import TrainView
from common.utils import distributed as parallel

if TYPE_CHECKING:
    from common.models.neural.listnet.network import HybridNetwork

AT_ONCE = 2**15
"""Pairs that go through the network together."""
DAMPING = 5.0
"""Listeners of average intensity that are added to every item, so that one listener's plays do not decide."""
OF_SCORES = ("interaction_strength", "listening_last")
"""Features outside the group `sources` that come from a source's similarity of items all the same."""
OF_CONTENT = {"audio": ("audio_", "content_knn_"), "tags": ("tag_", "user_tag_", "tag_knn_")}
"""How features begin that an ablation leaves out."""


class ListNetRanker(NetworkOwner):
    """Puts candidates in order by a network with two heads: a score for the order, and log plays."""

    name = "hybrid_listnet"

    def __init__(self, settings: Any, seed: int, device: str) -> None:
        self.settings, self.seed, self.device = settings, seed, device
        self.inference_only = False

    def set_state(self, data: TrainingData) -> None:
        """Gather the inputs of the network and the lists of cross-fitted candidates that it is trained on."""
        s, self.inference_only = self.settings, False
        self.feature_columns = data.columns
        used = [not self._left_out(group, name) for group, own in data.columns.items() for name in own]
        self.used = np.flatnonzero(used)
        inputs = make_inputs(data.train, s.without, s.outliers, s.tags, s.words)
        self.items, self.users, self.spaces, self.preprocessor = inputs
        self.knows_users = bool((data.users >= 0).any())
        plays = data.log_plays[data.has_plays]
        self.mean_plays = float(plays.mean()) if len(plays) else float("nan")
        self.lists = ListBatches.of(self._scaled(data), self._expected(data.features), s.batch, self.seed)

    def share_state(self) -> None:
        """Let all processes have what `set_state` has set in the first one, and each its own part of the lists."""
        mine = parallel.is_main()
        state = parallel.of_main(lambda: self.state() | {"columns": np.array(json.dumps(self.feature_columns))})
        if not mine:
            self.load_state(state)
        self.lists = ListBatches.shared(self.lists if mine else None, self.settings.batch, self.seed)

    @property
    def feature_names(self) -> list[str]:
        """The name of each feature of a pair, in order."""
        return [name for names in self.feature_columns.values() for name in names]

    def _expected(self, features: np.ndarray) -> np.ndarray:
        """Log plays by means alone, float32 (pairs,): mean of the user + n / (n + DAMPING) of how much more than
        their own mean the item's n listeners play it; the mean of all where the user's is unknown."""
        place = {name: column for column, name in enumerate(self.feature_names)}
        if "user_log_plays" not in place or not np.isfinite(self.mean_plays):
            return np.zeros(len(features), np.float32)
        own, more, listeners = (
            features[:, place[name]] if name in place else np.zeros(len(features))
            for name in ("user_log_plays", "item_intensity", "item_listeners")
        )
        n, own = np.exp(listeners), np.where(np.isnan(own), self.mean_plays, own)
        return (own + np.nan_to_num(more) * n / (n + DAMPING)).astype(np.float32)

    def uses(self, what: str) -> bool:
        """Whether the inputs of a fitted ranker have anything of `audio` or `tags`."""
        block = {"audio": "music", "tags": "tags"}[what]
        names = np.array(self.feature_names)[self.used]
        return block in self.items.blocks or any(name.startswith(OF_CONTENT[what]) for name in names)

    def _left_out(self, group: str, name: str) -> bool:
        s = self.settings
        of_scores = s.inputs == "content" and (group == "sources" or name.startswith(OF_SCORES))
        return of_scores or any(name.startswith(OF_CONTENT.get(what, ())) for what in s.without if what in OF_CONTENT)

    def _scaled(self, data: TrainingData) -> TrainingData:
        """The data with the columns that are used; sets the scale of these."""
        features = self._prepared(data.features)
        mean, spread = mean_and_spread(features, np.float64)
        rows = [mean, np.where(spread > 1e-6, spread, 1.0), np.isnan(features).any(axis=0)]
        self.scale = np.stack(rows).astype(np.float32).reshape(3, -1)
        return replace(data, features=features)

    def _prepared(self, features: np.ndarray) -> np.ndarray:
        """The columns in use, float32 (pairs, columns), ranks on a logarithmic scale."""
        features = features[:, self.used].astype(np.float32)
        ranks = [n.endswith("_rank") and n != "item_popularity_rank" for n in np.array(self.feature_names)[self.used]]
        features[:, ranks] = np.log1p(features[:, ranks])
        return features

    def build(self) -> "HybridNetwork":
        """A new network."""
        from common.models.neural.listnet.network import HybridNetwork

        return HybridNetwork(self.scale, self.items, self.users, self.spaces, self.settings)

    def as_numpy(self, weights: Weights) -> NumpyHybrid:
        """What predicts as the network does, without torch."""
        return NumpyHybrid(weights, self.scale, self.items, self.users, self.settings.residual)

    def batches(self, train: TrainView) -> ListBatches | None:
        """Cross-fitted lists; None where there is no order to learn."""
        return self.lists if len(self.lists.usable) else None

    def order(self, candidates: Candidates) -> np.ndarray:
        """The network's scores less the lowest of each user, at least 0; their differences are those of log P."""
        scores, plays = self._outputs(candidates.pair_users, candidates.items, candidates.features)
        scores = plays if self.settings.task == "plays" else scores
        lowest = np.full(len(candidates.users), np.inf, np.float32)
        np.minimum.at(lowest, candidates.rows, scores)
        return scores - lowest[candidates.rows]

    def predict_plays(self, users: np.ndarray, items: np.ndarray, features: np.ndarray) -> np.ndarray | None:
        """Log plays by the network's second head, float32 (pairs,); None where they were not learned.

        Of a user without plays of their own nobody can know how much they play: theirs are those by means alone.
        """
        if self.settings.task == "rank" or not np.isfinite(self.mean_plays):
            return None
        predicted, names = self._outputs(users, items, features)[1], self.feature_names
        if "user_log_plays" not in names:
            return predicted
        return np.where(np.isnan(features[:, names.index("user_log_plays")]), self._expected(features), predicted)

    def _outputs(self, users: np.ndarray, items: np.ndarray, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = np.zeros((2, len(users)), np.float32)
        with self.running(exact=True):
            for start in range(0, len(users), AT_ONCE):
                part = slice(start, start + AT_ONCE)
                own = features[part]
                known = users[part] if self.knows_users else np.full_like(users[part], -1)  # none were in training
                codes, expected = np.stack([known, items[part]]).astype(np.int64), self._expected(own)
                arrays = (self._prepared(own), *codes, expected)
                found[:, part] = [self.array(made) for made in self.network.predict(*map(self.tensor, arrays))]
        return found[0], found[1]

    def state(self) -> dict[str, np.ndarray]:
        """The sides, the spaces, and how features are scaled, as arrays."""
        spaces = {f"space/{place}": vectors for place, vectors in enumerate(self.spaces)}
        about: dict[str, np.ndarray] = {"used": self.used, "scale": self.scale}
        about |= {"mean_plays": np.array(self.mean_plays), "knows_people": np.array(self.knows_users)}
        return self.items.pack("items") | self.users.pack("users") | spaces | about

    def load_state(self, arrays: dict[str, np.ndarray]) -> None:
        """Take back what `state` gave, beside the `columns` of a two-stage model."""
        self.feature_columns = json.loads(str(arrays["columns"]))
        self.items, self.users = (Side.unpack(side, arrays) for side in ("items", "users"))
        self.spaces = [arrays[f"space/{n}"] for n in range(sum(name.startswith("space/") for name in arrays))]
        self.used, self.scale = arrays["used"], arrays["scale"].reshape(3, -1)
        self.mean_plays = float(arrays["mean_plays"].item())
        self.knows_users = bool(arrays["knows_people"].item())
