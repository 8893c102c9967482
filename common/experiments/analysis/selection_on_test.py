"""What choosing on test would have claimed: every trial of a search on a split that served no search.

A trial is fitted as any model of the project: on train, validation watching, then again on train and validation by the
epochs chosen before. Its NDCG@10 of each user on both parts is kept as soon as both are known.
"""

import hashlib
import json
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import spearmanr
from tqdm import tqdm

from common.evaluation.evaluator import Evaluator
from common.evaluation.statistics import METRIC, bootstrap_interval, by_user
from common.experiments.experiment import Experiment
from common.experiments.stored.kept_tables import read_kept, write_kept
from common.models.base import Recommender
from common.utils.errors import DivergedError, UserError
from common.utils.settings import kept_values

NUMBERS = (1, 2, 5, 10)
"""Of how many trials, besides all of them, the best is asked for."""
BY_SEARCH, BY_VALIDATION, BY_TEST = "validation, split of the search", "validation, same split", "test"
CHOICES = ("Model", "Chosen on", "Trial", "Validation NDCG@10", "Test NDCG@10", "Below the best on test [95%]")
GROWTH = (
    *("Model", "Trials", "Rank correlation, split of the search", "Rank correlation, same split"),
    *(f"Excess of {n}" for n in NUMBERS),
    "Excess of all",
)
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Measured:
    """What the trials of one model reach.

    trials: their numbers, int64 (trials,). searched: NDCG@10 of the search, float64 (trials,). valid: on the validation
    part of the split, float64 (trials,). per_user: on its test part, float64 (users, trials).
    """

    trials: np.ndarray
    searched: np.ndarray
    valid: np.ndarray
    per_user: np.ndarray

    @property
    def test(self) -> np.ndarray:
        """NDCG@10 on test, float64 (trials,)."""
        return self.per_user.mean(axis=0)

    @property
    def chosen(self) -> dict[str, int]:
        """Place of the trial that each way of choosing takes, the earliest of equal ones."""
        ways = {BY_SEARCH: self.searched, BY_VALIDATION: self.valid, BY_TEST: self.test}
        return {way: int(np.argmax(values)) for way, values in ways.items()}

    def below_best(self, place: int) -> tuple[float, float, float]:
        """How far a trial lies below the one that is best on test: mean and 95% interval over users of the paired
        differences. The interval is of these two trials; that one of them was chosen by these very users it leaves out.
        """
        differences = self.per_user[:, self.chosen[BY_TEST]] - self.per_user[:, place]
        return float(differences.mean()), *bootstrap_interval(differences)

    def excess(self, n: int) -> float:
        """What choosing on test claims more than the trial reaches that validation of the same split chooses, expected
        over n of the trials."""
        return expected_choice(self.test, self.test, n) - expected_choice(self.valid, self.test, n)


def expected_choice(by: np.ndarray, values: np.ndarray, n: int) -> float:
    """Expected value of the trial that is best by `by` among n of all trials, every subset of n being as likely.

    In rising order of `by`, the i-th trial is the best of (i - 1 over n - 1) of the (N over n) subsets, so nothing is
    drawn at random (Tang et al. 2020). Of equal trials the earliest is taken. by, values: float (N,); n: 1 to N.

    >>> by = np.array([0.1, 0.3, 0.2])
    >>> expected_choice(by, by, 3), round(expected_choice(by, by, 2), 4), round(expected_choice(by, by, 1), 4)
    (0.3, 0.2667, 0.2)
    """
    order = np.lexsort((-np.arange(len(by)), by))
    subsets = math.comb(len(by), n)
    return float(sum(math.comb(i, n - 1) / subsets * values[place] for i, place in enumerate(order)))


