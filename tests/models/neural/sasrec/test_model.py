"""SASRec: the contract, its sequences, its losses, its network."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from common.models.neural import losses
from common.models.neural.sasrec.batches import SequenceBatches, all_windows, last_windows, pack, reorder
from common.models.neural.sasrec.model import SASRec, SASRecSettings, side_features
from common.models.neural.sasrec.transformer import Dropout, Encoder
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
    monkeypatch.setattr("common.training.precision.autocast", lambda *_: torch.autocast("cpu", torch.bfloat16))
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


def test_orders_by_hand():
    given = histories([3, 1, 4], [1, 5], times=[7, 7, 8, 2, 2])
    rng = np.random.default_rng(0)
    assert reorder(given, "kept", rng).items.tolist() == [3, 1, 4, 1, 5]
    assert reorder(given, "plays", None).items.tolist() == [4, 1, 3, 5, 1]
    assert reorder(given, "shuffled", None).items.tolist() == [3, 1, 4, 1, 5]
    ties = {tuple(reorder(given, "ties", rng).items) for _ in range(50)}
    assert ties == {(a, b, 4, c, d) for a, b in ((3, 1), (1, 3)) for c, d in ((1, 5), (5, 1))}
    shuffled = {tuple(reorder(given, "shuffled", rng).items) for _ in range(500)}
    assert len(shuffled) == 6 * 2
    moved = reorder(given, "plays", None)
    assert moved.weights.tolist() == [3, 4, 5, 1, 2]
    assert moved.timestamps is not None
    assert moved.timestamps.tolist() == [8, 7, 7, 2, 2]


def test_windows_make_every_event_but_the_first_a_target_once():
    rng = np.random.default_rng(1)
    given = histories(list(range(11)), [1], [], [4, 5], list(range(20)))
    for _ in range(20):
        starts, ends = all_windows(given, 5, rng)
        assert (ends - starts <= 5).all()
        assert (ends - starts >= 2).all()
        targets = np.concatenate([np.arange(start + 1, end) for start, end in zip(starts, ends, strict=True)])
        assert len(set(targets)) == len(targets)
        assert set(targets) == {*range(1, 11), 13, *range(15, 34)}
    cuts = {tuple(all_windows(given, 5, rng)[0][:3]) for _ in range(50)}
    assert len(cuts) == 4, "the newest window of 11 events has 2, 3, 4 or 5"
    starts, ends = last_windows(given, 5)
    assert [tuple(pair) for pair in zip(starts, ends, strict=True)] == [(6, 11), (11, 12), (12, 12), (12, 14), (29, 34)]


def test_packing_by_hand():
    given = histories([3, 1, 4], [1, 5], [9, 2, 6, 5])
    packed = pack(given, np.array([0, 3, 6]), np.array([3, 5, 9]), length=4)
    assert packed["items"].tolist() == [3, 1, 4, 1, 5, 2, 6, 5]
    assert packed["positions"].tolist() == [1, 2, 3, 2, 3, 1, 2, 3]
    assert packed["cells"].tolist() == [0, 1, 2, 3, 4, 6, 7, 8]
    assert (packed["windows"], packed["width"]) == (3, 3)


def batches(size: int, draw: Any = lambda rng: {}) -> SequenceBatches:
    given = histories([3, 1, 4, 2], [1, 5], [9, 2, 6, 5, 3], [7], [8, 9, 1])
    return SequenceBatches(given, 3, "kept", "last", size, 0, draw)


def test_a_batch_foretells_the_next_event_and_processes_share_it():
    epoch = batches(3).epoch(1)
    assert (epoch.n_examples, epoch.n_batches) == (4, 2)
    pairs = []
    for step in range(2):
        alone = epoch.batch(step, 0, 1)
        assert len(alone["targets"]) == epoch.weight(step)
        pairs += list(zip(alone["items"], alone["targets"], strict=True))
        shared = [epoch.batch(step, rank, 2) for rank in (0, 1)]
        assert sum(share["windows"] for share in shared) == alone["windows"]
        together = np.concatenate([share["targets"] for share in shared])
        assert sorted(together) == sorted(alone["targets"])
    wanted = [(3, 1), (1, 4), (4, 2), (1, 5), (2, 6), (6, 5), (5, 3), (8, 9), (9, 1)]
    assert sorted(pairs) == sorted(wanted)
    assert batches(4).epoch(1).describe(0) == "4 sequences of 2 to 4 events, 9 targets"


def test_an_epoch_depends_on_its_number_alone_and_negatives_on_the_step():
    one, again, other = (batches(4, lambda rng: {"negatives": rng.integers(0, 20, 9)}).epoch(n) for n in (3, 3, 4))
    np.testing.assert_array_equal(one.starts, again.starts)
    assert any(not np.array_equal(one.starts, batches(4).epoch(n).starts) for n in range(4, 9))
    np.testing.assert_array_equal(one.batch(0, 0, 2)["negatives"], again.batch(0, 1, 2)["negatives"])
    assert not np.array_equal(one.batch(0, 0, 1)["negatives"], other.batch(0, 0, 1)["negatives"])


# Network


def test_no_event_sees_a_later_one_and_padding_changes_nothing():
    torch.manual_seed(0)
    encoder = Encoder(width=8, layers=2, heads=2, inner=8, length=6, dropout=0.0, norm="pre").eval()
    vectors = torch.randn(7, 8)
    given = histories([1, 2, 3, 4, 5], [6, 7])
    packed = pack(given, np.array([0, 5]), np.array([5, 7]), 6)
    positions, cells = torch.from_numpy(packed["positions"]), torch.from_numpy(packed["cells"])
    together = encoder(vectors, positions, cells, 2, 5)
    changed = vectors.clone()
    changed[3, 0] += 1
    moved = encoder(changed, positions, cells, 2, 5)
    torch.testing.assert_close(moved[:3], together[:3])
    torch.testing.assert_close(moved[5:], together[5:])
    assert (moved[3:5] - together[3:5]).abs().amax(1).min() > 1e-3
    alone = encoder(vectors[5:], positions[5:], torch.arange(2), 1, 2)
    torch.testing.assert_close(alone, together[5:])


def test_attention_weights_are_those_of_the_forward_pass():
    torch.manual_seed(0)
    encoder = Encoder(width=8, layers=1, heads=2, inner=8, length=6, dropout=0.0, norm="pre").eval()
    block: Any = encoder.blocks[0]
    vectors, positions, cells = torch.randn(5, 8), torch.arange(1, 6), torch.arange(5)
    events = encoder.start(vectors, positions)
    [weights] = encoder.attention(vectors, positions)
    _, _, values = block._heads(block.attention_norm(events), cells, 1, 5)
    mixed = (weights @ values[0]).transpose(0, 1).reshape(5, 8)
    torch.testing.assert_close(block.join(mixed), block._attend(block.attention_norm(events), cells, 1, 5))


def test_dropout_drops_its_share_evenly_and_keeps_the_mean():
    torch.manual_seed(0)
    dropout, values = Dropout(0.3), torch.ones(1000, 301, requires_grad=True)
    dropped = dropout(values)
    share = (dropped == 0).float()
    assert share.mean().item() == pytest.approx(77 / 256, abs=0.002)
    assert dropped.mean().item() == pytest.approx(1, abs=0.004)
    for axis in (0, 1):  # no row, column or place in a word is favoured
        assert share.mean(axis).std().item() == pytest.approx((0.3 * 0.7 / share.shape[axis]) ** 0.5, rel=0.2)
    places = share.flatten()[:300_000].view(-1, 8).mean(0)
    assert (places - 77 / 256).abs().max() < 0.01
    assert not torch.equal(dropped, dropout(values))
    dropped.sum().backward()
    torch.testing.assert_close(values.grad, dropped.detach())
    assert dropout.eval()(values) is values


# Losses


@pytest.fixture
def some() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    hidden, vectors = torch.randn(50, 6), torch.randn(30, 6)
    return hidden.requires_grad_(), vectors.requires_grad_(), torch.randint(0, 30, (50,))


def test_full_softmax_is_cross_entropy_in_value_and_gradients(some, monkeypatch):
    hidden, vectors, targets = some
    expected = functional.cross_entropy(hidden @ vectors.T, targets, reduction="sum")
    gradients = torch.autograd.grad(expected * 0.7, (hidden, vectors))
    for size in (1, 2**20):  # chunks of 16 rows, and one of all
        monkeypatch.setitem(losses.CHUNK_BYTES, "cpu", size)
        found = losses.full_softmax(hidden, vectors, targets)
        torch.testing.assert_close(found, expected)
        for one, other in zip(torch.autograd.grad(found * 0.7, (hidden, vectors)), gradients, strict=True):
            torch.testing.assert_close(one, other)


def test_full_softmax_stands_large_scores_and_half_precision(some):
    hidden, vectors, targets = some
    large = functional.cross_entropy(200 * hidden @ vectors.T, targets, reduction="sum")
    torch.testing.assert_close(losses.full_softmax(200 * hidden, vectors, targets), large)
    expected = losses.full_softmax(hidden, vectors, targets)
    slopes = torch.autograd.grad(losses.full_softmax(hidden, vectors, targets), (hidden, vectors))
    with torch.autocast("cpu", torch.float16):
        in_float16 = torch.autograd.grad(losses.full_softmax(hidden, vectors, targets), (hidden, vectors))
    for one, other in zip(in_float16, slopes, strict=True):
        torch.testing.assert_close(one, other, rtol=0.02, atol=0.01)
    with torch.autocast("cpu", torch.bfloat16):
        found = losses.full_softmax(hidden, vectors, targets)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, rtol=0.02, atol=0.0)
    found.backward()
    assert hidden.grad is not None
    assert hidden.grad.isfinite().all()


def test_no_tokens_cost_nothing(some):
    hidden, vectors, targets = some
    loss = losses.full_softmax(hidden[:0], vectors, targets[:0])
    loss.backward()
    assert loss.item() == 0
    assert vectors.grad is not None
    assert not vectors.grad.any()


def test_sampled_softmax_by_hand():
    hidden, vectors = torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 0.0], [2.0, 5.0], [3.0, 1.0]])
    negatives, chances = torch.tensor([1, 0, 2]), torch.tensor([0.5, 0.3, 0.2])
    expected = losses.log_draws(negatives, chances)
    np.testing.assert_allclose(expected, np.log([0.9, 1.5, 0.6]), rtol=1e-6)
    targets = torch.tensor([0])
    found = losses.sampled_softmax(hidden, vectors[targets], vectors[negatives], targets, negatives, expected)
    # scores 1 (target), 2 and 3; the target among the negatives is left out
    total = np.exp(1) + np.exp(2) / 0.9 + np.exp(3) / 0.6
    assert float(found) == pytest.approx(np.log(total) - 1)


def test_sampled_softmax_nears_the_full_one(some):
    hidden, vectors, targets = some
    chances = torch.softmax(torch.randn(30), 0)
    negatives = torch.multinomial(chances, 200_000, replacement=True)
    expected = losses.log_draws(negatives, chances)
    found = losses.sampled_softmax(hidden, vectors[targets], vectors[negatives], targets, negatives, expected)
    torch.testing.assert_close(found, losses.full_softmax(hidden, vectors, targets), rtol=0.01, atol=0.0)


def test_generalised_bce_by_hand(some):
    hidden, vectors, targets = (
        torch.tensor([[1.0]]),
        torch.tensor([[0.5], [-1.0], [2.0], [0.0], [3.0]]),
        torch.tensor([0]),
    )
    negatives = torch.tensor([1, 2, 0])

    def found(calibration: float) -> float:
        own, others = vectors[targets], vectors[negatives]
        return float(losses.generalised_bce(hidden, own, others, targets, negatives, 5, calibration))

    def sigmoid(x: float) -> float:
        return 1 / (1 + np.exp(-x))

    others = np.log(1 - sigmoid(-1.0)) + np.log(1 - sigmoid(2.0))  # the target among the negatives is left out
    assert found(0.0) == pytest.approx(-np.log(sigmoid(0.5)) - others, rel=1e-5)  # plain BCE
    assert found(1.0) == pytest.approx(-0.75 * np.log(sigmoid(0.5)) - others, rel=1e-5)  # rate 3 of 4 items
    assert found(0.5) == pytest.approx(-0.875 * np.log(sigmoid(0.5)) - others, rel=1e-5)
