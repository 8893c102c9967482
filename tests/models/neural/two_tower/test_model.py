"""Two towers: the contract, their batches, their loss, their features, and people and items nobody has seen."""

import dataclasses
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse

from common.features.user_attributes import UserAttributes
from common.models.linear.als import ALS
from common.models.neural import losses
from common.models.neural.two_tower.batches import PooledBatches, ages
from common.models.neural.two_tower.features import (
    evened,
    item_features,
    ngrams,
    one_hot,
    reduced,
    standardised,
    user_features,
)
from common.models.neural.two_tower.model import TwoTower, TwoTowerSettings
from common.models.neural.two_tower.network import ItemTower, UserTower
from common.models.vector_index import Index
from common.splits.histories import Histories
from common.training.batches import to_device
from common.utils.errors import UserError
from tests.models.contract_tests import BLOCK, BLOCKS, HEARD, N_ITEMS, N_USERS, QUICK, ContractTests, block_visible

SMALL: dict[str, Any] = {
    "width": 8,
    "hidden": 16,
    "epochs": 40,
    "batch": 16,
    "learning_rate": 0.02,
    "negatives": 32,
    "tags": 4,
    "temperature": 0.2,
}
QUICK["two_tower"] = {**SMALL, "epochs": 2}


class TestTwoTower(ContractTests):
    kind = TwoTower
    settings = SMALL
    other_settings = {  # noqa: RUF012
        "epochs": 39,
        "batch": 15,
        "learning_rate": 0.021,
        "weight_decay": 0.1,
        "clip": 0.1,
        "schedule": "cosine",
        "warmup": 2.0,
        "width": 9,
        "hidden": 17,
        "dropout": 0.2,
        "id_dropout": 0.4,
        "person_dropout": 0.9,
        "normalise": False,
        "temperature": 0.3,
        "negatives": 16,
        "task": "continue",
        "least": 0.3,
        "half_life": 3.0,
        "tags": 3,
        "names": 4,
        "start": "als",
    }


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    return block_visible(tmp_path_factory.mktemp("blocks"))


@pytest.fixture(scope="module")
def fitted(train):
    return make().fit(train)


def make(**changed: Any) -> TwoTower:
    return TwoTower(TwoTowerSettings(**SMALL | changed), seed=0)


def batches(histories: Histories, **changed: Any) -> PooledBatches:
    wanted: dict[str, Any] = {
        "task": "complete",
        "least": 0.5,
        "ahead": 2,
        "size": 3,
        "uniform": 6,
        "seed": 0,
    } | changed
    return PooledBatches(histories, **wanted | changed)


HISTORIES = Histories.from_lists([[0, 4, 2, 7, 1, 3], [5, 2], [], [9], [1, 2, 3, 4, 5, 6, 7, 8]], 30)


# Batches


@pytest.mark.parametrize("task", ["complete", "continue"])
def test_what_is_shown_and_what_is_to_be_found_never_overlap(task):
    for number in range(1, 40):
        epoch = batches(HISTORIES, task=task).epoch(number)
        assert not (epoch.shown & epoch.targets).any()
        assert set(epoch.users) <= {0, 1, 3, 4}
        assert len(set(epoch.users)) == len(epoch.users)
        for step in range(epoch.n_batches):
            batch = epoch.batch(step, 0, 1)
            assert epoch.weight(step) == len(batch["rows"]) > 0
            for row, user in enumerate(batch["users"]):
                shown = batch["items"][batch["shown"][batch["shown_rows"] == row]]
                asked = batch["items"][batch["pool"][batch["places"][batch["rows"] == row]]]
                assert not set(shown) & set(asked)
                assert set(shown) | set(asked) <= set(HISTORIES[user])
                if task == "complete":
                    assert sorted([*shown, *asked]) == sorted(HISTORIES[user])


