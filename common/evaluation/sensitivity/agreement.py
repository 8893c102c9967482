"""Whether two variants put the same models into the same order, and how sure that is."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from common.evaluation.statistics import bootstrap_interval


@dataclass(frozen=True)
class Difference:
    """Mean of one model minus that of another over the same users, and its 95% interval (users drawn anew)."""

    mean: float
    low: float
    high: float

    @property
    def sure(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Flip:
    """Two models that one variant puts in one order and another in the other; `better` leads under the first."""

    better: str
    worse: str
    first: Difference
    second: Difference

    @property
    def sure(self) -> bool:
        """Whether both differences are beyond chance."""
        return self.first.sure and self.second.sure


def flips(first: Mapping[str, np.ndarray], second: Mapping[str, np.ndarray]) -> list[Flip]:
    """Pairs of models that change places, the surest first; `first`, `second`: model -> values float (users,).

    Each variant's difference is paired over its own users; users without a value (NaN) are left out.

    >>> [flip] = flips({"a": np.array([0.2, 0.4]), "b": np.array([0.1, 0.3])}, {"a": np.zeros(3), "b": np.ones(3)})
    >>> flip.better, flip.worse, flip.sure
    ('a', 'b', True)
    """
    found = []
    for one, other in combinations([model for model in first if model in second], 2):
        here, there = (_known(values[one] - values[other]) for values in (first, second))
        if here.sum() * there.sum() < 0:
            better, worse, sign = (one, other, 1) if here.sum() > 0 else (other, one, -1)
            found.append(Flip(better, worse, _difference(sign * here), _difference(sign * there)))
    return sorted(found, key=lambda flip: (not flip.sure, -min(abs(flip.first.mean), abs(flip.second.mean))))


def _known(values: np.ndarray) -> np.ndarray:
    return values[~np.isnan(values)]


def _difference(per_user: np.ndarray) -> Difference:
    return Difference(float(per_user.mean()), *bootstrap_interval(per_user))


def kendall_tau(first: Mapping[str, float], second: Mapping[str, float]) -> float:
    """Kendall's tau-b of the orders that two variants put the same models in: 1 the same, -1 reversed, NaN below two
    models or where a variant gives all of them the same value.

    >>> round(kendall_tau({"a": 0.1, "b": 0.2, "c": 0.3}, {"a": 0.1, "b": 0.3, "c": 0.2}), 4)
    0.3333
    """
    from scipy.stats import kendalltau

    both = [model for model in first if model in second]
    values = [[of[model] for model in both] for of in (first, second)]
    if len(both) < 2 or any(len(set(row)) == 1 for row in values):
        return float("nan")
    return float(kendalltau(*values).statistic)
