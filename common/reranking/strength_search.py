"""Re-ranking methods, and their strengths chosen on validation."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from common.data.dataset import Dataset
from common.evaluation.evaluator import Evaluator
from common.evaluation.ranking import Ranking
from common.evaluation.task import Task
from common.experiments.run import Run
from common.reranking.rerank import ItemFacts, Reranking, item_facts, reorder
from common.reranking.reranked_ranks import reordered
from common.utils.errors import UserError
from common.utils.io import display

PLACES = 20
"""Places that are chosen anew, as far as the metrics look; the other candidates follow in their order."""


COSTS = ("fit_seconds", "fit_cpu_seconds", "recommend_ms_per_user", "model_mb", "peak_rss_mb")


@dataclass(frozen=True)
class Method:
    """A way of re-ranking: the settings its strength goes into, strengths from weak to strong, the textbook's."""

    settings: tuple[str, ...]
    strengths: tuple[float, ...]
    classic: float | None = None

    def at(self, strength: float, beside: Reranking) -> Reranking:
        """The settings at one strength, in the settings' own types; two shares have half of it each."""
        types = {name: type(getattr(Reranking(), name)) for name in self.settings}
        return replace(beside, **{name: kind(strength / len(types)) for name, kind in types.items()})


SHARES = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)


WEIGHTS = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0)


METHODS = {
    "mmr": Method(("diversity",), SHARES, classic=0.3),
    "calibrated": Method(("calibration",), SHARES, classic=0.5),
    "mmr_calibrated": Method(("diversity", "calibration"), SHARES),
    "novelty": Method(("novelty",), WEIGHTS),
    "less_popular": Method(("unpopularity",), WEIGHTS),
    "per_genre": Method(("per_genre",), (10, 7, 5, 4, 3)),
    "balanced": Method(("balance",), (1,)),
}
"""Name -> method. `pipeline` stands for what the --pipeline flags say and has no strength of its own."""


PIPELINE = "pipeline"


class Source:
    """A finished run: its lists on each part of the split, and what is needed to judge them in another order."""

    def __init__(self, run: Run, data: Dataset) -> None:
        self.run, self.data, self.config = run, data, run.config()
        self.model: str = self.config["model"]
        if "+" in self.model:
            raise UserError(f"{display(run.folder)} is re-ranked already; name the run of {self.model.split('+')[0]}")
        self.results = {part: run.results(part) for part in run.parts}
        hashes = {results.metrics["config_sha256"] for results in self.results.values()}
        if "valid" not in self.results or len(hashes) > 1:
            raise UserError(
                f"{display(run.folder)}: valid/ and test/ are not of the same settings; run its stage again"
            )
        self.split = run.key.split
        self.task = Task(data, self.split)
        self.evaluators: dict[str, Evaluator] = {}
        self.rankings: dict[str, Ranking] = {}
        self.facts: dict[str, ItemFacts] = {}
        for part in self.results:
            self._read(part)

    def _read(self, part: str) -> None:
        evaluator = self.task.valid if part == "valid" else self.task.test
        now = {"data_sha256": self.data.sha256, "split_sha256": evaluator.train.split_sha256}
        if any(self.config[name] != value for name, value in now.items()):
            raise UserError(
                f"{display(self.run.folder)} is on other data than {self.data.name} holds; run its stage again"
            )
        self.evaluators[part], self.facts[part] = evaluator, item_facts(evaluator.train)
        self.rankings[part] = evaluator.ranking_of(self.results[part].recommendations, self.results[part].targets)

    def ranked(self, part: str, settings: Reranking) -> Ranking:
        """Lists and ranks on a part after re-ranking."""
        evaluator, facts = self.evaluators[part], self.facts[part]

        def order(items: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return reorder(items, scores, evaluator.given, facts, settings, PLACES)

        return reordered(evaluator, self.rankings[part], order)

    def measured(self, settings: Reranking) -> dict[str, float]:
        """All metrics on validation after re-ranking."""
        return self.evaluators["valid"].evaluate_ranking(self.ranked("valid", settings)).metrics


def choose_strength(tried: Sequence[dict[str, Any]], ndcg: float, loss: float) -> dict[str, Any]:
    """The strongest try whose NDCG@10 is at least (1 - loss) that of the run itself; the weakest if none is.

    >>> found = [{"strength": 0.1, "ndcg_10": 0.20}, {"strength": 0.3, "ndcg_10": 0.18}]
    >>> choose_strength(found, 0.2, loss=0.05)["strength"], choose_strength(found, 0.2, loss=0.1)["strength"]
    (0.1, 0.3)
    """
    within = [row for row in tried if row["ndcg_10"] >= (1 - loss) * ndcg - 1e-12]
    return within[-1] if within else tried[0]
