"""Users beside their history: friends and demographics, also of users whom no model was fitted on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from common.data.dataset import Dataset
from common.data.ids import codes_of
from common.splits.train_view import TrainView


@dataclass(frozen=True)
class UserAttributes:
    """Attributes of some users, row by row."""

    users: pd.DataFrame
    """age, gender, country, as far as the data have them."""
    friends: Sequence[np.ndarray]
    """Codes of those of their friends who are in the train view, int64 each."""

    def take(self, rows: np.ndarray) -> "UserAttributes":
        """Some of the rows, in this order."""
        return UserAttributes(self.users.iloc[rows].reset_index(drop=True), [self.friends[row] for row in rows])


def user_attributes(data: Dataset, train: TrainView, user_ids: np.ndarray) -> UserAttributes:
    """The attributes of users, object (users,) ids."""
    queried = pd.DataFrame({"user_id": user_ids.astype(object)})
    users = queried.merge(data.tables.users.astype({"user_id": object}), on="user_id", how="left")
    friends = [np.zeros(0, np.int64)] * len(queried)
    if data.tables.social is not None:
        known = pd.Index(train.users["user_id"])
        codes = codes_of(data.tables.social["friend_id"], known)
        ties = pd.DataFrame({"user_id": data.tables.social["user_id"].astype(object), "friend": codes})
        by_id = ties[codes >= 0].groupby("user_id")["friend"].unique()
        friends = [np.asarray(by_id.get(user, np.zeros(0)), np.int64) for user in queried["user_id"]]
    return UserAttributes(users.drop(columns="user_id"), friends)
