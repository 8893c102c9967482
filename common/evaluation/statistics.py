"""How sure a figure is: intervals by drawing the users anew."""

import numpy as np

DRAWS = 2000
"""How often the users are drawn."""


def bootstrap_interval(per_user: np.ndarray, level: float = 0.95, seed: int = 0) -> tuple[float, float]:
    """Percentile interval of a mean over users: the users are drawn anew, with replacement (Efron 1979).

    `per_user` are values float (users,), of a paired comparison the differences of each user.

    >>> bootstrap_interval(np.array([0.5, 0.5, 0.5]))
    (0.5, 0.5)
    """
    rng = np.random.default_rng(seed)
    draws = rng.multinomial(len(per_user), np.full(len(per_user), 1 / len(per_user)), size=DRAWS)
    means = draws @ np.asarray(per_user, float) / len(per_user)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
