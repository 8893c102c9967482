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
    Proposals,
    available,
    largest,
)
from common.models.two_stage.feature_builder import aligned, make_features
from common.models.two_stage.feature_inputs import FeatureTables, feature_tables
from common.models.two_stage.feature_names import FEATURES
from common.splits.histories import Histories, Query
from common.splits.train_view import TrainView
from tests.conftest import ROOT

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


def stage_of(train: TrainView) -> CandidateGenerator:
    return CandidateGenerator(CandidateSettings(top=2, als=ALSSettings(factors=2, regularisation=1.0)), 0).fit(train)


def made(train: TrainView, rows: list[int], items: list[int], asked: Query | None = None) -> dict[str, np.ndarray]:
    """Features of some pairs of known users by name."""
    stage = stage_of(train)
    asked = asked or Query(np.arange(train.n_users), train.histories)
    groups = make_features(feature_tables(train), stage, asked, np.array(rows), np.array(items), stage.propose(asked))
    return {name: np.asarray(column) for columns in groups.values() for name, column in columns.items()}


def check(found: dict[str, np.ndarray], **expected: list[Any]) -> None:
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-5, atol=1e-7, err_msg=name)


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


def test_content_by_hand():
    found = made(tiny(), [0, 0, 1], [3, 4, 3])
    check(
        found,
        genre_max=[np.sqrt(0.5), np.nan, np.sqrt(0.5)],
        genre_mean=[np.sqrt(0.5), np.nan, np.sqrt(0.5)],
        user_genre_entropy=[0, 0, np.log(2)],
        year_gap=[2002 - 1991, np.nan, 2002 - 1995],
    )
    spread = np.std([0, 1, 2, 3])
    check(found, audio_distance=[2.5 / spread * 3, np.nan, 2 / spread * 3])  # nine features alike: sqrt(9) times one
    check(found, audio_max=[-1, np.nan, 1], audio_mean=[-1, np.nan, 0])