def test_a_history_is_continued_by_what_came_next():
    for number in range(1, 40):
        epoch = batches(HISTORIES, task="continue", ahead=2, size=9).epoch(number)
        batch = epoch.batch(0, 0, 1)
        for row, user in enumerate(batch["users"]):
            shown = batch["items"][batch["shown"][batch["shown_rows"] == row]].tolist()
            asked = batch["items"][batch["pool"][batch["places"][batch["rows"] == row]]].tolist()
            assert HISTORIES[user].tolist()[: len(shown) + 2] == shown + asked


def test_everything_is_to_be_found_at_some_time():
    for task in ("complete", "continue"):
        found = np.zeros(len(HISTORIES.items), bool)
        for number in range(1, 60):
            found |= batches(HISTORIES, task=task).epoch(number).targets
        assert found.all()


def test_the_pool_holds_targets_and_draws_once_each_and_what_people_have_is_marked():
    epoch = batches(HISTORIES, size=5, uniform=40).epoch(1)
    batch = epoch.batch(0, 0, 1)
    pool = batch["items"][batch["pool"]]
    assert len(set(pool)) == len(pool) > 10
    known = set(zip(batch["known_rows"], batch["known_places"], strict=True))
    for row, user in enumerate(batch["users"]):
        for place, item in enumerate(pool):
            assert ((row, place) in known) == (item in HISTORIES[user])


def test_the_share_of_an_item_in_the_pool_is_right_on_average():
    """Averaged over epochs, exp(log_share) of an item, counted 0 where it is not there, is 1 for every item: the sum
    over the pool estimates that over the catalogue without a bias (Yi et al. 2019). Asked for are 5 of 10 items."""
    alike = Histories.from_lists([[i, (i + 1) % 10] for i in range(10)] * 3, 12)
    total, epochs = np.zeros(12), 3000
    made = batches(alike, task="complete", least=0.0, size=30, uniform=24)
    for number in range(epochs):
        batch = made.epoch(number).batch(0, 0, 1)
        total[batch["items"][batch["pool"]]] += np.exp(batch["log_share"])
    np.testing.assert_allclose(total / epochs, 1, atol=0.05)


@pytest.mark.parametrize("task", ["complete", "continue"])
def test_a_target_is_each_item_as_often_as_said(task):
    """Of histories of very different lengths, whose first items are rarely asked for when they are to be continued."""
    uneven = Histories.from_lists([[0, 1], [2, 3, 4, 5, 6, 7, 8, 9], [1, 0, 9]], 10)
    made, counts = batches(uneven, task=task, least=0.0, ahead=2, size=3), np.zeros(10)
    for number in range(4000):
        np.add.at(counts, uneven.items[made.epoch(number).targets], 1)
    np.testing.assert_allclose(counts / counts.sum(), made.chances, atol=0.006)


def test_two_processes_share_the_pool_and_the_histories():
    epoch = batches(HISTORIES, size=4).epoch(3)
    whole, parts = epoch.batch(0, 0, 1), [epoch.batch(0, rank, 2) for rank in range(2)]
    assert sorted(np.concatenate([part["users"] for part in parts])) == sorted(whole["users"])
    pools = [batch["items"][batch["pool"]].tolist() for batch in (whole, *parts)]
    assert pools[0] == pools[1] == pools[2]
    assert sum(len(part["rows"]) for part in parts) == len(whole["rows"]) == epoch.weight(0)


