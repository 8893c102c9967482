"""Two towers: the contract, their batches, their loss, their features, and people and items nobody has seen."""

import dataclasses
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from common.features.user_attributes import UserAttributes
from common.models.linear.als import ALS
from common.models.neural import losses
from common.models.neural.two_tower.model import TwoTower, TwoTowerSettings
from common.models.neural.two_tower.network import ItemTower
from common.models.vector_index import Index
from common.splits.histories import Histories
from common.training.batches import to_device
from common.utils.errors import UserError
from tests.models.contract_tests import BLOCK, BLOCKS, HEARD, N_ITEMS, N_USERS, QUICK, ContractTests

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


def make(**changed: Any) -> TwoTower:
    return TwoTower(TwoTowerSettings(**SMALL | changed), seed=0)


HISTORIES = Histories.from_lists([[0, 4, 2, 7, 1, 3], [5, 2], [], [9], [1, 2, 3, 4, 5, 6, 7, 8]], 30)


# Batches


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
    model = make(start="als", width=8)
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
