"""The ensemble's weights, learned rung by rung on the validation users of protocol `newcomer`.

A weight belongs to a length of history, and newcomers are the people of whom every length is asked: 0, 1, 2, 5, 10
and 20 items of the same person. So one trial answers for every length at once, all mixtures are tried, and the choice
is made from the values of single users. A sampler's study of one value per trial cannot hold that, hence a search of
its own behind the same call; once the parts are fitted it takes seconds, and it is done anew each time. What other
protocols hide is not looked at, nor is anybody's test part.
"""

import dataclasses
import logging
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from common.evaluation.evaluator import Evaluator
from common.evaluation.task import Task
from common.experiments.experiment import Experiment
from common.experiments.presets import PRESETS
from common.experiments.tuning import figure_of, keep_preset
from common.models.base import Recommender
from common.models.ensemble import N_GIVEN, VOICES, Ensemble, EnsembleSettings
from common.plots.search import draw_weights
from common.splits.store import folder_name
from common.utils.errors import UserError
from common.utils.io import display, write_parquet

MOST_BYTES = 2 * 2**30
"""The parts' scores of all newcomers are kept while they take no more than this, else made anew for every trial."""
BOOTSTRAPS = 1000
"""How often users are drawn anew when weights are chosen."""
log = logging.getLogger(__name__)


def tune_weights(
    experiment: Experiment, kind: type[Recommender], start: EnsembleSettings, trials: int, presets: Path = PRESETS
) -> EnsembleSettings:
    """Try `trials` mixtures of ALS, content and popularity on every rung and choose among them by NDCG@10.

    The parts keep their settings. A mixture is tried on all rungs at once, since no rung depends on another. NDCG@10
    of all goes to `ensemble/weights.parquet` beside the results, the chosen weights to `presets/<dataset>.toml`
    under [tuned.ensemble.<protocol>]. Data without newcomers keep the start's weights.
    """
    try:
        evaluator = Task(experiment.data, folder_name("newcomer", experiment.settings.split_seed)).valid
    except UserError as impossible:
        log.warning("ensemble keeps its weights, which are learned on newcomers: %s", impossible)
        return start
    model = Ensemble(start, seed=experiment.settings.seed, device=experiment.device)
    trial = Trials(model.fit(evaluator.train), evaluator)
    mixtures = simplex(trials)
    values = np.stack([trial(weights) for weights in tqdm(mixtures, "mixtures", disable=not sys.stderr.isatty())])
    by_rung = {str(rung): values[:, trial.rung_of_row == place].mean(axis=1) for place, rung in enumerate(N_GIVEN)}
    table = pd.concat([pd.DataFrame(mixtures, columns=list(VOICES)), pd.DataFrame(by_rung)], axis=1)
    write_parquet(experiment.folder / kind.name / "weights.parquet", table)
    best = choose_weights(start, mixtures, values, trial.rung_of_row)
    value = float(trial(best.voices()).mean())
    log.info("ensemble: validation NDCG@10 of newcomers %.4f with %s", value, best)
    title, path = figure_of(experiment, kind)
    voices = best.voices()
    draw_weights(table, {str(r): (voices[n, 0], voices[n, 1]) for n, r in enumerate(N_GIVEN)}, title, path)
    log.info("what the weights do: %s", display(path))
    keep_preset(experiment, kind, best, value, len(mixtures), presets)
    return best


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
    start: EnsembleSettings, mixtures: np.ndarray, values: np.ndarray, rung_of_row: np.ndarray
) -> EnsembleSettings:
    """The settings with the weights of every rung chosen from trials, `values` (mixtures, rows).

    The users of a rung are drawn anew many times (bootstrap), each time the best mixture wins, and the mean of the
    winners is taken: where the validation users decide, that is the best mixture, and where chance would decide, it
    lies between those that might be.
    """
    rng, chosen = np.random.default_rng(0), dict[str, Any]()
    for place, rung in enumerate(N_GIVEN):
        spoken_for = mixtures[:, 1:].sum(axis=1) > 0 if rung == 0 else np.ones(len(mixtures), bool)
        rows = values[spoken_for][:, rung_of_row == place]
        drawn = rng.multinomial(rows.shape[1], np.full(rows.shape[1], 1 / rows.shape[1]), size=BOOTSTRAPS)
        mixture = mixtures[spoken_for][(rows @ drawn.T).argmax(axis=0)].mean(axis=0)
        own = {v: float(w) for v, w in zip(VOICES, mixture, strict=True) if hasattr(start, f"{v}_{rung}")}
        chosen |= {f"{voice}_{rung}": round(weight / sum(own.values()), 4) for voice, weight in own.items()}
    return dataclasses.replace(start, **chosen)


class Trials:
    """NDCG@10 of newcomers under any weights, from part scores that are made once."""

    def __init__(self, model: Ensemble, evaluator: Evaluator) -> None:
        self.model, self.evaluator = model, evaluator
        given, n_items = evaluator.given, len(model.popularity)
        self.rung_of_row = np.searchsorted(N_GIVEN, given.lengths, side="right") - 1
        fits = 4 * 4 * len(given) * n_items <= MOST_BYTES
        self.kept = self._parts(np.arange(len(given))) if fits else None

    def _parts(self, rows: np.ndarray) -> list[np.ndarray]:
        """The parts' scores of some rows in units of their best, each with weight 1."""
        return [part for _, part in self.model.scaled_parts(self.evaluator.given.take(rows), np.ones((len(rows), 4)))]

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        """NDCG@10 of each row, float64 (rows,), for weights of ALS, content and popularity: (3,) or (rungs, 3)."""
        audio = self.model.settings.audio
        als, content, popularity = np.broadcast_to(weights, (len(N_GIVEN), len(VOICES))).T
        of_parts = np.stack([als, (1 - audio) * content, audio * content, popularity], axis=1).astype(np.float32)

        def score(rows: np.ndarray) -> np.ndarray:
            parts = [part[rows] for part in self.kept] if self.kept else self._parts(rows)
            total, shares = np.zeros_like(parts[0]), of_parts[self.rung_of_row[rows]]
            for m, part in enumerate(parts):
                total += shares[:, [m]] * part
            return total

        return self.evaluator.ndcg_per_row(self.evaluator.rank_scores(score))
