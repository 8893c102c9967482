"""How each protocol draws its parts."""

import numpy as np
import pandas as pd
import pytest

from common.data.ids import PAIR
from common.evaluation.task import Task
from common.experiments.presets import preset_values
from common.models.baselines import Popularity
from common.models.knn.item_knn import ItemKNN, ItemKNNSettings
from common.splits.protocols import N_GIVEN, draw_split, events_in_time
from common.splits.store import load_split
from common.splits.train_view import load_train_view
from common.utils.errors import UserError
from tests.data.worlds import dataset, pairs, sized
from tests.splits.drawn import as_pairs


def items_of(part: pd.DataFrame, user: str) -> str:
    return " ".join(part.loc[part["user_id"] == user, "item_id"])


@pytest.mark.parametrize(
    ("n", "test", "valid"),
    [
        *((1, 0, 0), (4, 0, 0), (5, 1, 1), (9, 1, 1), (10, 2, 1), (14, 2, 1), (15, 3, 1)),
        *((20, 4, 1), (24, 4, 2), (25, 5, 2), (37, 7, 3), (38, 7, 3), (39, 7, 3), (40, 8, 3), (50, 10, 4)),
    ],
)
def test_listen_hides_a_fifth_and_then_a_tenth_of_the_rest(tmp_path, n, test, valid):
    split = draw_split(dataset(tmp_path, sized({"a": n, "b": 60}, 60)), "listen")
    sizes = [(part["user_id"] == "a").sum() for part in (split.train, split.valid, split.test)]
    assert sizes == [n - test - valid, valid, test]


@pytest.mark.parametrize(
    "protocol",
    ["listen", "newcomer", "temporal", "next", "next-shuffled", "random-8020", "random-811", "listen-stratified"],
)
def test_every_row_is_in_one_part_with_its_weight_and_time(world, protocol):
    columns = ["user_id", "item_id", "weight", "timestamp"]
    together = pd.concat([part[columns] for part in draw_split(world, protocol).parts().values()])
    expected = world.tables.interactions[columns].sort_values(PAIR, ignore_index=True)
    if protocol in (
        "next",
        "next-shuffled",
        "temporal",
    ):  # plays are summed over all times, also over those after the event
        expected["weight"] = 1.0
    pd.testing.assert_frame_equal(together.sort_values(PAIR, ignore_index=True), expected)


def test_next_hides_the_last_event_and_the_one_before_ties_in_file_order(tmp_path):
    events = pairs(a="p@5 z@5 q@3 b@5", c="p@1 q@2", d="q@9 b@8 z@7")
    split = draw_split(dataset(tmp_path, events), "next")
    assert [items_of(part, "a") for part in (split.train, split.valid, split.test)] == ["q p", "z", "b"]
    assert [items_of(part, "c") for part in (split.train, split.valid, split.test)] == ["p q", "", ""]
    assert [items_of(part, "d") for part in (split.train, split.valid, split.test)] == ["z", "b", "q"]


def tagged(text: str) -> pd.DataFrame:
    """Assignments from "user item tag time" lines."""
    rows = [line.split() for line in text.strip().splitlines()]
    frame = pd.DataFrame(rows, columns=["user_id", "item_id", "tag", "timestamp"])
    return frame.astype({"timestamp": "int64"})


def test_without_listening_times_a_tagged_pair_is_dated_by_its_first_row(tmp_path):
    assignments = tagged("a x t 9\na y t 4\na x s 1\na z t -700000000\nb x t 1")
    data = dataset(tmp_path, pairs(a="x y z w", b="x"), user_item_tags=assignments)
    events = events_in_time(data)
    assert items_of(events, "a") == "z y x", "odd dates are kept, x is dated 9"
    assert events["weight"].eq(1).all()
    split = draw_split(data, "next")
    assert [items_of(part, "a") for part in (split.train, split.valid, split.test)] == ["z", "y", "x"]
    assert "w" not in split.catalogue(), "listens are no input of next"


def test_the_core_is_repeated_until_nothing_falls_out(tmp_path):
    # w has one listener and falls; then c has one item left and falls; then z has one listener left and falls.
    text = "\n".join(
        f"{u} {i} t {t}" for t, (u, i) in enumerate(map(tuple, ["ax", "ay", "bx", "by", "bz", "cz", "cw"]))
    )
    data = dataset(tmp_path, pairs(a="x"), next_core=2, user_item_tags=tagged(text))
    assert as_pairs(events_in_time(data)) == {("a", "x"), ("a", "y"), ("b", "x"), ("b", "y")}


