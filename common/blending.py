"""The ensemble's weights, learned rung by rung on the validation users of protocol `newcomer`.

A weight belongs to a length of history, and newcomers are the people of whom every length is asked: 0, 1, 2, 5, 10
and 20 items of the same person. What other protocols hide is not looked at, nor is anybody's test part.
"""

import dataclasses
import logging
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
from tqdm import tqdm

from common.command_line import PRESETS
from common.data.splits import folder_name
from common.data.visible import visible
from common.errors import UserError
from common.evaluation.evaluate import Scorer
from common.experiment import Experiment
from common.files import write_parquet
from common.models.contract import Recommender
from common.models.ensemble import RUNGS, VOICES, Ensemble, EnsembleSettings
from common.tuning import write_preset

MOST_BYTES = 2 * 2**30
"""The parts' scores of all newcomers are kept while they take no more than this, else made anew for every trial."""
log = logging.getLogger(__name__)


def tune_weights(
    experiment: Experiment, kind: type[Recommender], start: EnsembleSettings, trials: int, presets: Path = PRESETS
) -> EnsembleSettings:
    """Try `trials` mixtures of ALS, content and popularity on every rung, keep the best of each by NDCG@10.

    The parts keep their settings. A mixture is tried on all rungs at once, since no rung depends on another; the
    start's own come first and win ties. All values go to `ensemble/weights.parquet` beside the results, the best ones
    to `presets/<dataset>.toml` under [tuned.ensemble.<protocol>]. Data without newcomers keep the start's weights.
    """
    try:
        seen = visible(experiment.data, folder_name("newcomer", experiment.settings.split_seed), "select")
        scorer = Scorer(experiment.data, seen)
    except UserError as impossible:
        log.warning("ensemble keeps its weights, which are learned on newcomers: %s", impossible)
        return start
    model = Ensemble(start, experiment.settings.seed)
    model.device = experiment.device
    trial_scores = _Trials(model.fit(seen), scorer)
    mixtures = np.concatenate([_weights(start), simplex(trials)])
    tried = [trial_scores(weights) for weights in tqdm(mixtures, "mixtures", disable=not sys.stderr.isatty())]
    table = pd.DataFrame(tried, columns=[str(rung) for rung in RUNGS])
    table = pd.concat([pd.DataFrame(mixtures, columns=list(VOICES)), table], axis=1)
    write_parquet(experiment.folder / kind.name / "weights.parquet", table)
    best = best_weights(start, table)
    value = float(np.mean(trial_scores.by_rung(_weights(best))))
    log.info("ensemble: best validation NDCG@10 of newcomers %.4f of %d mixtures: %s", value, len(table), best)
    found = SimpleNamespace(best_value=value, trials=mixtures)
    write_preset(presets / f"{experiment.data.name}.toml", kind.name, experiment.settings.protocol, best, found)
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


def best_weights(start: EnsembleSettings, table: pd.DataFrame) -> EnsembleSettings:
    """The settings with each rung's best mixture of a table of trials; of equal ones the first."""
    values = {}
    for rung in RUNGS:
        allowed = table[table["content"] + table["popularity"] > 0] if rung == 0 else table  # nobody's ALS is silent
        best = allowed.loc[allowed[str(rung)].idxmax()]
        own = [voice for voice in VOICES if hasattr(start, f"{voice}_{rung}")]
        total = sum(best[voice] for voice in own)
        values |= {f"{voice}_{rung}": round(float(best[voice] / total), 4) for voice in own}
    return dataclasses.replace(start, **values)


def _weights(settings: EnsembleSettings) -> np.ndarray:
    """Weights (als, content, popularity) of every rung, float64 (rungs, 3)."""
    als, tags, audio, popularity = settings.weights().T
    return np.stack([als, tags + audio, popularity], axis=1)


class _Trials:
    """NDCG@10 of a mixture on every rung of the ensemble, from part scores that are made once."""

    def __init__(self, model: Ensemble, scorer: Scorer) -> None:
        self.model, self.scorer = model, scorer
        given, n_items = scorer.given, len(model.popularity)
        self.rung_of_row = np.searchsorted(RUNGS, given.lengths, side="right") - 1
        fits = 4 * 4 * len(given) * n_items <= MOST_BYTES
        self.kept = self._parts(np.arange(len(given))) if fits else None

    def _parts(self, rows: np.ndarray) -> list[np.ndarray]:
        """The parts' scores of some rows in units of their best, each with weight 1."""
        return [part for _, part in self.model.scaled_parts(self.scorer.given.take(rows), np.ones((len(rows), 4)))]

    def __call__(self, weights: np.ndarray) -> list[float]:
        """NDCG@10 of each rung, all with the same weights (3,)."""
        return self.by_rung(np.tile(weights, (len(RUNGS), 1)))

    def by_rung(self, weights: np.ndarray) -> list[float]:
        """NDCG@10 of each rung with its own weights (rungs, 3)."""
        audio = self.model.settings.audio
        als, content, popularity = weights.T
        of_parts = np.stack([als, (1 - audio) * content, audio * content, popularity], axis=1).astype(np.float32)

        def score(rows: np.ndarray) -> np.ndarray:
            parts = [part[rows] for part in self.kept] if self.kept else self._parts(rows)
            shares = of_parts[self.rung_of_row[rows]]
            return np.sum([shares[:, [m]] * part for m, part in enumerate(parts)], axis=0)

        per_row = self.scorer.ndcg_per_row(self.scorer.rank_scores(score))
        return [float(per_row[self.rung_of_row == rung].mean()) for rung in range(len(RUNGS))]
