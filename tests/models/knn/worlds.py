"""Train views for tests by hand."""

import pandas as pd

from common.splits.split import Split
from common.splits.train_view import TrainView, make_train_view
from tests.data.worlds import dataset


def seen_in_full(folder, interactions: pd.DataFrame, **tables) -> TrainView:
    """Everything visible: a split that hides nothing."""
    data = dataset(folder, interactions, **tables)
    nothing = interactions.iloc[:0]
    negatives = pd.DataFrame({"user_id": [], "item_id": [], "negative_id": []}, dtype=object)
    return make_train_view(data, Split(interactions, nothing, nothing, negatives), "listen", "final")
