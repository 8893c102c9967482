"""Features of users and of items alone, by hand."""

from typing import Any

import numpy as np

from tests.models.two_stage.test_feature_builder import check, made, tiny


def test_users_items_and_plays_by_hand():
    found = made(tiny(), [0, 0, 1], [2, 4, 1])
    two, logs = np.log(2), [np.log([4, 2]), np.log([8, 8]), np.log([2, 2, 3])]
    means: list[Any] = [values.mean() for values in logs]
    check(
        found,
        user_items=[np.log(3)] * 3,
        user_mainstream=[two, two, two],
        item_listeners=[two, 0, two],  # one listener and none share one popularity
        item_popularity_rank=[0, 3 / 5, 0],
        popularity_gap=[0, -two, 0],
        user_log_plays=[means[0], means[0], means[1]],
        user_total_plays=[np.log(5), np.log(5), np.log(15)],
        user_top_share=[3 / 4, 3 / 4, 1 / 2],
        user_concentration=[10 / 16, 10 / 16, 1 / 2],
        item_log_plays=[np.log([8, 2]).mean(), np.nan, np.log([2, 3]).mean()],
        item_intensity=[
            np.log([8, 2]).mean() - np.mean([means[1], means[2]]),
            np.nan,
            np.log([2, 3]).mean() - np.mean([means[0], means[2]]),
        ],
        relative_activity=[
            means[0] - np.mean([means[1], means[2]]),
            np.nan,
            means[1] - np.mean([means[0], means[2]]),
        ],
    )


def test_friends_and_people_by_hand():
    found = made(tiny(), [0, 1, 2], [2, 1, 0])
    check(
        found,
        friends_listening=[2, 1, 1],
        friends_share=[1, 1, 1],
        user_friends=[np.log(3), np.log(2), np.log(2)],
        user_age=[20, 30, np.nan],
        age_gap=[20 - 30, 30 - 20, np.nan],  # of the listeners of item 2 and 1 one does not say
        gender_share=[1 / 2, 0, 1 / 2],
    )
