"""How well plays of users without any can be told at all: `python -m benchmarks.new_user_plays`, on validation's train.

R² of log plays, over several draws of new users (`plays_split`), of the mean of all visible pairs, of that and the
item's damped residual (what the models predict), and of the same moved towards the means of the users' friends.
"""

import argparse

import numpy as np

from common.data.dataset import load_dataset
from common.evaluation.play_counts import mean_plays
from common.evaluation.task import split
from common.experiments.analysis.play_count_holdout import PlaysSplit, plays_split
from common.models.knn.user_knn import friend_matrix

DAMPING = 30.0
"""Users of average plays that are added to a user's friends."""


def predictions(drawn: PlaysSplit, new: np.ndarray) -> dict[str, np.ndarray]:
    """Log plays of the pairs of new users, float64 (pairs,), by what predicts them; friends where there are such."""
    left = drawn.left
    visible = np.log1p(left.histories.weights.astype(float))
    mean, by_means = visible.mean(), mean_plays(left, drawn.users[new], drawn.items[new])
    found = {"mean": np.full(new.sum(), mean), "mean and item": by_means}
    if left.social is not None:
        lengths, friends = left.histories.lengths, friend_matrix(left.social, left.n_users)
        own = np.bincount(left.histories.rows, visible - mean, left.n_users) / np.maximum(1, lengths)
        towards = (friends @ own) / (friends @ (lengths > 0) + DAMPING)
        found["mean, item and friends"] = by_means + towards[drawn.users[new]]
    return found


def r2(true: np.ndarray, predicted: np.ndarray, mean: float) -> float:
    """Share of the squared distance from a mean that a prediction explains."""
    return float(1 - ((true - predicted) ** 2).sum() / ((true - mean) ** 2).sum())


def main() -> None:
    """Print a row for each prediction: mean, least and largest R² over the draws."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="lastfm-2k")
    parser.add_argument("--draws", type=int, default=8)
    flags = parser.parse_args()
    train = split(load_dataset(flags.dataset)).train
    rows: dict[tuple[str, str], list[float]] = {}
    for seed in range(flags.draws):
        drawn = plays_split(train, seed)
        new = drawn.groups()["new users"]
        true, visible = drawn.log_plays[new], np.log1p(drawn.left.histories.weights.astype(float)).mean()
        for name, predicted in predictions(drawn, new).items():
            rows.setdefault((name, "the visible mean"), []).append(r2(true, predicted, visible))
            rows.setdefault((name, "the group's own mean"), []).append(r2(true, predicted, true.mean()))
    for (name, against), values in rows.items():
        print(f"{name}, R² against {against}: {np.mean(values):.3f} ({min(values):.3f} to {max(values):.3f})")


if __name__ == "__main__":
    main()