def measure(exp: Experiment, kind: type[Recommender], trials: pd.DataFrame, settings: Sequence[Any]) -> Measured:
    """Fit and evaluate every trial, those that are kept from an earlier call left out.

    trials: trial and ndcg_10 of the search. settings: those of each trial. Raises a UserError where none can be fitted.
    """
    found: list[tuple[int, float, pd.DataFrame]] = []
    tasks = zip(trials["trial"], trials["ndcg_10"], settings, strict=True)
    for trial, searched, tried in tqdm(tasks, f"trials of {kind.name}", total=len(trials), disable=None):
        try:
            found.append((int(trial), float(searched), _kept(exp, kind, tried)))
        except DivergedError as error:
            log.info("%s: trial %d is left out: %s", kind.name, trial, error)
    if not found:
        raise UserError(f"none of {len(trials)} trials of {kind.name} could be trained to its end; see above")
    numbers, searched_values, tables = zip(*found, strict=True)
    valid = [table.loc[table["part"] == "valid", METRIC].mean() for table in tables]
    per_user = np.column_stack([table.loc[table["part"] == "test", METRIC] for table in tables])
    return Measured(np.array(numbers), np.array(searched_values), np.array(valid), per_user)


def _kept(exp: Experiment, kind: type[Recommender], settings: Any) -> pd.DataFrame:
    """NDCG@10 of each user on both parts with some settings: user_id, ndcg_10, part; measured where it is not kept."""
    made_of: dict[str, Any] = {"data_sha256": exp.data.sha256, "split_sha256": exp.train.split_sha256}
    made_of |= {"model": kind.name, "seed": exp.args.seed, "settings": kept_values(settings)}
    name = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:16]
    path = exp.folder / "selection_on_test" / kind.name / f"{name}.parquet"
    if (table := read_kept(path, made_of, "measured again")) is not None:
        return table
    model = exp.fit(kind(settings, seed=exp.args.seed, device=exp.device))
    valid = _ndcg("valid", exp.valid, model)
    model.refit(exp.train_valid, exp.context())
    table = pd.concat([valid, _ndcg("test", exp.test, model)], ignore_index=True)
    write_kept(path, table, made_of)
    return table


def _ndcg(part: str, evaluator: Evaluator, model: Recommender) -> pd.DataFrame:
    table = pd.DataFrame({"user_id": evaluator.users, METRIC: evaluator.ndcg_per_row(evaluator.rank(model))})
    return by_user(table).reset_index().assign(part=part)


def choices(found: dict[str, Measured]) -> list[list[str]]:
    """Cells below CHOICES: the trial that each way of choosing takes, and how far it lies below the best on test."""
    rows = []
    for model, measured in found.items():
        for way, place in measured.chosen.items():
            mean, low, high = measured.below_best(place)
            below = "-" if way == BY_TEST else f"{mean:.4f} [{low:.4f}, {high:.4f}]"
            figures = f"{measured.valid[place]:.4f}", f"{measured.test[place]:.4f}"
            rows.append([model, way, f"{measured.trials[place]}", *figures, below])
    return rows


def growth(found: dict[str, Measured]) -> list[list[str]]:
    """Cells below GROWTH: for each model its trials, the rank correlation of test with either validation (Spearman),
    and `excess` of NUMBERS and of all trials."""
    rows = []
    for model, measured in found.items():
        n_trials = len(measured.trials)
        correlations = [correlation(values, measured.test) for values in (measured.searched, measured.valid)]
        excess = [f"{measured.excess(n):.4f}" if n <= n_trials else "-" for n in (*NUMBERS, n_trials)]
        rows.append([model, f"{n_trials}", *correlations, *excess])
    return rows


def correlation(first: np.ndarray, second: np.ndarray) -> str:
    """Spearman's rank correlation as a cell, "-" where either has one value only.

    >>> correlation(np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 2.0])), correlation(np.ones(2), np.ones(2))
    ('0.50', '-')
    """
    if min(len(np.unique(first)), len(np.unique(second))) < 2:
        return "-"
    return f"{spearmanr(first, second).statistic:.2f}"
