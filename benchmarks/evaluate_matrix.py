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
from common.models.base import Recommender, Validation
from common.splits.histories import Histories
from common.splits.train_view import TrainView
from common.training.context import FitContext
from common.utils.environment import threads
from common.utils.io import ROOT


class ReadyScores(Recommender):
    """A stub whose scores lie in memory already, so that only the evaluation is measured."""

    name = "ready_scores"

    def __init__(self, matrix: np.ndarray) -> None:
        super().__init__()
        self.matrix = matrix

    def _fit(self, train: TrainView, validation: Validation | None, context: FitContext) -> None:
        """Nothing to learn."""

    def score(self, users: np.ndarray) -> np.ndarray:
        """Rows of the matrix."""
        return self.matrix[users]

    def fold_in(self, histories: Histories | Sequence[Sequence[int]]) -> np.ndarray:
        """Every user of the benchmark is known."""
        raise NotImplementedError

    def similar(self, item: int, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The matrix knows no similarity of items."""
        raise NotImplementedError

    def arrays(self) -> dict[str, np.ndarray]:
        """The matrix."""
        return {"matrix": self.matrix}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take back the matrix."""
        self.matrix = arrays["matrix"]


def ready_scores(train: TrainView, seed: int = 0) -> np.ndarray:
    """Scores float32 (users, items) that favour popular items and differ by user, so that hits occur."""
    rng = np.random.default_rng(seed)
    preference = rng.gumbel(size=(train.n_users, train.n_items)).astype(np.float32)
    return preference + np.log1p(train.counts).astype(np.float32)


def evaluate(evaluator: Evaluator, model: Recommender) -> tuple[Evaluation, tuple[float, float]]:
    """The evaluation and the seconds that ranking, and tables with metrics, took."""
    start = time.perf_counter()
    ranking = evaluator.rank(model)
    ranked = time.perf_counter()
    evaluation = evaluator.evaluate_ranking(ranking)
    return evaluation, (ranked - start, time.perf_counter() - ranked)


def measure(data: Dataset, repetitions: int, profile: bool) -> None:
    """Time the evaluation of the test part of `listen` and print the figures."""
    task = Task(data, "listen")
    train, start = task.train_valid, time.perf_counter()
    evaluator = task.test
    prepared = time.perf_counter() - start
    model = ReadyScores(ready_scores(train))
    evaluation, _ = evaluate(evaluator, model)
    rounds = [evaluate(evaluator, model)[1] for _ in range(repetitions)]
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
            evaluate(evaluator, model)
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
