"""Which of several interleaved rankers is preferred: wins of each pair, with an exact test."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from common.evaluation.statistics import holm
from common.serving.interleaving.sign_test import ALPHA, share_interval, sign_test
from common.serving.interleaving.team_draft import Pick, credits
from common.serving.store.impressions import Shown

UNITS = SESSION, LIST = ("session", "list")
"""What one comparison is: all lists of a session together, or every list."""


@dataclass(frozen=True)
class Comparison:
    """One pair of rankers. A session (or list) is won by the ranker with more votes, tied where both have as many.

    silent: sessions without a vote for either, which are ties that say nothing; p: two-sided sign test of wins against
    losses; p_holm: p for all pairs of the experiment at once; low, high: exact 95% interval of the win share.
    """

    ranker: str
    other: str
    wins: int
    losses: int
    ties: int
    silent: int
    p: float
    low: float
    high: float
    p_holm: float = 1.0

    @property
    def share(self) -> float | None:
        """Wins among the decided comparisons, None where there are none."""
        decided = self.wins + self.losses
        return self.wins / decided if decided else None

    @property
    def preferred(self) -> str | None:
        """The ranker that wins more often, where p_holm < ALPHA; else None."""
        if self.p_holm >= ALPHA:
            return None
        return self.ranker if self.wins > self.losses else self.other


def compare(experiment: Sequence[str], lists: Iterable[Shown], unit: str = SESSION) -> list[Comparison]:
    """Every pair of an experiment's rankers over its lists; `unit` is SESSION or LIST.

    Lists of one session come from one person and are not independent, which the test takes for granted, so a session's
    votes are added up unless `unit` says otherwise.
    """
    votes: dict[str, dict[str, int]] = {}
    for shown in lists:
        of_unit = votes.setdefault(shown.session if unit == SESSION else shown.request_id, dict.fromkeys(experiment, 0))
        for ranker, count in credits([Pick(*pick) for pick in shown.picks], shown.clicked).items():
            of_unit[ranker] = of_unit.get(ranker, 0) + count
    pairs = [_pair(*names, list(votes.values())) for names in combinations(experiment, 2)]
    adjusted = holm(np.array([pair.p for pair in pairs]))
    return [replace(pair, p_holm=float(p)) for pair, p in zip(pairs, adjusted, strict=True)]


def _pair(ranker: str, other: str, votes: Sequence[dict[str, int]]) -> Comparison:
    """Wins, losses and ties of one pair, not corrected for others."""
    own, its = (np.array([unit[name] for unit in votes], np.int64) for name in (ranker, other))
    wins, losses = int((own > its).sum()), int((own < its).sum())
    silent = int(((own == 0) & (its == 0)).sum())
    ties = len(votes) - wins - losses - silent
    return Comparison(ranker, other, wins, losses, ties, silent, sign_test(wins, losses), *share_interval(wins, losses))
