"""How good each model's lists are when 0, 1, 2, 5, 10 or 20 items are known of somebody new."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from common.evaluation.evaluator import Evaluator
from common.evaluation.segments import by_n_given
from common.experiments.experiment import Experiment
from common.features.user_attributes import user_attributes
from common.utils.io import read_parquet, write_parquet

LADDER = ("popularity", "content_knn", "tag_knn", "als", "ease", "ensemble", "sasrec", "two_tower", "hybrid_listnet")
"""The models that the ladder compares."""


def cold_start_rows(results: Mapping[str, Path]) -> dict[str, pd.DataFrame]:
    """`per_rung` of each model from its results folder."""
    return {name: by_n_given(read_parquet(folder / "per_user.parquet")) for name, folder in results.items()}


def evaluate_with_attributes(experiment: Experiment, model: Any, folder: Path) -> pd.DataFrame:
    """Score the newcomers once more with what is known of them beside a history; kept as `introduced.parquet`.

    The same people, lists and measure as those of the model's own row: user_id, given, ndcg_10.
    """
    phase = experiment.settings.phases[-1]
    evaluator: Evaluator = experiment.evaluators[phase]
    users = evaluator.users
    known = user_attributes(experiment.data, experiment.train[phase], users)
    ranking = evaluator.rank_scores(lambda rows: model.fold_in(evaluator.given.take(rows), known.take(rows)))
    table = pd.DataFrame(
        {"user_id": users.astype(str), "given": evaluator.n_given, "ndcg_10": evaluator.ndcg_per_row(ranking)}
    )
    write_parquet(folder / "introduced.parquet", table)
    return table
