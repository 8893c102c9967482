"""The graph of users and items that graph models spread along: normalised, and refused where it has too many edges."""

import numpy as np
from scipy import sparse

from common.splits.train_view import TrainView
from common.utils.arrays import weigh
from common.utils.errors import UserError

MOST_EDGES = 2**31 - 1
"""What the indices of a sparse matrix of 32 bits can tell apart."""


def check_edges(model: str, edges: int) -> None:
    """Raise a UserError for a graph that has more edges than sparse products can take."""
    if edges > MOST_EDGES:
        raise UserError(
            f"{model}: the graph has {edges:,} edges and can have {MOST_EDGES:,}; leave out rare items or part of the "
            "users, or use popularity"
        )


def normalised(train: TrainView, user_power: float, item_power: float, weighting: str = "binary") -> sparse.csr_array:
    """D_U^-p R D_I^-q, float32 (users, items), of the interactions R and the sums D of its rows and columns.

    >>> import pandas as pd
    >>> rows = pd.DataFrame({"user": [0, 0, 1], "item": [0, 1, 1], "weight": 1.0})
    >>> users, items = pd.DataFrame({"user_id": ["a", "b"]}), pd.DataFrame({"item_id": ["x", "y"]})
    >>> train = TrainView("toy", "listen", "select", "", 1, items, users, rows)
    >>> normalised(train, 0.5, 0.5).toarray().round(3)
    array([[0.707, 0.5  ],
           [0.   , 0.707]], dtype=float32)
    """
    matrix = weigh(train.histories.matrix(), weighting)
    of_users, of_items = (np.maximum(np.asarray(matrix.sum(axis=axis), np.float64), 1e-12) for axis in (1, 0))
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    values = matrix.data * of_users[rows] ** -user_power * of_items[matrix.indices] ** -item_power
    return sparse.csr_array((values.astype(np.float32), matrix.indices, matrix.indptr), shape=matrix.shape)