def test_next_shuffled_permutes_inside_a_date_only(tmp_path):
    events = pairs(a="p@1 q@1 r@1 s@1 t@2", b="p@3 q@3 r@3 s@3 t@3")
    data = dataset(tmp_path, events)
    drawn = [draw_split(data, "next-shuffled", seed) for seed in range(40)]
    assert {items_of(split.test, "a") for split in drawn} == {"t"}
    assert {items_of(split.valid, "a") for split in drawn} == set("pqrs")
    assert {items_of(split.test, "b") for split in drawn} == set("pqrst")
    assert len({items_of(split.train, "a") for split in drawn}) > 5, "the order inside the date is drawn"
    assert items_of(draw_split(data, "next").test, "b") == "t", "next itself keeps file order"


@pytest.mark.parametrize("protocol", ["next", "next-shuffled", "temporal"])
def test_the_parts_of_a_user_follow_each_other_in_time(world, protocol):
    split = draw_split(world, protocol)
    rows = pd.concat([split.train, split.valid, split.test]).sort_values("user_id", kind="stable")
    assert rows.groupby("user_id")["timestamp"].apply(lambda times: times.is_monotonic_increasing).all()


def test_newcomers_vanish_from_train_and_ten_items_of_each_are_targets(world):
    split = draw_split(world, "newcomer")
    valid, test = set(split.valid["user_id"]), set(split.test["user_id"])
    assert len(valid) == len(test) == 4, "10% of 40 users"
    assert not valid & test
    assert split.given is not None
    assert set(split.given["user_id"]) == valid | test
    assert not set(split.train["user_id"]) & (valid | test)
    assert set(split.train["user_id"]) | valid | test == set(world.tables.users["user_id"])
    for part in (split.valid, split.test):
        assert part.groupby("user_id").size().eq(10).all()
    assert not as_pairs(split.given) & (as_pairs(split.valid) | as_pairs(split.test))