def test_the_parts_of_a_batch_have_the_loss_and_the_gradients_of_the_whole(train):
    """Over 2 and over 9 processes, of which some have no history at all."""
    model = make(batch=5)
    model.set_state(train)
    network = model.build().eval()
    epoch = model.batches(train).epoch(1)

    def gradients(*parts: tuple[int, int]) -> list[torch.Tensor]:
        network.zero_grad()
        losses = [network(**to_device(epoch.batch(0, rank, world), "cpu")) for rank, world in parts]
        for loss in losses:
            loss.backward()
        return [
            torch.stack(losses).sum().detach(),
            *(torch.clone(weights.grad) for weights in network.parameters() if weights.grad is not None),
        ]

    whole = gradients((0, 1))
    for world in (2, 9):
        for one, other in zip(whole, gradients(*((rank, world) for rank in range(world))), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_epochs_depend_on_the_seed_and_their_number_alone():
    one, again, other = (batches(HISTORIES, seed=seed).epoch(2) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.batch(0, 0, 1)["items"], again.batch(0, 0, 1)["items"])
    assert not np.array_equal(one.targets, other.targets)
    assert not np.array_equal(one.targets, batches(HISTORIES).epoch(3).targets)


def test_ages_count_from_the_end_of_each_history():
    assert ages(np.array([0, 0, 2, 2, 2])).tolist() == [1, 0, 2, 1, 0]


# Loss


def test_the_loss_by_hand():
    """One user, pool of three: the target (score 1), a negative (score 0) that stands there twice as often as was to be
    expected, and an item the user has (score 5), which is no negative. -1 + log(e^1 + 2 e^0)."""
    loss = losses.mixed_softmax(
        torch.tensor([[1.0]]),
        torch.tensor([[1.0], [0.0], [5.0]]),
        rows=torch.tensor([0]),
        places=torch.tensor([0]),
        known_rows=torch.tensor([0, 0]),
        known_places=torch.tensor([0, 2]),
        log_share=torch.log(torch.tensor([3.0, 2.0, 1.0])),
    )
    assert loss.item() == pytest.approx(-1 + np.log(np.e + 2))


def test_a_pool_of_the_whole_catalogue_gives_the_softmax():
    torch.manual_seed(0)
    users, pool = torch.randn(2, 4, dtype=torch.float64).float(), torch.randn(9, 4)
    rows, places = torch.tensor([0, 1]), torch.tensor([3, 8])
    loss = losses.mixed_softmax(users, pool, rows, places, rows, places, torch.zeros(9))
    wanted = torch.nn.functional.cross_entropy(users @ pool.T, places, reduction="sum")
    torch.testing.assert_close(loss, wanted)


def test_the_losses_gradient():
    torch.manual_seed(0)
    users, pool = (torch.randn(n, 3, dtype=torch.float64, requires_grad=True) for n in (2, 5))
    rows, places = torch.tensor([0, 0, 1]), torch.tensor([1, 2, 4])
    share = torch.rand(5, dtype=torch.float64)
    own = (rows, places, torch.tensor([0, 0, 1, 1]), torch.tensor([1, 2, 4, 0]), share)

    def loss(users: torch.Tensor, pool: torch.Tensor) -> torch.Tensor:
        return losses.mixed_softmax(users, pool, *own)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.Tensor, "float", lambda self: self)
        assert torch.autograd.gradcheck(loss, (users, pool))


# Towers


def item_tower(heard: list[bool]) -> ItemTower:
    tower = ItemTower(np.eye(len(heard), dtype=np.float32), np.array(heard), 4, 6, 0.0)
    return tower.eval()


def test_an_item_is_its_id_and_its_content_and_without_an_id_its_content():
    tower = item_tower([True, False, True])
    codes = torch.tensor([0, 1, 2])
    content = tower.content(tower.features)
    torch.testing.assert_close(tower(codes)[0], tower.ids[0] + content[0])
    torch.testing.assert_close(tower(codes)[1], content[1])
    torch.testing.assert_close(tower(codes, drop=1.0), content)
    torch.manual_seed(0)
    kept = (tower(codes.repeat(1000), drop=0.25).reshape(1000, 3, 4)[:, 0] != content[0]).any(1).float().mean()
    assert 0.7 < kept < 0.8


def test_a_history_is_pooled_by_weight():
    """Two items [2, 0] and [0, 4] with weights 1 and 1/2: their weighted sum [2, 2] over sqrt(1 + 1/4)."""
    tower = UserTower(2, 1, np.zeros((1, 0), np.float32), 3, 0.0).eval()
    for weights in tower.mixed.parameters():
        torch.nn.init.zeros_(weights)
    found = tower(
        torch.tensor([[2.0, 0.0], [0.0, 4.0]]),
        torch.zeros(2, 1),
        torch.tensor([1, 1]),
        torch.tensor([1.0, 0.5]),
        torch.zeros(2, 0),
    )
    torch.testing.assert_close(found, torch.tensor([[0.0, 0.0], [2.0, 2.0]]) / 1.25**0.5)


