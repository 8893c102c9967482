"""One drawing of a split as a task: what to fit on, and what evaluates and compares the fitted models."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property

import pandas as pd

from common.data.dataset import Dataset
from common.evaluation.evaluator import Evaluator
from common.evaluation.recommendations import Evaluation
from common.evaluation.statistics import Measured, by_user, paired_table
from common.models.base import Recommender
from common.splits.holdout import make_holdout
from common.splits.protocols import PROTOCOLS
from common.splits.store import folder_name, load_split
from common.splits.train_view import TrainView, load_train_view
from common.utils.errors import UserError, check_known, did_you_mean, whole_number


class Task:
    """Fit on `train` and choose on `valid`; then fit again on `train_valid` and report on `test`.

    Each of the four is made when it is first used, so that a run that only chooses never opens the test part.
    `split_folder` names protocol and drawing, such as `listen-s3`; see `splits.store.folder_name`.
    """

    def __init__(self, data: Dataset, split_folder: str) -> None:
        self.data, self.split_folder = data, split_folder

    @cached_property
    def train(self) -> TrainView:
        """Every table without the valid and the test part."""
        return load_train_view(self.data, self.split_folder, "select")

    @cached_property
    def train_valid(self) -> TrainView:
        """Every table without the test part."""
        return load_train_view(self.data, self.split_folder, "final")

    @cached_property
    def valid(self) -> Evaluator:
        """Scores models fitted on `train`."""
        return self._evaluator(self.train)

    @cached_property
    def test(self) -> Evaluator:
        """Scores models fitted on `train_valid`."""
        return self._evaluator(self.train_valid)

    def _evaluator(self, train: TrainView) -> Evaluator:
        return Evaluator(train, make_holdout(load_split(self.data, self.split_folder), train))


def split(data: Dataset, protocol: str = "listen", seed: int = 0) -> Task:
    """The task that a protocol draws from a data set.

    protocol: `listen`, `listen-stratified`, `next`, `next-shuffled`, `newcomer`, `temporal`, `random-8020` or
    `random-811`. The split is
    drawn when it is first used and kept beside the data; another seed draws other held-out pairs. Raises a UserError
    for an unknown protocol and a seed below 0; its parts do so where the data lack what the protocol needs.
    """
    if not isinstance(data, Dataset):
        raise UserError(f"data: {type(data).__name__} is no data set; give what load_dataset returns")
    check_known("protocol", PROTOCOLS, protocol)
    return Task(data, folder_name(protocol, whole_number("seed", seed, 0)))


class Metrics(dict[str, float]):
    """Metrics by key. A key that is not there raises a UserError with the nearest ones."""

    def __missing__(self, key: str) -> float:
        """Refuse an unknown key."""
        near = difflib.get_close_matches(str(key), self, n=3)
        hint = did_you_mean(map(repr, near), "evaluate(...).metrics lists all of them")
        raise UserError(f"metric {key!r}: it was not measured here; {hint}")


def evaluate(model: Recommender, evaluator: Evaluator) -> Evaluation:
    """What a fitted model reaches on a part of a task: `evaluate(als, task.valid).metrics["ndcg_10"]`.

    Raises a UserError for a model that is not fitted, or fitted on another train view than that of the part:
    `task.train` belongs to `task.valid`, `task.train_valid` to `task.test`.
    """
    _check(model, evaluator)
    evaluation = evaluator.evaluate(model)
    return replace(evaluation, metrics=Metrics(evaluation.metrics))


def compare(
    models: Sequence[Recommender] | Mapping[str, Recommender], evaluator: Evaluator, metric: str = "ndcg_10"
) -> pd.DataFrame:
    """Models on the same users, each compared with the first: a row per model, in their order.

    Columns: model (its name, or its key in a mapping), value (the metric), difference (mean over users of model minus
    first model), low and high (95% bootstrap interval of the difference), p (two-sided paired randomisation test,
    Holm-adjusted over all comparisons). NaN in the first row, and in low, high and p of a metric that exists for all
    lists together only, such as coverage.

    Raises a UserError for fewer than two models, an unknown metric, and what `evaluate` refuses.
    """
    named = _named(models)
    for model in named.values():
        _check(model, evaluator)
    rows = []
    for label, model in named.items():
        evaluation = evaluate(model, evaluator)
        rows.append(Measured(label, evaluation.metrics[metric], by_user(evaluation.per_user).get(metric)))
    table = paired_table(rows)
    return table[["model", "value", "difference", "low", "high"]].assign(p=table["p_holm"])


def _named(models: Sequence[Recommender] | Mapping[str, Recommender]) -> dict[str, Recommender]:
    """Models by label; the second of one name is `als 2`."""
    if not isinstance(models, Mapping | Sequence) or isinstance(models, str) or len(models) < 2:
        raise UserError("models: compare takes a list of two models or more, the reference first")
    if isinstance(models, Mapping):
        return dict(models)
    named: dict[str, Recommender] = {}
    for model in models:
        name = getattr(model, "name", str(model))
        number = sum(getattr(other, "name", "") == name for other in named.values())
        named[f"{name} {number + 1}" if number else name] = model
    return named


def _check(model: Recommender, evaluator: Evaluator) -> None:
    """Raise a UserError for a model that this part cannot evaluate."""
    if not isinstance(evaluator, Evaluator):
        raise UserError(f"evaluator: {type(evaluator).__name__} is no part of a task; give task.valid or task.test")
    if not isinstance(model, Recommender):
        raise UserError(f"model: {model!r} is none; give a fitted one, such as ALS().fit(task.train)")
    part, train = evaluator.holdout.part, evaluator.train
    if model.train_view is None:
        raise UserError(f"{model.name} has no train view; call fit, or give the view that it was fitted on to load")
    if _identity(model.train_view) != _identity(train):
        raise UserError(
            f"{model.name} was fitted on {_described(model.train_view)}, but {part} belongs to {_described(train)}; "
            "evaluate models fitted on task.train with task.valid, those fitted on task.train_valid with task.test"
        )


def _identity(train: TrainView) -> tuple[str, ...]:
    return train.dataset, train.protocol, train.phase, train.split_sha256, train.catalogue_sha256


def _described(train: TrainView) -> str:
    return f"{'train' if train.phase == 'select' else 'train_valid'} of {train.dataset} / {train.protocol}"
