"""The features of a (user, item) pair: names and meanings. `pair_features.py` makes them.

A feature is made from the train view and from what is known of the user, never from the pair itself. What cannot be
known is NaN, and groups of features for which the data have no table are left out. Items of so few visible listeners
that they must have held-out ones (`TrainView.count_floor`) share one popularity, and nothing is said of their
listeners. What collaborative models say of an item with one listener is NaN, as it is of one with none: else a score of
exactly nothing would betray an item whose listeners are all held out. Whether the user has tagged the item without
listening is no feature: the tags of held-out pairs are held out too, so that a visible tag would only betray what is
not.
"""

import re

FEATURES: dict[str, dict[str, str]] = {
    "user": {
        "user_items": "log(1 + items of the history)",
        "user_mainstream": "mean log listeners of the history",
        "user_mainstream_share": "share of the history among the most popular 1% of the catalogue",
    },
    "item": {
        "item_listeners": "log listeners",
        "item_popularity_rank": "place by listeners as a share of the catalogue; equal counts share a place",
        "item_mainstream": "mean of the listeners' user_mainstream",
        "popularity_gap": "item_listeners - user_mainstream",
        "mainstream_gap": "item_mainstream - user_mainstream",
    },
    "plays": {
        "user_log_plays": "mean log(1 + plays) of the history",
        "user_total_plays": "log(1 + all plays)",
        "user_top_share": "share of the most played item in all plays",
        "user_concentration": "sum of the squared shares of plays (Herfindahl index)",
        "item_log_plays": "mean log(1 + plays) of the listeners",
        "item_intensity": "item_log_plays - mean of the listeners' user_log_plays",
        "relative_activity": "user_log_plays - mean of the listeners' user_log_plays",
        "interaction_strength": "mean log(1 + plays) of the history, weighed by similarity to the item (item kNN)",
    },
    "sources": {
        "<source>_rank": "candidates that the source puts before the item",
        "<source>_score": "the source's score in units of the user's best",
        "<source>_strength": "the source's score in units of the mean of all users' best",
        "votes": "sources that propose the item",
    },
    "content": {
        "genre_max": "largest cosine of genres with an item of the history",
        "genre_mean": "mean cosine of genres with the history",
        "user_genre_entropy": "entropy of the history's genres",
        "audio_max": "largest cosine of standardised audio with an item of the history",
        "audio_mean": "mean cosine of standardised audio with the history",
        "audio_distance": "distance of standardised audio from the history's mean",
        "year_gap": "release year - mean release year of the history",
    },
    "tags": {
        "tag_max": "largest cosine of TF-IDF tags with an item of the history",
        "tag_mean": "mean cosine of TF-IDF tags with the history",
        "tag_overlap": "share of the item's tag assignments whose tag stands in the history",
        "user_tag_entropy": "entropy of the history's tags",
        "user_tag_diversity": "log(1 + distinct tags of the history)",
    },
    "friends": {
        "friends_listening": "friends who have the item",
        "friends_share": "the same as a share of the friends",
        "user_friends": "log(1 + friends)",
    },
    "order": {
        "tag_last_<n>": "mean cosine of TF-IDF tags with the last n = 1, 5, 15 items",
        "listening_last_<n>": "mean similarity (item kNN) to the last n = 1, 5, 15 items",
    },
    "time": {
        "days_since_last": "days from the user's last event to the newest of all",
        "events_of_last_day": "log(1 + the user's events on their last day)",
        "item_time_gap": "days from the user's last event to the item's mean event",
        "item_newest_gap": "days from the user's last event to the item's newest event",
        "item_now_share": "share of the item's events within a month of the user's last event",
        "item_later_share": "share of the item's events more than a day after the user's last event",
    },
    "people": {
        "user_age": "age in years",
        "age_gap": "age - mean age of the item's listeners",
        "gender_share": "share of the listeners that have the user's gender",
        "country_share": "share of the listeners that have the user's country",
    },
    "context": {
        "hour_lift": "log of how much more than usual the item is played within 3 hours of the request's time of day",
        "weekday_lift": "log of how much more than usual the item is played on the request's weekday",
    },
}
"""Group -> feature -> what it is. <source> and <n> stand for several columns."""


def meaning(column: str) -> str:
    """What a column of features is, "" for one that is none.

    >>> meaning("als_rank"), meaning("tag_last_5")
    ('candidates that als puts before the item', 'mean cosine of TF-IDF tags with the last 5 items')
    """
    for group in FEATURES.values():
        for name, is_what in group.items():
            pattern = re.escape(name).replace("<source>", "(.+)").replace("<n>", r"(\d+)")
            if match := re.fullmatch(pattern, column):
                stands = match[1] if match.groups() else ""
                return is_what.replace("the source", stands).replace("n = 1, 5, 15", stands)
    return ""
