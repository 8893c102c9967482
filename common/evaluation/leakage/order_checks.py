"""Does one order follow another? Spearman's rank correlation, for ids, rows and counts."""

import numpy as np
import pandas as pd

from common.evaluation.sensitivity.variants import id_places

FEWEST = 10
"""Below so many values a correlation says nothing."""


def follows(first: np.ndarray, second: np.ndarray) -> float:
    """Spearman's rho of two columns, ids (object) by their raw order; NaN below FEWEST values or if one is constant.

    >>> follows(np.array([f"i{n}" for n in range(10, 22)], object), np.arange(12)[::-1])
    -1.0
    """
    from scipy.stats import spearmanr

    if first.dtype == object:
        first = id_places(first)
    if len(first) < FEWEST or (first == first[0]).all() or (second == second[0]).all():
        return float("nan")
    return round(float(spearmanr(first, second).statistic), 12)


def place_within(users: np.ndarray) -> np.ndarray:
    """Place of each row among the rows of its user, from 0 (first) to 1 (last), float64 (rows,); 0.5 for an only row.

    >>> place_within(np.array([7, 7, 8, 7]))
    array([0. , 0.5, 0.5, 1. ])
    """
    by_user = pd.Series(users).groupby(users)
    place, size = by_user.cumcount().to_numpy(), by_user.transform("size").to_numpy()
    return np.where(size > 1, place / np.maximum(size - 1, 1), 0.5)
