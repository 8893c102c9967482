"""The ensemble's weights, chosen for each history length on the validation users of protocol `newcomer`.

A weight belongs to a history length, and newcomers are evaluated at every length: with 0, 1, 2, 5, 10 and 20 items of
the same user. So one trial answers for every length at once, all mixtures are tried, and the choice is made from the
values of single users. A study with one value per trial cannot hold that, hence a search of its own; once the parts are
fitted it takes seconds, and it is done anew each time. Held-out pairs of other protocols are not looked at, nor is
anybody's test part.
"""

import dataclasses
import logging
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from tqdm import tqdm

from common.data.dataset import Dataset
from common.evaluation.evaluator import Evaluator
from common.evaluation.task import Task
from common.models.ensemble import N_GIVEN, PARTS, Ensemble, EnsembleSettings
from common.splits.store import folder_name
from common.utils.errors import UserError

MOST_BYTES = 2 * 2**30
"""The parts' scores of all newcomers are kept while they take no more than this, else made anew for every trial."""
BOOTSTRAPS = 1000
"""How often users are drawn anew when weights are chosen."""
log = logging.getLogger(__name__)


class FoundWeights(NamedTuple):
    """What the search has chosen, as `tuning.Found`; table: NDCG@10 of every mixture at every history length."""

    settings: EnsembleSettings
    ndcg: float
    trials: int
    table: pd.DataFrame

    @property
    def by_length(self) -> dict[str, tuple[float, float]]:
        """The chosen weights of ALS and content at each history length."""
        voices = self.settings.part_weights()
        return {str(n): (voices[place, 0], voices[place, 1]) for place, n in enumerate(N_GIVEN)}


def tune_weights(
    data: Dataset, split_seed: int, start: EnsembleSettings, trials: int, seed: int, device: str
) -> FoundWeights | None:
    """Try `trials` mixtures of ALS, content and popularity at every history length and choose among them by NDCG@10.

    The parts keep their settings. A mixture is tried at all lengths at once, since none depends on another. None, and
    a warning, for data without newcomers: the ensemble then keeps its weights.
    """
    try:
        task = Task(data, folder_name("newcomer", split_seed))
        train, evaluator = task.train, task.valid
    except UserError as impossible:
        log.warning("ensemble keeps its weights, which are learned on newcomers: %s", impossible)
        return None
    trial = Trials(Ensemble(start, seed=seed, device=device).fit(train), evaluator)
    mixtures = simplex(trials)
    values = np.stack([trial(weights) for weights in tqdm(mixtures, "mixtures", disable=None)])
    by_length = {str(n): values[:, trial.length_of_row == place].mean(axis=1) for place, n in enumerate(N_GIVEN)}
    table = pd.concat([pd.DataFrame(mixtures, columns=list(PARTS)), pd.DataFrame(by_length)], axis=1)
    best = choose_weights(start, mixtures, values, trial.length_of_row)
    value = float(trial(best.part_weights()).mean())
    log.info("ensemble: validation NDCG@10 of newcomers %.4f with %s", value, best)
    return FoundWeights(best, value, len(mixtures), table)


def simplex(most: int) -> np.ndarray:
    """At most `most` weights (als, content, popularity) on an even grid of sum 1, as fine as that allows.

    >>> simplex(4)
    array([[0., 0., 1.],
           [0., 1., 0.],
           [1., 0., 0.]])
    """
    n = 1
    while (n + 2) * (n + 3) // 2 <= most:
        n += 1
    return np.array([(a, b, n - a - b) for a in range(n + 1) for b in range(n + 1 - a)]) / n


def choose_weights(
    start: EnsembleSettings, mixtures: np.ndarray, values: np.ndarray, length_of_row: np.ndarray
) -> EnsembleSettings:
    """The settings with the weights at every history length chosen from trials, `values` (mixtures, rows).

    The users at a length are drawn anew many times (bootstrap), each time the best mixture wins, and the mean of the
    winners is taken: where the validation users decide, that is the best mixture, and where chance would decide, it
    lies between those that might be.
    """
    rng, chosen = np.random.default_rng(0), dict[str, Any]()
    for place, n_given in enumerate(N_GIVEN):
        spoken_for = mixtures[:, 1:].sum(axis=1) > 0 if n_given == 0 else np.ones(len(mixtures), bool)
        rows = values[spoken_for][:, length_of_row == place]
        drawn = rng.multinomial(rows.shape[1], np.full(rows.shape[1], 1 / rows.shape[1]), size=BOOTSTRAPS)
        mixture = mixtures[spoken_for][(rows @ drawn.T).argmax(axis=0)].mean(axis=0)
        own = {v: float(w) for v, w in zip(PARTS, mixture, strict=True) if hasattr(start, f"{v}_{n_given}")}
        chosen |= {f"{voice}_{n_given}": round(weight / sum(own.values()), 4) for voice, weight in own.items()}
    return dataclasses.replace(start, **chosen)


class Trials:
    """NDCG@10 of newcomers under any weights, from part scores that are made once."""

    def __init__(self, model: Ensemble, evaluator: Evaluator) -> None:
        self.model, self.evaluator = model, evaluator
        given, n_items = evaluator.given, len(model.popularity)
        self.length_of_row = np.searchsorted(N_GIVEN, given.lengths, side="right") - 1
        fits = 4 * 4 * len(given) * n_items <= MOST_BYTES
        self.kept = self._parts(np.arange(len(given))) if fits else None

    def _parts(self, rows: np.ndarray) -> list[np.ndarray]:
        """The parts' scores of some rows in units of their best, each with weight 1."""
        return [part for _, part in self.model.scaled_parts(self.evaluator.given.take(rows), np.ones((len(rows), 4)))]

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        """NDCG@10 of each row, float64 (rows,), for weights of ALS, content and popularity: (3,) or (lengths, 3)."""
        audio = self.model.settings.audio
        als, content, popularity = np.broadcast_to(weights, (len(N_GIVEN), len(PARTS))).T
        of_parts = np.stack([als, (1 - audio) * content, audio * content, popularity], axis=1).astype(np.float32)

        def score(rows: np.ndarray) -> np.ndarray:
            parts = [part[rows] for part in self.kept] if self.kept else self._parts(rows)
            total, shares = np.zeros_like(parts[0]), of_parts[self.length_of_row[rows]]
            for m, part in enumerate(parts):
                total += shares[:, [m]] * part
            return total

        return self.evaluator.ndcg_per_row(self.evaluator.rank_scores(score))
