"""What is known of a listener: a history, likes and dislikes."""

import getpass
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from common.splits.histories import Histories


@dataclass(frozen=True)
class UserProfile:
    """What is known of a listener: the code of a user of the data (-1: none), and the items liked and disliked.

    history: the user's own and the liked items, of length 1. hour: the hour of the week at which a list is asked for
    (`request_time.hour_of_week`), None where none was given.
    """

    user: int
    own: Histories
    liked: list[int] = field(default_factory=list)
    disliked: list[int] = field(default_factory=list)
    hour: int | None = None

    @cached_property
    def history(self) -> Histories:
        """The user's history with the liked items behind it, each weighing the median of the history (1 if none)."""
        known = set(self.own.items.tolist())
        added = [item for item in dict.fromkeys(self.liked) if item not in known]
        kept = ~np.isin(self.own.items, self.disliked)
        weight = float(np.median(self.own.weights)) if len(self.own.weights) else 1.0
        items = np.concatenate([self.own.items[kept], np.array(added, np.int32)]).astype(np.int32)
        weights = np.concatenate([self.own.weights[kept], np.full(len(added), weight, np.float32)]).astype(np.float32)
        times = self.own.timestamps
        if times is not None:
            times = np.concatenate([times[kept], np.full(len(added), times.max(initial=0))])
        return Histories(np.array([0, len(items)], np.int64), items, weights, self.own.n_items, times)

    @property
    def is_of_the_data(self) -> bool:
        """Whether a model knows this very history from its training."""
        return self.user >= 0 and np.array_equal(self.history.items, self.own.items)


def default_listener(user_id: str) -> str:
    """Whose likes count where nobody is named: those kept for this user of the data, else this account's."""
    if user_id:
        return f"user {user_id}"
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an account without a name
        return "me"


def with_feedback(profile: UserProfile, item: int, liked: bool) -> UserProfile:
    """The profile with a like or dislike of one more item, in place of an earlier one."""
    likes = [i for i in profile.liked if i != item] + [item] * liked
    dislikes = [i for i in profile.disliked if i != item] + [item] * (not liked)
    return replace(profile, liked=likes, disliked=dislikes)
