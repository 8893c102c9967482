"""The two tables that carry a result: recommendations (top lists) and targets (every held-out pair with its ranks)."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from common.data.ids import codes_of
from common.evaluation.ranking import Ranking
from common.models.top_items import DEPTH
from common.splits.holdout import Holdout
from common.splits.train_view import TrainView
from common.utils.errors import UserError


@dataclass(frozen=True)
class Evaluation:
    """What a model reached on one part, "valid" or "test".

    recommendations: user_id, [given,] rank, item_id, score. targets: user_id, [given,] item_id, score, rank,
    rank_sampled99, listeners (in the train view), and of a model that predicts plays log_plays and predicted_log_plays.
    per_user: user_id, [given,] and one column per metric. metrics: key -> value. costs: key -> value, of what the
    evaluation itself measured. `given` is the number of items given of a newcomer.
    """

    part: str
    recommendations: pd.DataFrame
    targets: pd.DataFrame
    per_user: pd.DataFrame
    metrics: dict[str, float]
    costs: dict[str, float] = field(default_factory=dict)


def recommendations_table(ranking: Ranking, holdout: Holdout, train: TrainView) -> pd.DataFrame:
    """One row per recommended item, best first within a user."""
    rows, places = np.nonzero(ranking.items >= 0)
    return pd.DataFrame(
        {
            **_row_columns(holdout, rows),
            "rank": (places + 1).astype(np.int32),
            "item_id": _ids(train.items["item_id"], ranking.items[rows, places]),
            "score": ranking.scores[rows, places],
        }
    )


def targets_table(ranking: Ranking, holdout: Holdout, train: TrainView) -> pd.DataFrame:
    """One row per held-out pair: its score, its rank among all items and among its own 99 negatives."""
    return pd.DataFrame(
        {
            **_row_columns(holdout, holdout.target_rows),
            "item_id": _ids(train.items["item_id"], holdout.target_items),
            "score": ranking.target_scores,
            "rank": ranking.target_ranks.astype(np.int32),
            "rank_sampled99": ranking.target_ranks_sampled.astype(np.int32),
            "listeners": train.counts[holdout.target_items].astype(np.int32),
        }
    )


def ranking_of(recommendations: pd.DataFrame, targets: pd.DataFrame, holdout: Holdout, train: TrainView) -> Ranking:
    """The ranking that gave two tables, read back. Raises UserError if they are not of this holdout."""
    ids = pd.Index(train.items["item_id"])
    if len(targets) != len(holdout.target_items) or (codes_of(targets["item_id"], ids) != holdout.target_items).any():
        raise UserError("the run's targets.parquet names other held-out pairs than the split does; run its stage again")
    check(recommendations, holdout, train)
    rows, places = rows_of(recommendations, holdout), recommendations["rank"].to_numpy() - 1
    items, scores = np.full((len(holdout.users), DEPTH), -1, np.int32), np.full((len(holdout.users), DEPTH), np.nan)
    items[rows, places] = codes_of(recommendations["item_id"], ids)
    scores[rows, places] = recommendations["score"].to_numpy()
    own, full, sampled = (targets[name].to_numpy() for name in ("score", "rank", "rank_sampled99"))
    return Ranking(items, scores.astype(np.float32), own, full.astype(np.int64), sampled.astype(np.int64))


def rows_of(table: pd.DataFrame, holdout: Holdout) -> np.ndarray:
    """The evaluated row that each row of either table belongs to, int64; negative for a user who is not evaluated."""
    users = np.unique(holdout.users)
    rows = codes_of(table["user_id"], pd.Index(users))
    if holdout.n_given is None:
        return rows
    place = pd.Index(np.unique(holdout.n_given)).get_indexer(table["given"])
    return np.where((rows >= 0) & (place >= 0), rows + len(users) * place, -1)


def check(table: pd.DataFrame, holdout: Holdout, train: TrainView) -> None:
    """Raises UserError that says in a sentence what is wrong with a table of recommendations."""
    rows, items = rows_of(table, holdout), codes_of(table["item_id"], pd.Index(train.items["item_id"]))
    _refuse(table, rows < 0, "user {user_id!r} is not among those evaluated")
    _refuse(table, items < 0, "item {item_id!r} is not in the catalogue")
    pairs = pd.Series(rows * train.n_items + items)
    _refuse(table, pairs.duplicated().to_numpy(), "user {user_id!r} has item {item_id!r} twice")
    seen = holdout.given.rows * train.n_items + holdout.given.items
    _refuse(table, pairs.isin(seen).to_numpy(), "user {user_id!r} has item {item_id!r} in the history already")
    expected = pd.Series(1, table.index).groupby(rows).cumsum()
    in_order = table["rank"].groupby(rows).transform(lambda ranks: np.sort(ranks.to_numpy()))
    _refuse(
        table, (in_order != expected).to_numpy(), f"the ranks of user {{user_id!r}} are not 1, 2, ... up to {DEPTH}"
    )
    _refuse(table, (expected > DEPTH).to_numpy(), f"user {{user_id!r}} has more than {DEPTH} items")


def _refuse(table: pd.DataFrame, wrong: np.ndarray, sentence: str) -> None:
    if wrong.any():
        row = table.iloc[int(np.argmax(wrong))]
        raise UserError(f"recommendations: {sentence.format(**row)}; write the table again")


def _row_columns(holdout: Holdout, rows: np.ndarray) -> dict[str, object]:
    if holdout.n_given is None:
        return {"user_id": _ids(pd.Series(holdout.users), rows)}
    users, codes = np.unique(holdout.users, return_inverse=True)
    return {"user_id": _ids(pd.Series(users), codes[rows]), "given": holdout.n_given[rows].astype(np.int32)}


def _ids(ids: pd.Series, codes: np.ndarray) -> pd.Categorical:
    return pd.Categorical.from_codes(codes, categories=pd.Index(ids))
