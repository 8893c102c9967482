"""Held-out items leave every table, and those who describe them are not those for whom they are ranked."""

import numpy as np
import pytest

from benchmarks import new_items
from common.features.new_item import NewItem
from common.splits.train_view import load_train_view
from common.utils.errors import UserError


@pytest.fixture(scope="module")
def view(small_data):
    return load_train_view(small_data, "listen", "select")


def test_held_out_items_are_in_no_table(view):
    held = np.array([3, 50, 199])
    train = new_items.without(view, held)
    ids = set(view.items["item_id"].iloc[held])
    assert not ids & set(train.items["item_id"])
    assert train.n_items == view.n_items - 3
    kept = view.interactions[~view.interactions["item"].isin(held)]
    names, before = train.items["item_id"].to_numpy(), view.items["item_id"].to_numpy()
    np.testing.assert_array_equal(names[train.interactions["item"]], before[kept["item"]])
    if train.item_tags is not None and view.item_tags is not None:
        assert set(names[train.item_tags["item"]]) <= set(before[view.item_tags["item"]]) - ids


def test_the_users_are_not_those_who_describe(view):
    world = new_items.hold_out(view, 0.2, seed=0)
    assert len(world.items) == world.listens.shape[1] == round(0.2 * (view.counts > 0).sum())
    assert len(world.users) == view.n_users - view.n_users // 2
    describing = np.ones(view.n_users, bool)
    describing[world.users] = False
    if view.user_item_tags is None:
        pytest.skip("nobody gives tags here")
    of_others = view.user_item_tags[~describing[view.user_item_tags["user"].to_numpy()]].index
    without = view.user_item_tags.drop(of_others)
    import dataclasses

    again = new_items.hold_out(dataclasses.replace(view, user_item_tags=without), 0.2, seed=0)
    assert [item.tags for item in again.items] == [item.tags for item in world.items]


def test_who_listens_to_the_best_item_has_an_ndcg_of_one():
    listens = np.array([[True, False, False], [False, False, False], [False, True, True]])
    scores = np.array([[3.0, 1, 2], [0, 0, 0], [3, 2, 1]])
    found, recalled = new_items.per_user(scores, listens)
    assert found[0] == recalled[0] == recalled[1] == 1
    assert found[1] == pytest.approx((1 / np.log2(3) + 0.5) / (1 + 1 / np.log2(3)))


def test_figures_of_all_models(small_data):
    quick = {"two_tower": {"epochs": 1, "width": 8, "hidden": 8, "tags": 4, "names": 0, "start": "random"}}
    figures = new_items.measure(small_data, "listen", 0.2, 0, **quick)
    assert set(figures["models"]) == {"random", *new_items.NAMES}
    assert 0 < figures["models"]["tag_knn"]["ndcg_10"] <= 1
    said = new_items.shown(figures)
    assert "tag_knn" in said
    assert f"{figures['items']} new items" in said


def test_models_that_the_content_does_not_feed_are_left_out(view, capsys):
    world = new_items.hold_out(view, 0.2, seed=0)
    tagged = [NewItem(tags=item.tags) for item in world.items]
    assert new_items.able(world._replace(items=tagged)) == ["two_tower", "tag_knn"]
    assert "left out: content_knn, since no item has audio" in capsys.readouterr().out
    with pytest.raises(UserError, match="nothing is known of the items"):
        new_items.able(world._replace(items=[NewItem() for _ in world.items]))


def test_without_content_knn_nothing_is_compared_with_it(small_data, monkeypatch):
    monkeypatch.setattr(new_items, "able", lambda world: ["tag_knn"])
    found = new_items.measure(small_data, "listen", 0.2, seed=0)["models"]
    assert set(found) == {"random", "tag_knn"}
    assert all("against_content_knn" not in own for own in found.values())
