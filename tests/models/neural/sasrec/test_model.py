"""SASRec: the contract, its sequences, its losses, its network."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from common.models.neural.sasrec.model import SASRec, SASRecSettings, side_features
from common.models.neural.sasrec.transformer import Encoder
from common.splits.histories import Histories
from common.utils.errors import UserError
from tests.models.contract_tests import BLOCK, N_ITEMS, QUICK, ContractTests, block_visible

SMALL = {"width": 16, "heads": 2, "length": 8, "epochs": 25, "batch": 16, "dropout": 0.1, "learning_rate": 0.01}
QUICK["sasrec"] = {**SMALL, "epochs": 2}


class TestSASRec(ContractTests):
    kind = SASRec
    settings = SMALL
    folds_as_it_scores = True
    other_settings = {  # noqa: RUF012
        "epochs": 24,
        "batch": 15,
        "learning_rate": 0.011,
        "weight_decay": 0.1,
        "clip": 0.1,
        "schedule": "cosine",
        "warmup": 2.0,
        "length": 7,
        "width": 18,
        "layers": 1,
        "heads": 4,
        "inner": 2,
        "dropout": 0.2,
        "norm": "post",
        "tied": False,
        "loss": "sampled",
        "order": "plays",
        "tags": 4,
        "audio": True,
    }


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    return block_visible(tmp_path_factory.mktemp("blocks"))


def make(**changed: Any) -> SASRec:
    return SASRec(SASRecSettings(**SMALL | changed), seed=0)


@pytest.mark.parametrize(
    "changed",
    [
        {"loss": "sampled", "negatives": 20},
        {"loss": "gbce", "negatives": 20, "epochs": 80, "dropout": 0.0},
        {"norm": "post"},
        {"tied": False, "dropout": 0.4},
        {"order": "shuffled"},
        {"order": "ties", "crop": "windows", "length": 4},
        {"tags": 8, "audio": True, "loss": "sampled", "negatives": 20},
    ],
    ids=str,
)
def test_every_variant_learns_the_blocks(train, changed):
    model = make(**changed).fit(train)
    scores = model.fold_in([[0, 3, 5], [40, 37, 42]])
    scores[0, [0, 3, 5]] = scores[1, [40, 37, 42]] = -np.inf
    for row, block in ((0, 0), (1, 3)):
        assert (np.argsort(-scores[row])[: BLOCK - 3] // BLOCK == block).mean() > 0.75


@pytest.mark.parametrize(
    ("before", "changed"),
    [
        ({"loss": "sampled"}, {"negatives": 99}),
        ({"loss": "sampled"}, {"power": 0.0}),
        ({"loss": "gbce"}, {"calibration": 0.2}),
        ({"loss": "gbce"}, {"negatives": 99}),
        ({"weight_decay": 0.1}, {"optimiser": "adamw"}),
        ({"length": 4}, {"crop": "windows"}),
        ({}, {"order": "ties"}),
    ],
)
def test_settings_that_need_others_are_honoured(train, before, changed):
    one, other = (make(epochs=2, **of).fit(train) for of in (before, {**before, **changed}))
    assert not np.array_equal(one.score(np.arange(5)), other.score(np.arange(5)))


def test_of_a_long_history_the_last_events_count(train):
    model = make(epochs=3).fit(train)
    long = [item for item in range(N_ITEMS) if item % 5]
    np.testing.assert_allclose(model.fold_in([long]), model.fold_in([long[-8:]]), rtol=1e-5, atol=1e-6)
    assert not np.allclose(model.fold_in([long]), model.fold_in([long[-7:]]))


def test_an_empty_history_gets_the_popular_list(train):
    model = make(epochs=1).fit(train)
    scores = model.fold_in([[], [3]])
    np.testing.assert_array_equal(np.argsort(-scores[0], kind="stable"), np.argsort(-train.popularity, kind="stable"))
    assert not np.array_equal(scores[0], scores[1])


def test_items_that_nobody_had_in_training_can_stand_in_a_history_and_in_a_list(train):
    known = train.interactions[train.interactions["item"] != 5].reset_index(drop=True)
    poor = dataclasses.replace(train, interactions=known)
    for loss in ("full", "sampled"):
        model = make(epochs=5, loss=loss, tags=8).fit(poor)
        scores = model.fold_in([[5], [5, 3], [3]])
        assert np.isfinite(scores).all()
        assert not np.array_equal(scores[1], scores[2])
        assert len(model.similar(5, 3)[0]) == 3


def test_the_order_of_a_history_matters_but_not_to_plays(train):
    kept, plays = make(epochs=3).fit(train), make(epochs=3, order="plays").fit(train)
    there, back = ([[3, 1, 7]], [[7, 1, 3]])
    assert not np.allclose(kept.fold_in(there), kept.fold_in(back))
    weighed = [
        Histories(np.array([0, 3]), np.array(items[0], np.int32), np.array(weights, np.float32), N_ITEMS)
        for items, weights in ((there, [5, 1, 9]), (back, [9, 1, 5]))
    ]
    np.testing.assert_array_equal(plays.fold_in(weighed[0]), plays.fold_in(weighed[1]))


def test_histories_of_one_event_teach_nothing(train, tmp_path):
    single = train.interactions.drop_duplicates("user", ignore_index=True)
    with pytest.raises(UserError, match="no next item"):
        make().fit(dataclasses.replace(train, interactions=single))


def test_a_width_that_the_heads_cannot_share_is_refused(train):
    with pytest.raises(UserError, match=r"--sasrec.width 9: give a multiple of --sasrec.heads 2"):
        make(width=9).fit(train)


def test_side_features_tell_blocks_apart_and_need_not_be_there(train):
    side = side_features(train, tags=8, audio=True)
    assert side.dtype == np.float32
    similarity = side @ side.T
    same = np.arange(N_ITEMS)[:, None] // BLOCK == np.arange(N_ITEMS) // BLOCK
    assert similarity[same].mean() > 5 * abs(similarity[~same].mean())
    bare = dataclasses.replace(train, item_tags=None, items=train.items[["item_id"]])
    assert side_features(bare, tags=8, audio=True).shape == (N_ITEMS, 0)
    make(epochs=1, tags=8, audio=True).fit(bare)


def test_attention_is_a_distribution_over_what_is_seen(train):
    model = make(epochs=2).fit(train)
    items, weights = model.attention(train.histories.take(np.array([4])))
    np.testing.assert_array_equal(items, train.histories[4][-8:])
    assert weights.shape == (2, 2, 8)
    np.testing.assert_allclose(weights.sum(axis=2), 1, rtol=1e-5)


def test_in_half_precision_scores_are_float32_and_near(train, monkeypatch):
    """What a card does: the network runs in bfloat16, the scores of items are worked out exactly."""
    model = make().fit(train)
    users, exact = np.arange(train.n_users), model.score(np.arange(train.n_users))
    monkeypatch.setattr("common.training.precision.precision_of", lambda *_: "bfloat16")
    halved = model.score(users)
    assert not np.array_equal(halved, exact)
    np.testing.assert_allclose(halved, exact, atol=0.05 * np.abs(exact).max())
    assert min(len(np.unique(row)) for row in halved) == N_ITEMS, "no two items tie for want of digits"
    assert model.similar(3, 5)[0].tolist() == make().fit(train).similar(3, 5)[0].tolist()


def test_gradients_are_the_same_bit_for_bit_with_several_threads():
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        torch.manual_seed(0)
        encoder = Encoder(width=64, layers=1, heads=2, inner=64, length=50, dropout=0.0, norm="pre")
        vectors, positions, cells = torch.randn(3200, 64), torch.arange(3200) % 50, torch.arange(3200)
        found = []
        for _ in range(20):
            encoder.zero_grad()
            encoder(vectors, positions, cells, 64, 50).square().sum().backward()
            found.append([weight.grad.clone() for weight in encoder.parameters() if weight.grad is not None])
        for again in found[1:]:
            assert all(torch.equal(a, b) for a, b in zip(found[0], again, strict=True))
    finally:
        torch.set_num_threads(threads)


# Sequences


def histories(*lists: list[int], times: list[int] | None = None) -> Histories:
    plain = Histories.from_lists(lists, 20)
    weights = np.arange(len(plain.items), 0, -1, dtype=np.float32)
    return Histories(plain.indptr, plain.items, weights, 20, None if times is None else np.array(times))