def test_random_8020_hides_a_fifth_of_each_user_and_carves_a_tenth_of_all_the_rest(tmp_path):
    sizes = {"a": 4, "b": 5, "c": 9, "d": 10, "e": 50, "f": 52}
    split = draw_split(dataset(tmp_path, sized(sizes, 60)), "random-8020")
    hidden = split.test["user_id"].value_counts().to_dict()
    assert hidden == {"b": 1, "c": 1, "d": 2, "e": 10, "f": 10}
    rest = sum(sizes.values()) - sum(hidden.values())
    assert (len(split.valid), len(split.train)) == (rest // 10, rest - rest // 10)
    assert split.fits_valid


def test_random_811_hides_tenths_of_all_pairs_and_fits_train_alone(tmp_path):
    data = dataset(tmp_path, sized({f"u{user}": 7 for user in range(43)}, 60))
    split = load_split(data, "random-811")
    assert [len(part) for part in (split.train, split.valid, split.test)] == [241, 30, 30]
    per_user = split.test["user_id"].value_counts()
    assert per_user.max() > 1, "drawn whosever they are"
    assert len(per_user) < 43
    assert not split.fits_valid
    train, final = (load_train_view(data, "random-811", phase) for phase in ("select", "final"))
    assert final.matrix.nnz == train.matrix.nnz == 241


def test_the_stratified_protocol_hides_the_same_share_of_light_and_heavy_users(tmp_path):
    light, middle, heavy = ({f"{name}{user}": n for user in range(20)} for name, n in (("l", 3), ("m", 10), ("h", 50)))
    split = draw_split(dataset(tmp_path, sized(light | middle | heavy, 60)), "listen-stratified")
    test, valid, train = (
        part["user_id"].str[0].value_counts().to_dict() for part in (split.test, split.valid, split.train)
    )
    assert test == {"l": 12, "m": 40, "h": 200}, "a fifth of 60, 200 and 1,000 pairs"
    assert valid == {"l": 4, "m": 16, "h": 80}, "a tenth of the other 48, 160 and 800"
    assert sum(train.values()) == 1260 - 252 - 100
    assert split.train["user_id"].nunique() == 60, "one pair of each user stays"
    assert split.test.groupby("user_id").size().nunique() > 3, "within a stratum it does not matter whose a pair is"
    alone = dataset(tmp_path / "ones", sized(dict.fromkeys("abc", 1) | {"d": 40}, 60))
    parts = draw_split(alone, "listen-stratified")
    assert {"a", "b", "c"} <= set(parts.train["user_id"])
    assert set(parts.test["user_id"]) == {"d"}


def test_the_random_protocols_draw_otherwise_for_another_seed_and_the_same_for_the_same(tmp_path):
    data = dataset(tmp_path, sized({f"u{user}": 20 for user in range(10)}, 60))
    for protocol in ("random-8020", "random-811", "listen-stratified"):
        one, again, other = (as_pairs(draw_split(data, protocol, seed).test) for seed in (0, 0, 1))
        assert one == again != other


def test_what_newcomers_give_away_is_nested(world):
    given = draw_split(world, "newcomer").given
    assert given is not None
    for _, rows in given.groupby("user_id"):
        assert rows["position"].tolist() == list(range(len(rows)))
        assert len(rows) >= max(N_GIVEN), "every rung is filled"
    assert N_GIVEN == (0, 1, 2, 5, 10, 20)


def test_who_has_too_little_is_no_newcomer(tmp_path):
    sizes = {f"long{k}": 30 for k in range(4)} | {f"short{k}": 29 for k in range(16)}
    split = draw_split(dataset(tmp_path, sized(sizes, 60)), "newcomer")
    assert {user[:4] for user in [*split.valid["user_id"], *split.test["user_id"]]} == {"long"}
    assert split.valid["user_id"].nunique() == split.test["user_id"].nunique() == 2
    del sizes["long0"]
    with pytest.raises(UserError, match=r"needs 2 users.*--protocol listen"):
        draw_split(dataset(tmp_path, sized(sizes | {"long1": 5, "long2": 5}, 60)), "newcomer")


def test_temporal_cuts_the_last_tenths_off_everybody_at_once(tmp_path):
    split = draw_split(dataset(tmp_path, pairs(a="p@1 q@9 r@3", b="p@2 q@4 r@5 s@6", c="p@7 q@8 r@10")), "temporal")
    assert as_pairs(split.valid) == {("a", "q")}
    assert as_pairs(split.test) == {("c", "r")}
    assert len(split.train) == 8


def test_temporal_keeps_equal_times_on_one_side(tmp_path):
    split = draw_split(dataset(tmp_path, pairs(a="p@1 q@2 r@3 s@4 t@5 u@6", b="p@7 q@7 r@7 s@8")), "temporal")
    assert as_pairs(split.valid) == {("b", "p"), ("b", "q"), ("b", "r")}
    assert as_pairs(split.test) == {("b", "s")}


@pytest.mark.parametrize("protocol", ["next", "next-shuffled", "temporal"])
def test_data_without_times_is_refused_with_a_way_out(tmp_path, protocol):
    with pytest.raises(UserError, match="--protocol listen"):
        draw_split(dataset(tmp_path, sized({"a": 5}, 9)), protocol)


@pytest.mark.real_data
def test_next_on_the_real_files_is_the_published_size(real_data):
    split = load_split(real_data, "next")
    assert (split.info["users"], split.info["items"]) == (1_090, 3_646)
    assert sum(len(part) for part in split.parts().values()) == 52_551
    assert len(split.valid) == len(split.test) == 1_090
    events = events_in_time(real_data)
    neighbours = events["user_id"].to_numpy()[1:] == events["user_id"].to_numpy()[:-1]
    same_date = np.diff(events["timestamp"])[neighbours] == 0
    assert same_date.mean() == pytest.approx(0.87, abs=0.005)
    dates = split.train.groupby("user_id")["timestamp"].max()
    for part, share in ((split.valid, 0.59), (split.test, 0.47)):  # towards the end of a history it is less
        following = part.set_index("user_id")["timestamp"]
        assert (following == dates[following.index]).mean() == pytest.approx(share, abs=0.005)
        dates = following
    assert as_pairs(load_split(real_data, "next-shuffled").test) != as_pairs(split.test)


@pytest.mark.real_data
def test_listen_on_the_real_files(real_data):
    split = load_split(real_data, "listen")
    assert (split.info["users"], split.info["items"]) == (1_892, 17_632)
    assert sum(len(part) for part in split.parts().values()) == 92_834
    train = set(split.train["item_id"]) | set(split.valid["item_id"])
    assert 0.12 < (~split.test["item_id"].isin(train)).mean() < 0.13


@pytest.mark.real_data
def test_known_figures_on_the_real_files(real_data):
    train = load_train_view(real_data, "listen", "final")
    evaluator = Task(real_data, "listen").test
    assert 0.075 < evaluator(Popularity().fit(train)) < 0.086
    tuned = preset_values("tuned", real_data.name, "listen", "item_knn", ItemKNNSettings)
    assert evaluator(ItemKNN(tuned).fit(train)) > 0.20
