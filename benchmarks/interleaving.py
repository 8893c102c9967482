"""Whether team-draft interleaving finds the better of two rankers as often as theory says, on simulated listeners.

    python -m benchmarks.interleaving

A listener has a utility for every item, standard normal. A ranker sorts the items by utility + noise; the less noise,
the better it is. The listener looks at place r (from 0) with probability LOOKS ** r and clicks an item that was looked
at with probability 1 / (1 + exp(PICKY - utility)), each independently. One list is one session.
"""

import argparse
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import binom

from common.serving.interleaving.sign_test import ALPHA, power_with_ties, sign_test
from common.serving.interleaving.team_draft import Pick, credits, team_draft

ITEMS, K = 30, 10
LOOKS, PICKY = 0.85, 1.0
NOISES = {"clear": (0.5, 2.0), "small": (0.7, 1.1), "none": (1.0, 1.0)}
"""Noise of ranker A and of ranker B."""
SIZES = (50, 150)
"""Sessions in one experiment."""


def session(noises: tuple[float, float], rng: np.random.Generator) -> tuple[list[Pick[int]], set[int]]:
    """The interleaved list of rankers A and B for one listener, and the items that the listener clicks."""
    utilities = rng.normal(size=ITEMS)
    scores = utilities + np.reshape(noises, (2, 1)) * rng.normal(size=(2, ITEMS))
    lists = dict(zip("AB", np.argsort(-scores, axis=1)[:, :K].tolist(), strict=True))
    picks = team_draft(lists, K, rng)
    items = [pick.item for pick in picks]
    looked_at = rng.random(len(items)) < LOOKS ** np.arange(len(items))
    clicks = looked_at & (rng.random(len(items)) < 1 / (1 + np.exp(PICKY - utilities[items])))
    return picks, {item for item, click in zip(items, clicks, strict=True) if click}


def outcomes(noises: tuple[float, float], sessions: int, seed: int) -> np.ndarray:
    """Of each session 1 where A has more votes, -1 where B has, 0 for a tie, int8 (sessions,)."""
    rng = np.random.default_rng(seed)
    found = np.zeros(sessions, np.int8)
    for number in range(sessions):
        votes = credits(*session(noises, rng))
        found[number] = np.sign(votes["A"] - votes["B"])
    return found


class Finding(NamedTuple):
    """Experiments of `shown` sessions: how many call A better, how many B, and how many should call either better.

    win, lose: probabilities in one session, estimated from other sessions; low, high: where the number of experiments
    that call either better lies with probability 0.998 if theory is right.
    """

    shown: int
    experiments: int
    win: float
    lose: float
    power: float
    a_better: int
    b_better: int
    low: int
    high: int

    @property
    def as_expected(self) -> bool:
        """Whether the number lies in its interval."""
        return self.low <= self.a_better + self.b_better <= self.high


def study(noises: tuple[float, float], shown: int, experiments: int, pilot: int, seed: int = 0) -> Finding:
    """Run experiments and hold their verdicts against the power of the sign test at win rates from a pilot.

    The pilot's own error is allowed for: by three standard errors of the win rate, either way.
    """
    first = outcomes(noises, pilot, 2 * seed)
    win, lose = float((first > 0).mean()), float((first < 0).mean())
    verdicts = [_better(some) for some in outcomes(noises, experiments * shown, 2 * seed + 1).reshape(-1, shown)]
    error = 3 * np.sqrt(win * lose / max(win + lose, 1e-9) / pilot)
    powers = [power_with_ties(shown, win + by, lose - by) for by in (-error, 0, error)]
    low, high = binom.ppf(0.001, experiments, min(powers)), binom.ppf(0.999, experiments, max(powers))
    return Finding(
        *(shown, experiments, win, lose, powers[1]), verdicts.count(1), verdicts.count(-1), int(low), int(high)
    )


def _better(found: np.ndarray) -> int:
    """1 where the test calls A better, -1 where B, 0 where neither."""
    wins, losses = int((found > 0).sum()), int((found < 0).sum())
    return int(np.sign(wins - losses)) if sign_test(wins, losses) <= ALPHA else 0


def main(argv: Sequence[str] | None = None) -> None:
    """Print a row for every difference of the rankers and size of an experiment."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--experiments", type=int, default=400, help="experiments in every row")
    parser.add_argument("--pilot", type=int, default=20_000, help="sessions that the win rates are taken from")
    args = parser.parse_args(argv)
    print(
        "| difference | sessions | A wins | B wins | power by theory | called A better | called B better | expected |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for name, noises in NOISES.items():
        for shown in SIZES:
            row = study(noises, shown, args.experiments, args.pilot)
            rates = f"{row.win:.3f} | {row.lose:.3f} | {row.power:.3f}"
            called = f"{row.a_better / row.experiments:.3f} | {row.b_better / row.experiments:.3f}"
            expected = f"{row.low / row.experiments:.3f}-{row.high / row.experiments:.3f}"
            print(f"| {name} | {shown} | {rates} | {called} | {expected} |")


if __name__ == "__main__":
    main()
