"""What a round of `ials` costs against an iteration of `implicit` with as many factors, at growing numbers of pairs.

`python -m benchmarks.ials_speed` from the root of the repository; README.md beside this file says what it means.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from benchmarks.als_speed import PER_USER, invented
from common.models.linear.als import ALS, ALSSettings, one_blas_thread
from common.models.linear.ials import IALS, IALSSettings

if TYPE_CHECKING:
    from common.splits.train_view import TrainView

FEW, MANY = 1, 3
"""Rounds of the two fits whose difference is the cost of a round, without what is made once."""


def cpu_per_round(fit: Callable[[int], object]) -> float:
    """CPU seconds of a round, told by two fits of different length."""
    spent = []
    for rounds in (FEW, MANY):
        start = time.process_time()
        fit(rounds)
        spent.append(time.process_time() - start)
    return (spent[1] - spent[0]) / (MANY - FEW)


def against_implicit(train: "TrainView", factors: int, turns: int) -> tuple[float, float]:
    """Median CPU seconds of a round of ours and of an iteration of the library, taking turns on the same pairs."""
    confidences = ALS(ALSSettings(factors=factors)).confidences(train.histories)

    def ours(rounds: int) -> None:
        IALS(IALSSettings(factors=factors, rounds=rounds, tag_weight=0.0)).fit(train)

    def library(iterations: int) -> None:
        with one_blas_thread() as implicit:
            made = implicit.cpu.als.AlternatingLeastSquares(factors=factors, iterations=iterations, random_state=0)
            made.fit(confidences, show_progress=False)

    pairs = [(cpu_per_round(ours), cpu_per_round(library)) for _ in range(turns)]
    return statistics.median(mine for mine, _ in pairs), statistics.median(other for _, other in pairs)


def main(argv: Sequence[str] | None = None) -> None:
    """Print a line for each size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=3, help="times each side is measured")
    parser.add_argument("--factors", type=int, nargs="*", default=[64, 128])
    parser.add_argument("--users", type=int, nargs="*", default=[5_000, 50_000], help=f"{PER_USER} items each")
    flags = parser.parse_args(argv)
    print("users, items, pairs, factors: CPU s of a round of ials, of an iteration of implicit, ratio", flush=True)
    for users in flags.users:
        train = invented(users, max(1_000, users * 2 // 5))
        pairs = len(train.histories.items)
        for factors in flags.factors:
            ours, library = against_implicit(train, factors, flags.turns)
            print(
                f"{users:,}, {train.n_items:,}, {pairs:,}, {factors}: {ours:.2f}, {library:.2f}, {ours / library:.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
