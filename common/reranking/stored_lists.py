"""The lists of a finished run, re-ranked, evaluated and written as a run of their own, without its model.

Re-ranking moves the 100 best of each user and nothing else, so all ranks follow from the two tables of the run. A
held-out item in the new list has its place there; one that a filter has left out comes last of all items outside the
history; one that was below the 100 best keeps its rank. The same holds among its 99 negatives, where those left out
count as below it.
"""

import logging
import time
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
from common.experiments.stored.phase_manifest import place_of
from common.reranking.by_history import ByHistory, changed
from common.reranking.item_facts import Reranking, item_facts
from common.reranking.rerank import reorder
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
        task = Task(data, self.split)
        if [data.sha256, task.train.split_sha256] != [self.config[name] for name in ("data_sha256", "split_sha256")]:
            raise UserError(f"{display(run.folder)} is on other data than {data.name} holds; run its stage again")
        self.evaluators: dict[str, Evaluator] = {part: getattr(task, part) for part in self.results}
        self.facts = {part: item_facts(evaluator.train) for part, evaluator in self.evaluators.items()}
        tables = {part: (results.recommendations, results.targets) for part, results in self.results.items()}
        self.rankings = {part: self.evaluators[part].ranking_of(*of_part) for part, of_part in tables.items()}

    def ranked(self, part: str, settings: Reranking | ByHistory) -> Ranking:
        """Lists and ranks on a part after re-ranking."""
        evaluator, ranking, facts = self.evaluators[part], self.rankings[part], self.facts[part]
        if isinstance(settings, Reranking):
            lists = reorder(ranking.items, ranking.scores, evaluator.given, facts, settings, PLACES)
            return reordered(evaluator, ranking, *lists)
        items, scores = ranking.items.copy(), ranking.scores.copy()
        for rows, own in zip(settings.rows(evaluator.given.lengths), settings.settings, strict=True):
            given = evaluator.given.take(rows)
            items[rows], scores[rows] = reorder(ranking.items[rows], ranking.scores[rows], given, facts, own, PLACES)
        return reordered(evaluator, ranking, items, scores)

    def evaluated(self, settings: Reranking) -> Evaluation:
        """What comes of validation after re-ranking: all metrics, and those of each user."""
        return self.evaluators["valid"].evaluate_ranking(self.ranked("valid", settings))

    def metrics(self, settings: Reranking) -> dict[str, float]:
        """All metrics on validation after re-ranking."""
        return self.evaluated(settings).metrics


def reordered(evaluator: Evaluator, ranking: Ranking, items: np.ndarray, scores: np.ndarray) -> Ranking:
    """The ranking with other lists (rows, DEPTH) and their scores, in which items may be missing but none is new."""
    old, new = (_Places(lists, evaluator.train.n_items) for lists in (ranking.items, items))
    rows, targets = evaluator.holdout.target_rows, evaluator.holdout.target_items
    before, after = old(rows, targets), new(rows, targets)
    last = evaluator.train.n_items - evaluator.holdout.given.lengths[rows]
    full = np.where(before == 0, ranking.target_ranks, np.where(after > 0, after, last))
    above = np.zeros(len(targets), np.int64)
    for drawn in evaluator.holdout.negatives.T:  # one negative of every hidden item at a time
        was, is_now = old(rows, drawn), new(rows, drawn)
        gone = (was > 0) & (is_now == 0)
        of_listed = (is_now > 0) & (is_now < after)
        of_gone = (drawn >= 0) & ~(gone & (was > before))
        above += np.where(before == 0, -gone.astype(int), np.where(after > 0, of_listed, of_gone))
    sampled = np.where(before == 0, ranking.target_ranks_sampled, 1) + above
    sampled[ranking.target_ranks_sampled == 0] = 0  # it has no negatives
    return Ranking(items, scores, ranking.target_scores, full, sampled)


class _Places:
    """Where items stand in lists: 1 is best, 0 for an item that a list lacks."""

    def __init__(self, lists: np.ndarray, n_items: int) -> None:
        self.n_items = n_items
        rows, places = np.nonzero(lists >= 0)
        keys = rows * np.int64(n_items) + lists[rows, places]
        order = np.argsort(keys, kind="stable")
        self.keys, self.places = np.append(keys[order], np.iinfo(np.int64).max), np.append(places[order] + 1, 0)

    def __call__(self, rows: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Place of one item in each of some rows' lists, int64 (rows,); an item of -1 or less stands in none."""
        keys = np.where(items >= 0, rows * np.int64(self.n_items) + items, -1)
        at = np.searchsorted(self.keys, keys)
        return np.where(self.keys[at] == keys, self.places[at], 0)


def write_run(
    lists: StoredLists, method: str, preset: str, chosen: Reranking | ByHistory, wandb: str, output_dir: Path
) -> None:
    """Write `<model>+<method>/<preset>/seed<k>`: results on every part that the run has, settings and a figure."""
    config = lists.config | {"model": f"{lists.model}+{method}", "preset": preset}
    own = chosen.changed() if isinstance(chosen, ByHistory) else changed(chosen)
    config["settings"] = lists.config["settings"] | {"reranking": {"places": PLACES, **own}}
    config["lists_of"] = hash_config(lists.config)
    run = Run(lists.run.split_folder / config["model"] / preset / place_of(lists.run.folder).name)
    phase = PHASES[list(lists.results)[-1]]
    with tracked(run, config, wandb, output_dir, phase) as tracker:
        for part in lists.results:
            evaluation, record = scored(lists, part, chosen, config)
            run.write(part, evaluation, record, config)
            values = "  ".join(f"{key} {record[key]:.4f}" for key in SHOWN if key in record)
            log.info("%-26s %-6s %s", config["model"], PHASES[part], values)
        tracker.figure("accuracy_by_k", draw_accuracy(run, lists.results))
        tracker.summary(strict(record))
        tracker.table("top10", top_ten(evaluation.recommendations, lists.evaluators[part].train))


def scored(
    lists: StoredLists, part: str, chosen: Reranking | ByHistory, config: dict[str, Any]
) -> tuple[Evaluation, dict[str, Any]]:
    """The evaluation on one part and its record: the costs of the model, with those of re-ranking on top."""
    start = time.perf_counter()
    ranking = lists.ranked(part, chosen)
    spent = 1000 * (time.perf_counter() - start) / max(1, len(ranking.items))
    evaluation, before = lists.evaluators[part].evaluate_ranking(ranking), lists.results[part].metrics
    costs = {key: before[key] for key in COSTS if key in before} | {"rerank_ms_per_user": spent}
    costs["recommend_ms_per_user"] = costs.get("recommend_ms_per_user", 0) + spent
    return evaluation, evaluation.metrics | costs | about(config, part) | about_machine("cpu")
