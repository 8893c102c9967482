"""A split that comes with the data (train and test files): used as it is; only what is missing is drawn."""

import numpy as np
import pandas as pd

from common.utils.errors import UserError

SERVED = ("listen", "next")
"""The protocols that a ready-made split may follow; which of them, only its maker knows."""


def predefined_parts(
    parts: dict[str, pd.DataFrame], name: str, protocol: str, rng: np.random.Generator
) -> dict[str, pd.DataFrame]:
    """Train, valid and test; where there is no valid it is carved from train by the protocol's rule.

    `listen`: of a user with at least 5 items max(1, floor(train / 10)) of train, drawn by chance. `next`: the last
    event of train (by time, else in file order) of a user with at least 2 there and 3 in all.
    """
    if protocol not in SERVED:
        raise UserError(f"data set {name!r} has a ready-made split, which serves --protocol listen and next alone")
    train, test = parts["train"], parts["test"]
    if protocol == "next" and "timestamp" in train:
        train = train.sort_values("timestamp", kind="stable", ignore_index=True)
    train = train.sort_values("user_id", kind="stable", ignore_index=True)
    if "valid" in parts:
        return {"train": train, "valid": parts["valid"], "test": test}
    in_train = train.groupby("user_id", observed=True)["item_id"].transform("size").to_numpy()
    total = in_train + train["user_id"].map(test["user_id"].value_counts()).astype(float).fillna(0).to_numpy()
    if protocol == "next":
        place = train.groupby("user_id", observed=True).cumcount(ascending=False).to_numpy()
        n_valid = np.where((in_train >= 2) & (total >= 3), 1, 0)
    else:
        shuffled = train.iloc[rng.permutation(len(train))]
        place = shuffled.groupby("user_id", observed=True).cumcount().sort_index().to_numpy()
        n_valid = np.where((in_train >= 2) & (total >= 5), np.maximum(1, in_train // 10), 0)
    valid = place < n_valid
    return {
        "train": train[~valid].reset_index(drop=True),
        "valid": train[valid].reset_index(drop=True),
        "test": test,
    }
