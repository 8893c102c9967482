"""How long the whole evaluation of a ready score matrix takes: ranks, both tables, every metric.

`python -m benchmarks.evaluate_matrix` from the root of the repository; README.md beside this file says what it means.
"""

import argparse
import cProfile
import pstats
import statistics
import time
from collections.abc import Sequence

import numpy as np

from common.data.dataset import Dataset, load_dataset
from common.evaluation.evaluator import Evaluator
from common.evaluation.recommendations import Evaluation
from common.evaluation.task import Task
from common.splits.train_view import TrainView
from common.utils.environment import threads
from common.utils.io import ROOT


def ready_scores(train: TrainView, seed: int = 0) -> np.ndarray:
    """Scores float32 (users, items) that favour popular items and differ by user, so that hits occur."""
    rng = np.random.default_rng(seed)
    preference = rng.gumbel(size=(train.n_users, train.n_items)).astype(np.float32)
    return preference + np.log1p(train.counts).astype(np.float32)


def evaluate(evaluator: Evaluator, scores: np.ndarray) -> tuple[Evaluation, tuple[float, float]]:
    """The evaluation and the seconds that ranking, and tables with metrics, took."""
    start = time.perf_counter()
    ranking = evaluator.rank_scores(lambda rows: scores[evaluator.holdout.codes[rows]])
    ranked = time.perf_counter()
    evaluation = evaluator.evaluate_ranking(ranking)
    return evaluation, (ranked - start, time.perf_counter() - ranked)


def measure(data: Dataset, repetitions: int, profile: bool) -> None:
    """Time the evaluation of the test part of `listen` and print the figures."""
    task = Task(data, "listen")
    train, start = task.train_valid, time.perf_counter()
    evaluator = task.test
    prepared = time.perf_counter() - start
    scores = ready_scores(train)
    evaluation, _ = evaluate(evaluator, scores)
    rounds = [evaluate(evaluator, scores)[1] for _ in range(repetitions)]
    ranking, rest = (statistics.median(part) for part in zip(*rounds, strict=True))
    total = sorted(sum(parts) for parts in rounds)
    print(f"{data.name}, listen, test: {train.n_users:,} users x {train.n_items:,} items, {threads()} cores")
    print(f"  {len(evaluation.targets):,} held-out pairs, {len(evaluation.metrics)} figures")
    print(f"  once per part, for all models: {prepared:.2f} s")
    print(f"  ranks and lists                 {ranking:.2f} s")
    print(f"  tables and metrics              {rest:.2f} s")
    print(
        f"  together, median of {repetitions}: {statistics.median(total):.2f} s   ({total[0]:.2f} to {total[-1]:.2f})"
    )
    if profile:
        with cProfile.Profile() as profiler:
            evaluate(evaluator, scores)
        pstats.Stats(profiler).sort_stats("tottime").print_stats(15)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure on the real data if it is found, else on the generated one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--profile", action="store_true", help="print where the time goes, too")
    arguments = parser.parse_args(argv)
    measure(load_dataset("auto", ROOT / "data"), arguments.repetitions, arguments.profile)


if __name__ == "__main__":
    main()
