import getpass

import numpy as np

from common.serving.user_profile import UserProfile, default_listener, with_feedback
from common.splits.histories import Histories


def profile(items, weights, liked=(), disliked=(), times=None) -> UserProfile:
    indptr = np.array([0, len(items)], np.int64)
    own = Histories(indptr, np.array(items, np.int32), np.array(weights, np.float32), 9, times)
    return UserProfile(3, own, list(liked), list(disliked))


def test_likes_stand_behind_the_own_history_with_its_median_weight():
    history = profile([4, 2, 7], [1, 5, 9], liked=[8, 2, 8], disliked=[4]).history
    assert history.items.tolist() == [2, 7, 8]
    assert history.weights.tolist() == [5, 9, 5]
    assert history.indptr.tolist() == [0, 3]


def test_likes_count_as_the_newest_events():
    times = np.array([10, 30], np.int64)
    newest = profile([1, 2], [1, 1], liked=[5], times=times).history.timestamps
    assert newest is not None
    assert newest.tolist() == [10, 30, 30]


def test_without_a_history_likes_weigh_one():
    history = profile([], [], liked=[5, 6]).history
    assert (history.items.tolist(), history.weights.tolist()) == ([5, 6], [1, 1])


def test_a_user_is_of_the_data_until_the_history_changes():
    assert profile([1], [1]).is_of_the_data
    assert not profile([1], [1], liked=[2]).is_of_the_data
    assert not profile([1], [1], disliked=[1]).is_of_the_data
    assert profile([1], [1], disliked=[2]).is_of_the_data


def test_the_newest_feedback_on_an_item_counts():
    liked = with_feedback(profile([1], [1], liked=[5], disliked=[6]), 6, True)
    assert (liked.liked, liked.disliked) == ([5, 6], [])
    disliked = with_feedback(liked, 5, False)
    assert (disliked.liked, disliked.disliked) == ([6], [5])


def test_whose_feedback_counts_where_nobody_is_named(monkeypatch):
    assert default_listener("12") == "user 12"
    monkeypatch.setattr(getpass, "getuser", lambda: "ann")
    assert default_listener("") == "ann"

    def nameless() -> str:
        raise OSError

    monkeypatch.setattr(getpass, "getuser", nameless)
    assert default_listener("") == "me"
