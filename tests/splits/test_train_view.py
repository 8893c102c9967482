"""What a model may see: no table tells of a held-out pair."""

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest

from common.data.ids import PAIR
from common.splits.protocols import PROTOCOLS
from common.splits.store import load_split
from common.splits.train_view import TrainView, held_out_pairs, load_train_view
from common.utils.errors import UserError
from tests.data.worlds import dataset, pairs, rich, rich_tables


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return rich(tmp_path_factory.mktemp("world"))


def pairs_of(part: pd.DataFrame) -> set[tuple[str, str]]:
    return set(part[PAIR].itertuples(index=False, name=None))


def shown_pairs(train: TrainView, table: str = "interactions") -> set[tuple[str, str]]:
    """The (user_id, item_id) pairs of a coded table."""
    rows = getattr(train, table)
    users, items = train.users["user_id"].to_numpy(object), train.items["item_id"].to_numpy(object)
    return set(zip(users[rows["user"]], items[rows["item"]], strict=True))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_select_hides_valid_and_test_and_final_hides_test(world, protocol):
    split = load_split(world, protocol)
    train, valid, test = (pairs_of(part) for part in (split.train, split.valid, split.test))
    given = pairs_of(split.given) if split.given is not None else set()
    of_valid = {pair for pair in given if pair[0] in set(split.valid["user_id"])}
    assert shown_pairs(load_train_view(world, protocol, "select")) == train
    fitted = valid if split.fits_valid else set()
    assert shown_pairs(load_train_view(world, protocol, "final")) == train | fitted | of_valid
    assert valid
    assert test


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("phase", ["select", "final"])
def test_no_table_holds_a_hidden_pair(world, protocol, phase):
    train: Any = load_train_view(world, protocol, phase)
    secret = pairs_of(held_out_pairs(load_split(world, protocol), phase))
    tagged = pairs_of(world.tables.user_item_tags)
    assert secret & tagged, "hidden pairs were tagged, else this shows nothing"
    assert not shown_pairs(train) & secret
    assert not shown_pairs(train, "user_item_tags") & secret
    assert np.array_equal(train.counts, np.bincount(train.interactions["item"], minlength=train.n_items))
    assert train.histories.lengths.sum() == len(train.interactions)


def test_codes_stand_for_sorted_ids_and_keep_every_column(world):
    train: Any = load_train_view(world, "listen", "select")
    assert train.items["item_id"].is_monotonic_increasing
    assert train.users["user_id"].is_monotonic_increasing
    assert set(train.items["item_id"]) == set(world.tables.items["item_id"])
    for table in ("interactions", "user_item_tags", "social", "songs", "item_tags"):
        codes = getattr(train, table).filter(["user", "item", "friend"])
        assert codes.dtypes.eq(np.int32).all() or table == "item_tags"
        assert (codes >= 0).all(axis=None)
    rows = train.interactions.assign(
        user_id=train.users["user_id"].to_numpy()[train.interactions["user"]],
        item_id=train.items["item_id"].to_numpy()[train.interactions["item"]],
    )
    columns = ["user_id", "item_id", "weight", "timestamp"]
    expected = load_split(world, "listen").train[columns]
    pd.testing.assert_frame_equal(rows[columns].astype({"user_id": "str", "item_id": "str"}), expected)
    merged = train.items.merge(world.tables.items, on="item_id", suffixes=("", "_raw"))
    assert merged["name"].eq(merged["name_raw"]).all()
    codes = train.social["user"], train.social["friend"]
    friends = {(train.users["user_id"][u], train.users["user_id"][f]) for u, f in zip(*codes, strict=True)}
    assert friends == set(world.tables.social.itertuples(index=False, name=None))


def test_tags_are_counted_again_from_what_is_visible(world):
    train: Any = load_train_view(world, "listen", "select")
    counted = train.user_item_tags.groupby(["item", "tag"]).size().astype(float)
    own = world.tables.item_tags.set_index("item_id")["weight"]
    for row in train.item_tags.itertuples():
        if row.tag == "from the catalogue":
            assert row.weight == own[train.items["item_id"][row.item]]
        else:
            assert row.weight == counted[row.item, row.tag]
    assert len(train.item_tags) == len(counted) + len(own)
    whole = world.tables.user_item_tags
    assert counted.sum() < len(whole)


def test_a_tag_that_only_a_hidden_pair_has_is_gone(tmp_path):
    events = pairs(a="p@1 q@2 r@3 s@4", b="p@1 q@2 r@3 s@4")
    tags = pd.DataFrame(
        [("a", "s", "secret", 4), ("b", "p", "open", 1), ("a", "p", "open", 2), ("b", "r", "later", 3)],
        columns=["user_id", "item_id", "tag", "timestamp"],
    )
    data = dataset(tmp_path, events, user_item_tags=tags)
    train: list[Any] = [load_train_view(data, "next", phase) for phase in ("select", "final")]
    select, final = (phase.item_tags for phase in train)
    assert select.to_dict("records") == [{"item": 0, "tag": "open", "weight": 2.0}]
    assert final["tag"].tolist() == ["open", "later"]


