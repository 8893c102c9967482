"""The exact two-sided sign test of wins against losses, and its power."""

import numpy as np
from scipy.stats import binom

ALPHA = 0.05
"""Level of the test."""


def sign_test(wins: int, losses: int) -> float:
    """Two-sided p-value of so many wins and losses if both were equally likely (binomial with 1/2); ties do not count.

    >>> round(sign_test(9, 1), 4), sign_test(0, 0)
    (0.0215, 1.0)
    """
    return float(min(1.0, 2 * binom.cdf(min(wins, losses), wins + losses, 0.5)))


def share_interval(wins: int, losses: int, level: float = 0.95) -> tuple[float, float]:
    """Exact interval of the probability to win (Clopper and Pearson 1934).

    >>> [round(end, 3) for end in share_interval(9, 1)]
    [0.555, 0.997]
    """
    from scipy.stats import binomtest

    if not wins + losses:
        return 0.0, 1.0
    interval = binomtest(wins, wins + losses).proportion_ci(level, method="exact")
    return float(interval.low), float(interval.high)


def power(decided: int, win: float, alpha: float = ALPHA) -> float:
    """Probability that the test rejects at `alpha` when each of `decided` comparisons is won with probability `win`.

    >>> round(power(100, 0.6), 3), power(5, 0.99)
    (0.462, 0.0)
    """
    wins = np.arange(decided + 1)
    rejected = 2 * binom.cdf(np.minimum(wins, decided - wins), decided, 0.5) <= alpha
    return float(binom.pmf(wins, decided, win)[rejected].sum())


def power_with_ties(shown: int, win: float, lose: float, alpha: float = ALPHA) -> float:
    """The same of `shown` comparisons that are won, lost or, for the rest, tied.

    >>> power_with_ties(100, 0.6, 0.4) == power(100, 0.6)
    True
    >>> power_with_ties(100, 0.3, 0.2) < power_with_ties(200, 0.3, 0.2)
    True
    """
    decided = win + lose
    if not decided:
        return 0.0
    chance = binom.pmf(np.arange(shown + 1), shown, decided)
    return float(sum(p * power(n, win / decided, alpha) for n, p in enumerate(chance) if p > 1e-12))