def test_activity_and_diversity_by_hand():
    """Two items with nothing in common are as diverse as two; twice the same item as one; nothing is nothing."""
    tower = UserTower(2, 2, np.zeros((1, 0), np.float32), 3, 0.0)
    features = torch.tensor([[3.0, 0.0], [0.0, 1.0], [0.0, 5.0], [0.0, 5.0]])
    profile, measures = tower.about(features, torch.tensor([0, 0, 1, 1]), 3)
    np.testing.assert_allclose(profile, np.array([[1.5, 0.5], [0, 5], [0, 0]]))
    by_hand = np.log([[3.0, 2.0], [3.0, 1.0], [1.0, 1.0]])
    np.testing.assert_allclose(measures, by_hand, atol=1e-6)


# Features


def test_standardised_by_hand():
    given = np.array([[1.0, 7.0, 1.0], [3.0, 7.0, np.inf], [np.nan, 7.0, 5.0]])
    np.testing.assert_allclose(standardised(given), [[-1, 0, -1], [1, 0, 0], [0, 0, 1]])
    assert (evened(np.array([[np.nan, 4.0], [2.0, 4.0]])) == [[0, 0], [2, 0]]).all()


def test_features_of_items_are_finite_whatever_is_missing(train):
    poor = train.items.copy()
    poor["release_year"] = [np.nan, 1999.0] * (N_ITEMS // 2)
    poor.loc[::3, ["danceability", "genres", "name"]] = [np.nan, None, None]
    poor["energy"] = 0.5
    found = item_features(dataclasses.replace(train, items=poor), tags=4, names=4)
    assert found.shape[0] == N_ITEMS
    assert np.isfinite(found).all()
    few = poor.assign(name=["Kiss", "Abba", *[None] * (N_ITEMS - 2)])
    assert np.isfinite(item_features(dataclasses.replace(train, items=few), 0, 4)).all()
    bare = dataclasses.replace(train, items=train.items[["item_id"]], item_tags=None)
    assert np.isfinite(item_features(bare, 4, 4)).all()
    model = TwoTower(TwoTowerSettings(**SMALL | {"epochs": 3}), seed=0).fit(dataclasses.replace(bare, social=None))
    assert np.isfinite(model.score(np.arange(N_USERS))).all()


def test_few_listeners_are_alike_in_every_feature(train):
    """Items of one listener and of none, otherwise alike, have the same features."""
    rows = train.interactions[~train.interactions["item"].isin([0, 1])]
    single = pd.concat([rows, train.interactions[train.interactions["item"] == 1].head(1)]).sort_values("user")
    items = train.items.copy()
    for column in items.columns.drop(["item_id"]):
        items.loc[1, column] = items.loc[0, column]
    alike = dataclasses.replace(train, items=items, interactions=single.reset_index(drop=True), item_tags=None)
    assert alike.counts[:2].tolist() == [0, 1]
    found = item_features(alike, 4, 4)
    np.testing.assert_array_equal(found[0], found[1])


def test_names_that_share_letters_are_alike():
    names = pd.Series(["Kiss Kiss", "Kiss Kisses", "Kiss", "Бумбокс", "Бумбо", "Бум", None])
    found = ngrams(names).toarray()
    similarity = found @ found.T
    assert similarity[0, 1] > 0.5 > 0.1 > abs(similarity[0, 3])
    assert not found[6].any()


def test_features_of_people_by_hand(train):
    """A user with one friend is told the mean features of what the friend has."""
    users = train.users.assign(age=[31.0, 39.0, np.nan, *[20.0] * (N_USERS - 3)], country=["x", "y"] * (N_USERS // 2))
    pairs = pd.DataFrame({"user": [0, 5], "friend": [5, 0]}, dtype=np.int32)
    items = np.random.default_rng(0).normal(size=(N_ITEMS, 3)).astype(np.float32)
    found = user_features(dataclasses.replace(train, users=users, social=pairs), items)
    np.testing.assert_allclose(found[0, :3], items[train.histories[5]].mean(axis=0), rtol=1e-5)
    assert not found[1, :3].any()
    assert found[:, 4:].shape == (N_USERS, 2 + 2)
    np.testing.assert_array_equal(found[:4, 4:], [[0, 1, 1, 0], [0, 1, 0, 1], [0, 0, 1, 0], [1, 0, 0, 1]])
    assert one_hot(pd.Series(["b", None, "a"])).tolist() == [[0, 1], [0, 0], [1, 0]]


# Cold start


def test_nobody_known_gets_the_mean_of_all_users(fitted):
    everybody = fitted.user_vectors(np.arange(N_USERS))
    np.testing.assert_allclose(fitted.vectors([[]])[0], everybody.mean(axis=0), rtol=1e-4, atol=1e-5)


def test_groups_move_the_average_by_hand(train):
    """Three friends: 3 / (3 + 10) of the way from everybody's mean to theirs; the same for an age group of 10."""
    users = train.users.assign(age=[25.0] * 10 + [61.0] * (N_USERS - 10))
    model = make(groups=10.0).fit(dataclasses.replace(train, users=users))
    everybody = model.user_vectors(np.arange(N_USERS))
    mean = everybody.mean(axis=0)
    friends, young = everybody[[3, 8, 20]].mean(axis=0), everybody[:10].mean(axis=0)
    nothing = pd.DataFrame({"age": [np.nan, 22.0, np.nan]})
    known = UserAttributes(nothing, [np.array([3, 8, 20]), np.array([], int), np.array([], int)])
    found = model.averages(3, known)
    np.testing.assert_allclose(found[0], mean + 3 / 13 * (friends - mean), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found[1], mean + 10 / 20 * (young - mean), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found[2], mean, rtol=1e-4, atol=1e-5)


def test_a_newcomer_is_introduced_alike_alone_and_among_others(train):
    """More countries are asked about than have a feature; the groups are those of the fitted people."""
    countries = [f"c{user % 35}" for user in range(N_USERS)]
    model = make(epochs=2).fit(dataclasses.replace(train, users=train.users.assign(country=countries)))
    asked = pd.DataFrame({"country": [f"c{place}" for place in range(34, -1, -1)]})
    together = model.averages(35, UserAttributes(asked, [np.array([], int)] * 35))
    for row in range(35):
        alone = model.averages(1, UserAttributes(asked.iloc[[row]], [np.array([], int)]))
        np.testing.assert_allclose(together[row], alone[0], rtol=1e-5, atol=1e-6)
    assert len(np.unique(together.round(5), axis=0)) > 25


def test_names_of_groups_survive_whatever_stands_in_them(train, tmp_path):
    users = train.users.assign(country=["a\u2028b", "a\x85b\n"] * (N_USERS // 2))
    model = make(epochs=1).fit(dataclasses.replace(train, users=users))
    model.save(tmp_path)
    assert TwoTower.load(tmp_path).groups.keys() == model.groups.keys()


def test_friends_of_one_block_bring_its_items_to_an_unknown_user(fitted):
    friends = np.arange(N_USERS)[np.arange(N_USERS) % BLOCKS == 2]
    known = UserAttributes(pd.DataFrame(index=[0]), [friends])
    top = np.argsort(-fitted.fold_in([[]], known)[0])[:HEARD]
    assert (top // BLOCK == 2).all()


def test_an_item_without_listeners_is_scored_by_its_content(train):
    """Item 5 loses all its listeners and keeps its tags: it still comes before the items of other blocks."""
    rows = train.interactions[train.interactions["item"] != 5].reset_index(drop=True)
    model = make().fit(dataclasses.replace(train, interactions=rows))
    scores = model.fold_in([[0, 1, 2, 3]])[0]
    assert scores[5] > scores[BLOCK:].max()


# Retrieval


def test_an_index_finds_what_the_scores_say(fitted):
    histories = Histories.from_lists([[0, 3, 5], [40], []], N_ITEMS)
    scores = fitted.fold_in(histories)
    scores[0, [0, 3, 5]] = scores[1, 40] = -np.inf
    index, vectors = fitted.index(), fitted.vectors(histories)
    codes, values = index.search_new(vectors, histories, 6)
    np.testing.assert_allclose(values, np.sort(scores, axis=1)[:, ::-1][:, :6], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(np.take_along_axis(scores, codes, axis=1), values, rtol=1e-4, atol=1e-5)
    assert (index.search_new(vectors, histories, 2 * N_ITEMS)[0][0] >= 0).sum() == N_ITEMS - 3


def test_another_models_index_is_refused(fitted, train):
    other = make(epochs=2).fit(train)
    with pytest.raises(UserError, match="another model"):
        other.index().belongs_to(fitted.item_vectors())
    with pytest.raises(UserError, match="another model"):
        Index(np.eye(9, 8, dtype=np.float32)).belongs_to(fitted.item_vectors())
    fitted.index().belongs_to(fitted.item_vectors())


def test_what_was_scored_during_training_is_not_kept(train):
    """A validation that scores after every epoch sees other scores each time, and the model ends as without it."""
    looks: list[np.ndarray] = []
    watched, plain = make(epochs=3, patience=9), make(epochs=3)

    def validation(watched: Any) -> float:
        looks.append(np.concatenate([watched.score(np.arange(3)), watched.fold_in([[1, 2]]), watched.fold_in([[]])]))
        return float(len(looks))

    watched.fit(train, validation)
    for one, other in pairwise(looks):
        assert all(not np.array_equal(row, later) for row, later in zip(one, other, strict=True))
    np.testing.assert_array_equal(looks[-1][:3], watched.score(np.arange(3)))
    np.testing.assert_array_equal(watched.score(np.arange(3)), plain.fit(train).score(np.arange(3)))


def test_the_best_epochs_weights_are_those_that_score(train):
    model = make(epochs=4, patience=9)
    looks: list[np.ndarray] = []

    def validation(model: Any) -> float:
        looks.append(model.score(np.arange(3)))
        return -float(abs(len(looks) - 2))

    model.fit(train, validation)
    np.testing.assert_array_equal(model.score(np.arange(3)), looks[1])


@pytest.mark.parametrize("factors", [4, 20])
def test_ids_start_from_als(train, factors):
    """ALS factors of any number in the width of the towers: their products stay, as far as they fit."""
    model = make(start="als", als=SimpleNamespace(), width=8)
    model.settings = dataclasses.replace(
        model.settings, als=dataclasses.replace(TwoTowerSettings().als, factors=factors, regularisation=1.0, alpha=5.0)
    )
    model.set_state(train)
    start = model.build().items.ids.detach().numpy()
    wanted = ALS(model.settings.als, seed=0).fit(train).item_factors
    products, largest = wanted @ wanted.T, min(8, factors)
    left = np.linalg.eigvalsh(products)[::-1][largest:].sum()
    assert start.shape == (N_ITEMS, 8)
    assert np.linalg.norm(start @ start.T - products, 2) <= left + 1e-4


def test_nothing_left_to_find_is_a_mistake(train):
    with pytest.raises(UserError, match="below 1"):
        make(least=1.0).fit(train)
    alone = dataclasses.replace(train, interactions=train.interactions.drop_duplicates("user").reset_index(drop=True))
    assert np.isfinite(make(epochs=2).fit(alone).score(np.arange(3))).all()


def test_sparse_matrices_are_reduced_to_their_main_directions():
    rng = np.random.default_rng(0)
    low = rng.normal(size=(40, 3)) @ rng.normal(size=(3, 30))
    found = reduced(sparse.csr_array(low), 3)
    np.testing.assert_allclose(found @ found.T, low @ low.T, rtol=1e-6, atol=1e-6)
    assert reduced(sparse.csr_array(low), 50).shape == (40, 30)
    assert reduced(sparse.csr_array(low[:6]), 20).shape == (6, 5), "no more than there are items"
