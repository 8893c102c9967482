"""What stage 4 shows besides its leaderboard: accuracy by history length, and what attention looks at."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from common.evaluation.segments import BINS, by_length, least_of_groups
from common.experiments.experiment import Experiment
from common.experiments.outputs import RowResults
from common.models import SASRec
from common.plots import networks as plots
from common.splits.train_view import TrainView


def accuracy_by_length(exp: Experiment, rows: RowResults) -> Path:
    """NDCG@10 and HR@10 of some rows against the length of the history."""
    lengths = lengths_of(exp.shown)
    edges = least_of_groups(lengths.to_numpy(), BINS)
    tables: Mapping[str, pd.DataFrame] = {name: by_length(row.per_user, lengths, edges) for name, row in rows.items()}
    return exp.plot("sasrec_by_length", plots.accuracy_by_length, tables, part=rows.part)


def lengths_of(train: TrainView) -> pd.Series:
    """Visible history length of each user, by id."""
    return pd.Series(train.histories.lengths, index=train.users["user_id"].astype(object))


def attention_of(exp: Experiment, model: SASRec, user: str) -> Path:
    """What attention looks at in one user's history."""
    code = exp.shown.user_code(user)
    items, weights = model.attention(exp.shown.histories.take(np.array([code])))
    names = exp.shown.names[items].tolist()
    return exp.plot("sasrec_attention", plots.attention, names, weights, note=f"user {user}")