def test_tags_by_hand():
    found = made(tiny(), [0, 1], [3, 3])
    x, y = np.log(5 / 3), np.log(5 / 2)  # idf of tags at 3 and 2 of 5 items
    vector = np.array([(1 + np.log(3)) * x, y])
    to_x, to_y = vector / np.linalg.norm(vector)
    check(
        found,
        tag_max=[to_x, max(to_x, to_y)],
        tag_mean=[to_x, (to_x + to_y) / 2],
        tag_overlap=[3 / 4, 1],
        user_tag_entropy=[0, -(2 / 3) * np.log(2 / 3) - (1 / 3) * np.log(1 / 3)],
        user_tag_diversity=[np.log(2), np.log(3)],
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


def test_times_by_hand():
    found = made(tiny("next"), [0, 1], [2, 1])
    check(
        found,
        days_since_last=[40 - 5, 0],
        events_of_last_day=[np.log(2), np.log(2)],
        item_time_gap=[(40 + 3) / 2 - 5, (5 + 9) / 2 - 40],
        item_newest_gap=[40 - 5, 9 - 40],
        item_now_share=[1 / 2, 1 / 2],  # days 3 and 40 seen from 5; days 5 and 9 seen from 40, 31 days around
        item_later_share=[1 / 2, 0],
    )


def test_order_counts_only_where_the_protocol_has_one():
    assert not any(re.search(r"_last_\d", name) for name in made(tiny("listen"), [0], [2]))
    found = made(tiny("next"), [2], [0])
    vectors = feature_tables(tiny("next")).matrices["tag_vectors"].toarray()
    history = [2, 3, 1]
    assert tiny("next").histories[2].tolist() == history
    cosines = vectors[history] @ vectors[0]
    check(found, tag_last_1=[cosines[-1]], tag_last_5=[cosines.mean()], tag_last_15=[cosines.mean()])


def test_ranks_and_scores_of_sources_by_hand():
    scores = np.array([[[0.9, 4.0, 2.0, 2.0, 1.0]]], np.float32)
    proposals = Proposals(["als"], np.zeros(3, np.int64), np.array([1, 2, 3]), scores, np.array([[4.0]], np.float32))
    ranks = proposals.ranks(np.zeros(4, np.int64), np.array([0, 1, 2, 3]))
    assert ranks[:, 0].tolist() == [3, 0, 1, 1], "a pair that is no candidate stands behind all that are better"
    rest = proposals.order_of_the_rest()[0]
    assert rest.argsort(kind="stable").tolist() == [0, 4, 2, 3, 1]
    assert ((rest >= -1) & (rest <= 0)).all()


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
    stage = stage_of(train)
    asked = Query(np.arange(3), train.histories)
    groups = make_features(feature_tables(train), stage, asked, np.array([0]), np.array([2]), stage.propose(asked))
    assert group not in groups
    assert set(groups) == FEATURES.keys() - {group, "order"}
    assert set(KINDS) - set(available(train)) == ({source} if source else set())
    assert (source in stage.sources) is False


def described(name: str, group: str) -> bool:
    """Whether the table of features explains a column, by its name or by a name with a placeholder."""
    patterns = [re.escape(n).replace("<source>", "[a-z_]+").replace("<n>", "[0-9]+") for n in FEATURES[group]]
    return any(re.fullmatch(pattern, name) for pattern in patterns)


def test_every_feature_is_explained_and_every_explained_one_exists():
    train = tiny("next", users=tiny().users.assign(country=["no", "pt", "no"]))
    stage = stage_of(train)
    asked = Query(np.arange(3), train.histories)
    groups = make_features(feature_tables(train), stage, asked, np.array([0]), np.array([2]), stage.propose(asked))
    assert list(groups) == list(FEATURES)
    for group, columns in groups.items():
        assert all(described(name, group) for name in columns), group
        for name in FEATURES[group]:
            pattern = re.escape(name).replace("<source>", "[a-z_]+").replace("<n>", "[0-9]+")
            assert any(re.fullmatch(pattern, column) for column in columns), name


def test_the_page_of_features_says_what_the_code_says():
    page = (ROOT / "docs" / "features.md").read_text(encoding="utf-8")
    for group, columns in FEATURES.items():
        for name, meaning in columns.items():
            assert f"| {group} | `{name}` | {meaning} |" in page, name


def test_tables_are_packed_without_loss():
    train = tiny("next")
    tables = feature_tables(train)
    again = FeatureTables.unpack(tables.pack())
    assert again.arrays.keys() == tables.arrays.keys()
    for name, array in tables.arrays.items():
        np.testing.assert_array_equal(again.arrays[name], array)
    for name, matrix in tables.matrices.items():
        np.testing.assert_array_equal(again.matrices[name].toarray(), matrix.toarray())


def test_a_fold_that_lacks_a_column_gets_nan():
    values = aligned({"user": {"a": np.array([1.0, 2.0])}}, {"user": ["a", "b"], "tags": ["c"]}, 2)
    np.testing.assert_array_equal(values, [[1, np.nan, np.nan], [2, np.nan, np.nan]])


def test_the_largest_are_found_whatever_the_size_and_the_ties():
    rng = np.random.default_rng(0)
    for n in (5, 40, 3000):
        for kinds in (3, 10**6):
            scores = rng.integers(0, kinds, (30, n)).astype(np.float32)
            for k in (1, 4, 100):
                wanted = np.zeros(scores.shape, bool)
                np.put_along_axis(wanted, np.argsort(-scores, axis=1, kind="stable")[:, :k], True, axis=1)
                np.testing.assert_array_equal(largest(scores, k), wanted)
    lonely = np.zeros((2, 3000), np.float32)
    lonely[:, 1] = 1  # the sample misses it, so that its bound is 0 for all
    assert largest(lonely, 1)[:, 1].all()


def test_blocks_are_as_large_as_memory_allows(monkeypatch):
    train = tiny()
    stage = stage_of(train)
    assert [len(rows) for rows in stage.blocks(Query(np.arange(3), train.histories))] == [3]
    monkeypatch.setattr("common.models.two_stage.candidates.BLOCK_BYTES", 1)
    assert [len(rows) for rows in stage.blocks(Query(np.arange(3), train.histories))] == [1, 1, 1]
