"""What is known of items and users besides the features of their pairs."""

import dataclasses

import numpy as np

from common.models.neural.listnet.inputs import Side, alike_spaces, listening_hours, make_inputs, shared
from tests.models.contract_tests import N_ITEMS, N_USERS
from tests.models.neural.listnet.test_model import make


def test_an_id_that_one_row_alone_has_is_none():
    assert shared(np.array([0, 4, 4, 1, 2, 2, 2])).tolist() == [0, 2, 2, 0, 1, 1, 1]
    assert not shared(np.array([0, 1, 2, 3])).any()


def test_items_that_hardly_anybody_has_share_one_id(train):
    few = np.flatnonzero(train.counts <= 1)
    rare = dataclasses.replace(train, interactions=train.interactions[train.interactions["item"] != 5])
    items = make_inputs(rare, (), "robust", 4, 4).items
    assert items.ids[5] == 0
    assert not items.ids[few].any()
    assert len(np.unique(items.ids[np.setdiff1d(np.arange(N_ITEMS), [*few, 5])])) == N_ITEMS - 1 - len(few)


def test_an_item_without_visible_listeners_looks_like_one_with_a_single_one(train):
    """Whoever has it is hidden, so nothing that the network is told of it may say so."""
    rows, item = train.interactions, 7
    own = np.flatnonzero((rows["item"] == item).to_numpy())
    names = train.items.assign(name=["only here" if i == item else f"song {i}" for i in range(N_ITEMS)])
    names["artist"] = ["nobody else" if i == item else a for i, a in enumerate(names["artist"])]
    names["genres"] = ["a genre of its own" if i == item else g for i, g in enumerate(names["genres"])]

    def told(kept: np.ndarray) -> Side:
        shown = rows.drop(index=rows.index[np.setdiff1d(own, kept)]).reset_index(drop=True)
        changed = dataclasses.replace(train, items=names, interactions=shown, item_tags=None, user_item_tags=None)
        return make_inputs(changed, (), "robust", 4, 4).items

    none, one, all_of_them = told(own[:0]), told(own[:1]), told(own)
    assert len(own) > 2
    assert none.ids[item] == one.ids[item] == 0
    for name in none.categories:
        assert none.categories[name][item] == one.categories[name][item], name
    for name, block in none.blocks.items():
        np.testing.assert_allclose(block[item], one.blocks[name][item], atol=0.05, err_msg=name)
        np.testing.assert_allclose(block[item], all_of_them.blocks[name][item], atol=0.05, err_msg=f"{name}: counts")


def test_sides_are_packed_and_unpacked(train):
    users = train.users.assign(age=[31.0, np.nan] * (N_USERS // 2), gender=["f", "m", None, "f"] * (N_USERS // 4))
    inputs = make_inputs(dataclasses.replace(train, users=users), (), "robust", 4, 4)
    assert {"gender", "age_group"} <= set(inputs.users.categories)
    assert inputs.users.ids.tolist() == list(range(N_USERS + 1))
    assert not any(rows[0].any() for rows in inputs.users.blocks.values()), "nobody known is all zeros"
    for side in (inputs.items, inputs.users):
        again = Side.unpack("x", side.pack("x"))
        assert again.sizes == side.sizes
        assert again.with_ids is True
        for name, rows in side.blocks.items():
            np.testing.assert_array_equal(again.blocks[name], rows)
        assert again.categories.keys() == side.categories.keys()


def test_spaces_are_unit_vectors_and_artists_stand_in_for_tags(train):
    for vectors in alike_spaces(train):
        lengths = np.linalg.norm(vectors, axis=1)
        assert (np.isclose(lengths, 1, atol=1e-5) | (lengths == 0)).all()
    bare = dataclasses.replace(train, item_tags=None, user_item_tags=None)
    artists = alike_spaces(bare)[1] @ alike_spaces(bare)[1].T
    np.testing.assert_allclose(artists[0, :4], [1, 1, 1, 0], atol=1e-5)
    poor = dataclasses.replace(bare, items=train.items[["item_id", "name"]])
    assert alike_spaces(poor) == []
    model = make(epochs=2, ils_weight=1.0).fit(dataclasses.replace(poor, social=None))
    assert np.isfinite(model.score(np.arange(N_USERS))).all()


def test_hours_are_a_mean_on_the_clock(train):
    assert listening_hours(train) is None, "midnight for all"
    rows = train.interactions.assign(timestamp=6 * 3600)
    rows.loc[rows["user"] == 0, "timestamp"] = 18 * 3600
    found = listening_hours(dataclasses.replace(train, interactions=rows))
    assert found is not None
    np.testing.assert_allclose(found[:2], [[-1, 0], [1, 0]], atol=1e-9)


def test_key_and_mode_say_how_items_sound_and_the_number_of_guests_is_left_out(train):
    plain = make_inputs(train, (), "robust", 4, 4).items.blocks
    facts = train.items.assign(key=np.arange(N_ITEMS) % 12, mode=np.arange(N_ITEMS) % 2, featured_artists="A|B")
    facts.loc[0, "featured_artists"] = None
    changed = dataclasses.replace(train, items=facts)
    blocks = make_inputs(changed, (), "robust", 4, 4).items.blocks
    added = {
        name: rows.shape[1] - plain[name].shape[1] if name in plain else rows.shape[1] for name, rows in blocks.items()
    }
    assert added.pop("music") == 2
    assert added.pop("binary") == 1
    assert not any(n for name, n in added.items() if not name.startswith("text"))
    silent = make_inputs(changed, ("audio",), "robust", 4, 4).items.blocks
    assert "music" not in silent
    assert silent.get("binary", np.zeros((1, 0))).shape[1] == blocks["binary"].shape[1] - 1