def test_items_without_a_visible_listener_stay_in_the_catalogue(tmp_path):
    data = dataset(tmp_path, pairs(a="p@1 q@2 r@3 s@4"))
    train: Any = load_train_view(data, "next", "select")
    assert train.n_items == 4
    assert train.counts.tolist() == [1, 1, 0, 0]


def test_hidden_newcomers_vanish_whole_and_valid_ones_return_in_final(world):
    split = load_split(world, "newcomer")
    valid, test = set(split.valid["user_id"]), set(split.test["user_id"])
    everybody = set(world.tables.users["user_id"])
    tables = world.tables
    tagged = set(tables.user_item_tags["user_id"])
    befriended = set(tables.social["user_id"])
    for phase, absent in (("select", valid | test), ("final", test)):
        assert absent & tagged, "the absent had tagged"
        assert absent & befriended, "the absent had friends"
        train: Any = load_train_view(world, "newcomer", phase)
        ids = train.users["user_id"]
        assert set(ids) == everybody - absent
        assert {ids[code] for code in train.user_item_tags["user"]} == tagged - absent
        assert {ids[code] for code in train.social["user"]} <= befriended - absent
        assert {ids[code] for code in train.social["friend"]} <= befriended - absent
    final = load_train_view(world, "newcomer", "final")
    whole = pairs_of(tables.interactions)
    assert {pair for pair in shown_pairs(final) if pair[0] in valid} == {pair for pair in whole if pair[0] in valid}


def test_temporal_hides_tags_given_after_the_cut(world):
    split = load_split(world, "temporal")
    raw = world.tables.user_item_tags
    for phase, part in (("select", split.valid), ("final", split.test)):
        cut = part["timestamp"].min()
        train: Any = load_train_view(world, "temporal", phase)
        before = raw[(raw["timestamp"] < cut).to_numpy()]
        secret = pairs_of(held_out_pairs(split, phase))
        expected = {p for p in pairs_of(before) - secret if p[0] in set(train.users["user_id"])}
        assert train.user_item_tags["timestamp"].max() < cut
        assert shown_pairs(train, "user_item_tags") == {p for p in expected if p[1] in set(train.items["item_id"])}
        assert len(before) < len(raw)


def test_next_shows_no_listens_where_events_come_from_tags(tmp_path):
    tables: Any = rich_tables()
    listens = tables.interactions.drop(columns="timestamp").assign(weight=777.0)
    data = dataset(tmp_path, listens, user_item_tags=tables.user_item_tags, next_core=2)
    for protocol in ("next", "next-shuffled"):
        train: Any = load_train_view(data, protocol, "final")
        assert shown_pairs(train) <= pairs_of(tables.user_item_tags)
        assert shown_pairs(train) - pairs_of(listens), "tagged, not listened to"
        assert (train.interactions["weight"] == 1).all()


def test_a_history_keeps_the_protocols_order(tmp_path):
    data = dataset(tmp_path, pairs(a="z@1 q@2 y@3 b@4 a@5", b="a@9 z@8 b@7"))
    train: Any = load_train_view(data, "next", "final")
    ids = train.items["item_id"].to_numpy()
    assert [" ".join(ids[train.histories[row]]) for row in (0, 1)] == ["z q y b", "b z"]
    assert train.histories.timestamps.tolist() == [1, 2, 3, 4, 7, 8]


def test_tables_that_the_data_lacks_are_none(tmp_path):
    train: Any = load_train_view(dataset(tmp_path, pairs(a="p q r s t u")), "listen", "select")
    assert train.social is train.item_tags is train.user_item_tags is train.songs is None


def test_an_unknown_phase_is_refused(world):
    with pytest.raises(UserError, match="did you mean 'select'"):
        load_train_view(world, "listen", "selct")


def test_the_catalogue_hash_knows_the_items_and_their_order(world, tmp_path):
    train: Any = load_train_view(world, "listen", "select")
    turned = dataclasses.replace(train, items=train.items.iloc[::-1])
    assert (
        load_train_view(world, "listen", "final").catalogue_sha256 == train.catalogue_sha256 != turned.catalogue_sha256
    )


