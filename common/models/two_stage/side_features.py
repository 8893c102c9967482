"""Features of a user alone or an item alone; `feature_names.py` says what each is."""

import numpy as np

from common.models.two_stage.feature_inputs import ratio
from common.models.two_stage.pair_features import Columns, Pairs

MAINSTREAM = 0.01
"""The share of the catalogue that counts as mainstream."""


def user_features(pairs: Pairs) -> Columns:
    """Length and popularity of the history."""
    head = pairs.tables.popularity_rank < MAINSTREAM
    share = ratio(pairs.has @ head.astype(float), pairs.lengths)
    own = {
        "user_items": np.log1p(pairs.lengths),
        "user_mainstream": pairs.user_mainstream,
        "user_mainstream_share": share,
    }
    return {name: values[pairs.rows] for name, values in own.items()}


def item_features(pairs: Pairs) -> Columns:
    """Listeners and popularity rank of the item, and how far they are from what the user is used to."""
    tables, items = pairs.tables, pairs.items
    mainstream = pairs.user_mainstream[pairs.rows]
    return {
        "item_listeners": tables.log_listeners[items],
        "item_popularity_rank": tables.popularity_rank[items],
        "item_mainstream": tables.item_mainstream[items],
        "popularity_gap": tables.log_listeners[items] - mainstream,
        "mainstream_gap": tables.item_mainstream[items] - mainstream,
    }


def demographic_features(pairs: Pairs) -> Columns:
    """NaN for users who are unknown, or of whom the data do not say."""
    tables, users, made = pairs.tables, pairs.query.users, dict[str, np.ndarray]()
    for column in ("age", "gender", "country"):
        if (values := tables.arrays.get(f"user_{column}")) is None:
            continue
        own = np.where(users >= 0, values[np.maximum(users, 0)], np.nan)[pairs.rows]
        told = ~np.isnan(values)
        telling = tables.has.T @ told.astype(float)
        if column == "age":
            mean = np.where(tables.arrays["spoken_of"], ratio(tables.has.T @ np.nan_to_num(values), telling), np.nan)
            made |= {"user_age": own, "age_gap": own - mean[pairs.items]}
            continue
        kinds = np.unique(values[told])
        like = tables.has.T @ (values[:, None] == kinds).astype(float)
        share = like / np.where(telling > 0, telling, np.nan)[:, None]
        place = np.searchsorted(kinds, np.where(np.isnan(own), kinds[0], own)).clip(max=len(kinds) - 1)
        of_pair = np.where(tables.arrays["spoken_of"][pairs.items], share[pairs.items, place], np.nan)
        made[f"{column}_share"] = np.where(np.isnan(own), np.nan, of_pair)
    return made
