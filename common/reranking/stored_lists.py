"""The lists of a finished run, re-ranked, evaluated and written as a run of their own, without its model."""

import logging
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from common.data.dataset import Dataset
from common.evaluation.evaluator import Evaluator
from common.evaluation.ranking import Ranking
from common.evaluation.recommendations import Evaluation
from common.evaluation.task import Task
from common.experiments.live_run import PHASES, about, draw_accuracy, top_ten, tracked
from common.experiments.run import Run, hash_config
from common.reranking.item_facts import ItemFacts, Reranking, item_facts
from common.reranking.rerank import reorder
from common.reranking.reranked_ranks import reordered
from common.utils.environment import about_machine
from common.utils.errors import UserError
from common.utils.io import display, strict

PLACES = 20
"""Places that are re-ranked, as far as the metrics look; the other candidates follow in their order."""
COSTS = ("fit_seconds", "fit_cpu_seconds", "recommend_ms_per_user", "model_mb", "peak_rss_mb")
SHOWN = ("ndcg_10", "ils_genre_10", "ils_tag_10", "coverage_10", "novelty_10", "calibration_genre_10")
"""Metrics that a terminal has room for."""
log = logging.getLogger(__name__)


class StoredLists:
    """The lists of a finished run on each part of the split, and what evaluates them in another order.

    Raises a UserError for a run that is re-ranked itself, whose parts are of different settings, or on other data.
    """

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

    def metrics(self, settings: Reranking) -> dict[str, float]:
        """All metrics on validation after re-ranking."""
        return self.evaluators["valid"].evaluate_ranking(self.ranked("valid", settings)).metrics


def write_run(lists: StoredLists, method: str, preset: str, chosen: Reranking, wandb: str, output_dir: Path) -> None:
    """Write `<model>+<method>/<preset>/seed<k>`: results on every part that the run has, settings and a figure."""
    config = lists.config | {"model": f"{lists.model}+{method}", "preset": preset}
    changed = {key: value for key, value in asdict(chosen).items() if value != getattr(Reranking(), key)}
    config["settings"] = lists.config["settings"] | {"reranking": {"places": PLACES, **changed}}
    config["lists_of"] = hash_config(lists.config)
    run = Run(lists.run.split_folder / config["model"] / preset / lists.run.folder.resolve().name)
    phase = PHASES[list(lists.results)[-1]]
    with tracked(run, config, wandb, output_dir, phase) as tracker:
        for part in lists.results:
            evaluation, record = scored(lists, part, chosen, config)
            run.write_results(part, evaluation, record)
            values = "  ".join(f"{key} {record[key]:.4f}" for key in SHOWN if key in record)
            log.info("%-26s %-6s %s", config["model"], PHASES[part], values)
        run.write_config(config)
        tracker.figure("accuracy_by_k", draw_accuracy(run, lists.results))
        tracker.summary(strict(record))
        tracker.table("top10", top_ten(evaluation.recommendations, lists.evaluators[part].train))


def scored(
    lists: StoredLists, part: str, chosen: Reranking, config: dict[str, Any]
) -> tuple[Evaluation, dict[str, Any]]:
    """The evaluation on one part and its record: the costs of the model, with those of re-ranking on top."""
    start = time.perf_counter()
    ranking = lists.ranked(part, chosen)
    spent = 1000 * (time.perf_counter() - start) / max(1, len(ranking.items))
    evaluation, before = lists.evaluators[part].evaluate_ranking(ranking), lists.results[part].metrics
    costs = {key: before[key] for key in COSTS if key in before} | {"rerank_ms_per_user": spent}
    costs["recommend_ms_per_user"] = costs.get("recommend_ms_per_user", 0) + spent
    return evaluation, evaluation.metrics | costs | about(config, part) | about_machine("cpu")