def test_in_a_k_core_counts_below_k_share_one_popularity(tmp_path):
    """Every item of a k-core has k events, so a smaller visible count would tell that some are hidden."""
    tables = rich_tables()
    listens = tables.interactions.drop(columns="timestamp")
    data = dataset(tmp_path, listens, next_core=5, user_item_tags=tables.user_item_tags)
    train = load_train_view(data, "next", "select")
    assert train.count_floor == 5
    assert train.counts.min() < 5 <= train.popularity.min()
    assert (train.popularity[train.counts > 5] == train.counts[train.counts > 5]).all()
    assert load_train_view(data, "listen", "select").count_floor == 1


def test_the_matrix_is_the_histories_and_takes_no_memory_of_its_own(world):
    train = load_train_view(world, "next", "select")
    assert np.shares_memory(train.matrix.data, train.histories.weights)
    assert np.shares_memory(train.matrix.indices, train.histories.items)
    assert train.matrix.dtype == np.float32
    assert train.matrix.shape == (train.n_users, train.n_items)
    np.testing.assert_array_equal(train.matrix.toarray(), train.histories.matrix().toarray())
    user = int(np.argmax(train.histories.lengths))
    assert train.matrix.indices[slice(*train.matrix.indptr[user : user + 2])].tolist() == list(train.histories[user])


def test_the_order_of_the_matrix_cannot_be_changed_in_place(world):
    train = load_train_view(world, "next", "select")
    before = train.histories.items.copy()
    with pytest.raises(ValueError, match="read-only"):
        train.matrix.sort_indices()
    dense = train.matrix.toarray()
    np.testing.assert_allclose((train.matrix.T @ train.matrix).toarray(), dense.T @ dense)
    np.testing.assert_array_equal(train.matrix[[2, 0]].toarray(), dense[[2, 0]])
    assert train.matrix.copy().sorted_indices().has_sorted_indices
    np.testing.assert_array_equal(train.histories.items, before)


def test_items_are_found_by_id_and_by_name_in_any_case(world):
    train = load_train_view(world, "listen", "select")
    for code in range(train.n_items):
        assert train.item_code(train.items["item_id"][code]) == code
    for name in train.names.unique():
        alike = np.flatnonzero(train.names.str.casefold() == name.casefold())
        if name not in set(train.items["item_id"]):
            assert train.item_code(name.upper()) == alike[np.argmax(train.counts[alike])]


def test_of_one_name_the_most_popular_is_meant_and_an_id_goes_first():
    train: Any = named_view(["7", "8", "9"], ["Muse", "muse", "7"], [0, 1, 1])
    assert train.item_code("MUSE") == 1
    assert train.item_code("7") == 0
    assert train.item_code(7) == 0
    assert train.user_code(0) == train.user_code("0") == 0


def test_who_is_unknown_is_answered_with_the_nearest():
    train: Any = named_view(["a", "b"], ["Radiohead", "Muse"], [0, 1])
    with pytest.raises(UserError, match="unknown item 'radiohed'; did you mean 'Radiohead'"):
        train.item_code("radiohed")
    with pytest.raises(UserError, match=r"--show '§': no item has that id or name; check the spelling"):
        train.item_code("§", "--show")
    with pytest.raises(UserError, match="unknown user '99'; did you mean '0'"):
        train.user_code(99)


def named_view(ids: list[str], names: list[str], played: list[int]) -> TrainView:
    """A view of one user for each item played."""
    return TrainView(
        *("names", "listen", "select", "", 1),
        items=pd.DataFrame({"item_id": ids, "name": names}),
        users=pd.DataFrame({"user_id": [str(user) for user in range(len(played))]}),
        interactions=pd.DataFrame({"user": range(len(played)), "item": played, "weight": 1.0}),
        social=None,
        item_tags=None,
        user_item_tags=None,
        songs=None,
    )


def test_an_item_without_a_name_goes_by_its_id(world):
    train: Any = named_view(["a", "b"], ["Muse", None], [1])  # type: ignore[list-item]
    assert train.names.tolist() == ["Muse", "b"]
    assert train.item_code("b") == 1
    assert dataclasses.replace(train, items=train.items[["item_id"]]).names.tolist() == ["a", "b"]
    assert train.most_popular(5).tolist() == [1, 0]


def test_a_track_is_called_by_its_name_and_its_artist():
    items = pd.DataFrame(
        {
            "item_id": ["a", "b", "c", "d"],
            "name": ["Lanterns", "Harbour", "The Night Owl Club", None],
            "artist": ["The Night Owl Club", None, "The Night Owl Club", "d"],
        }
    )
    bare = named_view(["a"], ["Muse"], [0])
    view = dataclasses.replace(bare, items=items)
    assert view.labels.tolist() == ["Lanterns - The Night Owl Club", "Harbour", "The Night Owl Club", "d"]
    assert view.item_code("lanterns - the night owl club") == view.item_code("lanterns") == 0
    assert bare.labels.tolist() == ["Muse"]
