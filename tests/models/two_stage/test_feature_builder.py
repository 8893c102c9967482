"""Features by hand on a tiny world, every one of them named and explained, and none that sees the pair it describes."""

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

from common.data.tables import AUDIO_FEATURES
from common.models.linear.als import ALSSettings
from common.models.two_stage.candidates import (
    KINDS,
    CandidateGenerator,
    CandidateSettings,
    available,
)
from common.models.two_stage.feature_builder import aligned
from common.models.two_stage.feature_inputs import feature_tables
from common.models.two_stage.feature_names import FEATURES
from common.models.two_stage.pair_features import Pairs, make_features
from common.splits.histories import Histories, Query
from common.splits.train_view import TrainView

DAY = 86_400
# Three people, five items. Items 0 and 1 are of one kind, 2 and 3 of another, of item 4 nothing is known.
ROWS = [(0, 0, 3.0, 1), (0, 1, 1.0, 5), (1, 0, 7.0, 2), (1, 2, 7.0, 40), (2, 2, 1.0, 3), (2, 3, 1.0, 3), (2, 1, 2.0, 9)]


def tiny(protocol: str = "listen", **changed: Any) -> TrainView:
    rows = pd.DataFrame(ROWS, columns=["user", "item", "weight", "day"])
    rows = rows.assign(timestamp=rows["day"] * DAY).drop(columns="day")
    rows = rows.astype({"user": np.int32, "item": np.int32})
    items = pd.DataFrame({"item_id": list("abcde"), "genres": ["rock", "rock", "jazz", "jazz|rock", None]})
    items["release_year"] = [1990.0, 1992, 2000, 2002, np.nan]
    for feature in AUDIO_FEATURES:
        items[feature] = [0.0, 1, 2, 3, np.nan]
    users = pd.DataFrame({"user_id": list("uvw"), "age": [20.0, 30, np.nan], "gender": ["f", "m", "f"]})
    tags = pd.DataFrame({"user": [0, 0, 1, 2], "item": [0, 1, 2, 3], "tag": ["x", "x", "y", "y"]})
    weights = pd.DataFrame({"item": [0, 1, 2, 3, 3], "tag": ["x", "x", "y", "x", "y"], "weight": [2.0, 1, 1, 3, 1]})
    social = pd.DataFrame({"user": [0, 1, 0, 2], "friend": [1, 0, 2, 0]})
    tables: dict[str, Any] = {
        **{"dataset": "tiny", "protocol": protocol, "phase": "select", "split_sha256": "", "count_floor": 1},
        **{"items": items, "users": users, "interactions": rows, "social": social, "item_tags": weights},
        **{"user_item_tags": tags, "songs": None},
    }
    return TrainView(**tables | changed)


def generator_of(train: TrainView) -> CandidateGenerator:
    return CandidateGenerator(CandidateSettings(top=2, als=ALSSettings(factors=2, regularisation=1.0)), 0).fit(train)


def made(train: TrainView, rows: list[int], items: list[int], query: Query | None = None) -> dict[str, np.ndarray]:
    """Features of some pairs of known users by name."""
    generator = generator_of(train)
    query = query or Query(np.arange(train.n_users), train.histories)
    groups = make_features(Pairs(feature_tables(train), generator.propose(query), np.array(rows), np.array(items)))
    return {name: np.asarray(column) for columns in groups.values() for name, column in columns.items()}


def check(found: dict[str, np.ndarray], **expected: list[Any]) -> None:
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-5, atol=1e-7, err_msg=name)


def test_somebody_unknown_has_no_friends_and_no_age():
    train = tiny("next")
    times = np.array([7 * DAY])
    history = Histories(np.array([0, 1]), np.array([0], np.int32), np.array([2.0], np.float32), 5, times)
    found = made(train, [0], [2], Query(np.array([-1]), history))
    for name in ("friends_listening", "friends_share", "user_friends", "user_age", "age_gap", "gender_share"):
        assert np.isnan(found[name]).all(), name
    check(found, user_items=[np.log(2)], item_newest_gap=[33])


def test_an_empty_history_leaves_nothing_but_what_the_item_says():
    empty = Histories.from_lists([[]], 5)
    found = made(tiny(), [0, 0], [2, 4], Query(np.array([-1]), empty))
    for name in ("user_mainstream", "tag_max", "genre_mean", "audio_distance", "interaction_strength"):
        assert np.isnan(found[name]).all(), name
    check(found, item_listeners=[np.log(2), 0], user_items=[0, 0])


def test_counts_at_the_floor_are_not_told_apart():
    """Item 3 has one listener, item 4 none: nothing that is said of listeners may tell them apart."""
    found = made(tiny("next"), [0, 0], [3, 4])
    of_listeners = ["popularity_gap", "mainstream_gap", "relative_activity", "age_gap", "gender_share"]
    collaborative = ("als", "ease", "item", "user_knn", "friends_", "interaction", "listening_last", "popularity")
    of_listeners += [name for name in found if name.startswith(collaborative)]
    assert len(of_listeners) >= 33
    for name in of_listeners:
        one, none = found[name]
        assert one == none or (np.isnan(one) and np.isnan(none)), name


def test_a_pair_is_described_alike_whatever_else_is_asked():
    train = tiny("next")
    together = made(train, [0, 0, 1, 2], [2, 4, 1, 0])
    for place, (row, item) in enumerate([(0, 2), (0, 4), (1, 1), (2, 0)]):
        alone = made(train, [row], [item])
        for name, values in alone.items():
            np.testing.assert_allclose(values[0], together[name][place], rtol=1e-6, err_msg=name)


@pytest.mark.parametrize(
    ("changed", "group", "source"),
    [
        ({"user_item_tags": None, "item_tags": None}, "tags", "tag_knn"),
        ({"social": None}, "friends", "friends"),
        ({"users": pd.DataFrame({"user_id": list("uvw")})}, "people", None),
        ({"items": pd.DataFrame({"item_id": list("abcde")})}, "content", "content_knn"),
    ],
)
def test_what_the_data_lack_is_left_out(changed, group, source):
    train = tiny(**changed)
    generator = generator_of(train)
    query = Query(np.arange(3), train.histories)
    groups = make_features(Pairs(feature_tables(train), generator.propose(query), np.array([0]), np.array([2])))
    assert group not in groups
    assert set(groups) == FEATURES.keys() - {group, "order"}
    assert set(KINDS) - set(available(train)) == ({source} if source else set())
    assert (source in generator.sources) is False


def described(name: str, group: str) -> bool:
    """Whether the table of features explains a column, by its name or by a name with a placeholder."""
    patterns = [re.escape(n).replace("<source>", "[a-z_]+").replace("<n>", "[0-9]+") for n in FEATURES[group]]
    return any(re.fullmatch(pattern, name) for pattern in patterns)


def test_a_fold_that_lacks_a_column_gets_nan():
    values = aligned({"user": {"a": np.array([1.0, 2.0])}}, {"user": ["a", "b"], "tags": ["c"]}, 2)
    np.testing.assert_array_equal(values, [[1, np.nan, np.nan], [2, np.nan, np.nan]])
