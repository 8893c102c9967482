"""Accuracy for newcomers of whom 0, 1, 2, 5, 10 or 20 items are known: the cold-start curve of each model."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from common.evaluation.segments import by_n_given
from common.experiments.experiment import Experiment
from common.experiments.run import PartResults
from common.features.user_attributes import user_attributes

COLD_START_MODELS = (
    *("popularity", "content_knn", "tag_knn", "als", "ease", "ensemble", "sasrec", "two_tower", "hybrid_listnet"),
)
"""The models that the curve compares."""
WITH_FRIENDS = "two_tower, friends known"
"""The row of the towers that also know who a user's friends are, and their demographics."""
TABLE = "introduced"
"""The table, beside a run's results, of what `evaluate_with_attributes` found."""


def cold_start_curves(results: Mapping[str, PartResults]) -> dict[str, pd.DataFrame]:
    """NDCG@10 by the number of given items of each model, see `by_n_given`."""
    return {name: by_n_given(row.per_user) for name, row in results.items()}


def evaluate_with_attributes(exp: Experiment, model: Any) -> pd.DataFrame:
    """Score the newcomers once more with what is known of them beside a history; gives their NDCG@10 `by_n_given`.

    The same users, lists and metric as those of the model's own row; kept with its results: user_id, given, ndcg_10.
    """
    evaluator = exp.evaluator
    known = user_attributes(exp.data, evaluator.train, evaluator.users)
    ranking = evaluator.rank_scores(lambda rows: model.fold_in(evaluator.given.take(rows), known.take(rows)))
    columns = {"user_id": evaluator.users.astype(str), "given": evaluator.n_given}
    table = pd.DataFrame(columns | {"ndcg_10": evaluator.ndcg_per_row(ranking)})
    kind = type(model)
    exp.run_of(kind).results(exp.part).write_table(TABLE, table, exp.config_of(kind))
    return by_n_given(table)
