"""The hybrid: the contract, its lists, its inputs, its network, and what it leaves out."""

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from common.models.linear.als import ALSSettings
from common.models.linear.ease import EASESettings
from common.models.neural.listnet.batches import ListBatches
from common.models.neural.listnet.inputs import Side, alike_spaces, listening_hours, make_inputs, shared
from common.models.neural.listnet.model import HybridListNet, HybridListNetSettings
from common.models.neural.listnet.network import Layer, Norm
from common.models.neural.listnet.ranker import ListNetRanker
from common.models.two_stage.candidates import CandidateGenerator
from common.models.two_stage.training_data import TrainingData
from common.splits.histories import Query
from common.splits.train_view import TrainView
from common.training.batches import to_device
from common.training.context import NO_CONTEXT
from common.utils.errors import UserError
from tests.models.contract_tests import BLOCK, N_ITEMS, N_USERS, QUICK, ContractTests, block_visible

SMALL: dict[str, Any] = {
    "als": ALSSettings(factors=8, iterations=4, regularisation=1.0, alpha=10.0),
    "ease": EASESettings(regularisation=5.0),
    "top": 8,
    "width": 4,
    "hidden": (16, 8),
    "epochs": 8,
    "batch": 16,
    "learning_rate": 0.02,
    "tags": 4,
    "words": 4,
    "dropout": 0.0,
}
QUICK["hybrid_listnet"] = {**SMALL, "epochs": 2}


class TestHybridListNet(ContractTests):
    kind = HybridListNet
    settings = SMALL
    other_settings = {  # noqa: RUF012
        "top": 5,
        "epochs": 7,
        "batch": 15,
        "learning_rate": 0.021,
        "weight_decay": 0.1,
        "clip": 0.1,
        "schedule": "cosine",
        "warmup": 2.0,
        "width": 5,
        "hidden": (16, 9),
        "residual": False,
        "dropout": 0.3,
        "side_dropout": 0.5,
        "id_dropout": 0.6,
        "negatives": 1,
        "inputs": "content",
        "task": "rank",
        "plays_weight": 0.3,
        "temperature": 0.5,
        "target_temperature": 0.5,
        "ils_weight": 1.0,
        "outliers": "cap",
        "tags": 2,
        "words": 0,
        "without": ("ids",),
    }

    def test_plays_are_predicted_for_pairs_in_any_order_and_whatever_the_company(self, fitted):
        users, items = np.array([7, 0, 7, 39]), np.array([40, 3, 2, 3])
        together = fitted.predict_plays(users, items)
        assert together.dtype == np.float32
        assert np.isfinite(together).all()
        for place in range(4):
            alone = fitted.predict_plays(users[[place]], items[[place]])
            np.testing.assert_allclose(alone[0], together[place], rtol=1e-4, atol=1e-5)

    def test_candidates_stand_above_all_others(self, fitted):
        scores = fitted.score(self.everybody)
        candidates = fitted.candidates(fitted.query(self.everybody))
        proposed = np.zeros(scores.shape, bool)
        proposed[candidates.rows, candidates.items] = True
        assert (scores[proposed] >= 0).all()
        assert (scores[~proposed] <= 0).all()

    @pytest.mark.parametrize("without", ["audio", "tags"])
    def test_what_is_left_out_changes_the_scores(self, fitted, train, without):
        """What the words name is not among the columns, and the scores change."""
        other = self.make(without=(without,)).fit(train)
        names = np.array(other.ranker.feature_names)[other.ranker.used]
        gone = set(fitted.ranker.feature_names) - set(names)
        assert gone
        assert all(without.rstrip("s") in name or "content_knn" in name for name in gone)
        assert not np.array_equal(other.score(self.everybody), fitted.score(self.everybody))


def make(**changed: Any) -> HybridListNet:
    return HybridListNet(HybridListNetSettings(**SMALL | changed), seed=0)


def set_up(model: HybridListNet, train: TrainView) -> ListNetRanker:
    """The ranker of an unfitted model, ready to be trained."""
    model.ranker.set_state(model.cross_fit(train, NO_CONTEXT).data)
    return model.ranker


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    return block_visible(tmp_path_factory.mktemp("blocks"))


# Lists


def data_by_hand(copies: int = 1) -> TrainingData:
    """List 0 has a positive and two negative candidates and a target that was not proposed; 1 no positive; 2 only
    positives; 3 one of each. And so on for each copy."""
    lists = np.array([0, 0, 0, 0, 1, 1, 2, 3, 3])
    candidate = np.array([True, True, True, False, True, True, True, True, True])
    target = np.array([True, False, False, True, False, False, True, False, True])
    plays = np.where(target, np.arange(9.0), np.nan).astype(np.float32)
    features = np.arange(18, dtype=np.float32).reshape(9, 2)
    arrays = [features, lists, 10 + lists, 100 + np.arange(9), candidate, target, plays]
    arrays = [np.concatenate([array] * copies) for array in arrays]
    arrays[1] += 4 * np.repeat(np.arange(copies), len(lists))
    train: Any = None
    return TrainingData(train, {"user": ["a", "b"]}, *arrays)


def test_a_batch_holds_whole_lists():
    batches = ListBatches.of(data_by_hand(), np.arange(9.0, dtype=np.float32), size=5, seed=0)
    assert batches.usable.tolist() == [0, 3], "those with a positive and a negative"
    epoch = batches.epoch(1)
    assert (epoch.n_batches, epoch.n_examples, epoch.weight(0)) == (1, 2, 2.0)
    batch = epoch.batch(0, 0, 1)
    assert batch["n_lists"] == 2
    assert sorted(batch["items"]) == [100, 101, 102, 103, 107, 108]
    own = batch["lists"] == batch["lists"][batch["items"] == 103]
    assert set(batch["items"][own]) == {100, 101, 102, 103}
    assert 103 not in batch["items"][batch["ranked"]], "not proposed, so in no list"
    assert batch["labels"].sum() == 2
    assert batch["plays"][batch["items"] == 103] == 3.0
    np.testing.assert_array_equal(batch["expected"], batch["items"] - 100)
    assert np.isnan(batch["plays"][batch["items"] == 101])
    np.testing.assert_array_equal(batch["features"][:, 0], 2 * (batch["items"] - 100))
    assert "2 lists of 6 pairs" in epoch.describe(0)


def test_processes_share_the_lists_and_epochs_shuffle_them():
    many = data_by_hand(copies=9)
    batches = ListBatches.of(many, np.zeros(len(many.lists), np.float32), size=7, seed=0)
    epoch = batches.epoch(1)
    assert epoch.n_batches == 3
    whole, parts = epoch.batch(1, 0, 1), [epoch.batch(1, rank, 2) for rank in range(2)]
    assert whole["n_lists"] == 7 == sum(part["n_lists"] for part in parts)
    assert sorted(whole["items"]) == sorted(np.concatenate([part["items"] for part in parts]))
    assert not np.array_equal(batches.epoch(2).order, epoch.order)
    np.testing.assert_array_equal(batches.epoch(1).order, epoch.order)


def test_the_parts_of_a_batch_have_the_loss_of_the_whole(train):
    model = make(without=("ids",), ils_weight=0.7)
    ranker = set_up(model, train)
    network, epoch = ranker.build().eval(), ranker.lists.epoch(1)

    def loss(rank: int, world: int) -> float:
        return float(network(**to_device(epoch.batch(0, rank, world), "cpu")).detach())

    assert loss(0, 1) == pytest.approx(loss(0, 2) + loss(1, 2), rel=1e-4)


def test_nobody_else_moves_the_loss_of_a_list(train):
    """The softmax is over a list: another user's scores do not change its gradient."""
    model = make(task="rank", without=("ids",))
    ranker = set_up(model, train)
    network = ranker.build().eval()
    batch = to_device(ranker.lists.epoch(1).batch(0, 0, 1), "cpu")
    pairs = (batch[name] for name in ("features", "users", "items", "expected"))
    scores = network.predict(*pairs)[0].detach()[batch["ranked"]]
    lists = batch["lists"][batch["ranked"]]

    def gradient(scores: torch.Tensor) -> torch.Tensor:
        scores = scores.clone().requires_grad_()
        network.listnet(scores, batch["labels"], lists, batch["n_lists"]).backward()
        assert scores.grad is not None
        return scores.grad[lists == 0]

    np.testing.assert_array_equal(gradient(scores), gradient(torch.where(lists == 1, 9 * scores, scores)))


# Inputs


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


def test_scores_of_sources_are_no_input_where_content_alone_is_asked_for(train):
    model = make(inputs="content", epochs=1).fit(train)
    names = np.array(model.ranker.feature_names)[model.ranker.used]
    assert len(names)
    assert not any(name.endswith(("_score", "_strength", "_rank")) and "popularity" not in name for name in names)
    assert "interaction_strength" not in names


# The network


def test_a_batch_of_one_is_normalised_by_what_was_seen_before():
    norm = Norm(2)
    norm(torch.tensor([[1.0, 5.0], [3.0, 5.0]]))
    np.testing.assert_allclose(norm.mean, [0.2, 0.5])
    alone = norm(torch.tensor([[1.0, 1.0]]))
    assert torch.isfinite(alone).all()
    np.testing.assert_allclose(norm.mean, [0.2, 0.5])


def test_a_layer_keeps_what_comes_in():
    torch.manual_seed(0)
    rows, layer = torch.randn(6, 4), Layer(4, 4, 0.0, residual=True)
    for weight in layer.made.parameters():
        torch.nn.init.zeros_(weight)
    np.testing.assert_array_equal(layer(rows).detach(), rows)
    assert Layer(4, 3, 0.0, residual=True)(rows).shape == (6, 3)
    layer.residual = False
    assert not layer(rows).any()


def test_one_task_alone_leaves_the_other_head_as_it_was(train):
    for task, kept in (("rank", "plays"), ("plays", "ranks")):
        model = make(task=task, epochs=2, weight_decay=0.0).fit(train)
        start = set_up(make(task=task), train)
        torch.manual_seed(0)
        np.testing.assert_array_equal(
            getattr(model.ranker.network, kept).weight.detach(), getattr(start.build(), kept).weight.detach()
        )
    assert make(task="rank", epochs=1).fit(train).predict_plays(np.array([0]), np.array([1])) is None


def test_plays_that_are_all_alike_are_not_predicted(train):
    same = dataclasses.replace(train, interactions=train.interactions.assign(weight=1.0))
    model = make(epochs=1).fit(same)
    assert model.predict_plays(np.array([0]), np.array([1])) is None
    assert np.isfinite(model.score(np.arange(N_USERS))).all()


def test_plays_are_learned(train):
    """A user of loud habits plays everything ten times as often."""
    loud = train.interactions["user"].to_numpy() % 2 == 0
    rows = train.interactions.assign(weight=np.where(loud, 200.0, 2.0))
    model = make(epochs=30).fit(dataclasses.replace(train, interactions=rows))
    users = np.arange(N_USERS)
    found = model.predict_plays(users, BLOCK * (users % 4) + 3)
    assert found is not None
    assert found[::2].mean() > found[1::2].mean() + 2


def test_a_higher_price_makes_lists_less_alike(train):
    """Half of each block shares a tag: a price on likeness mixes the halves."""
    vectors = alike_spaces(train)[1]
    found = []
    for weight in (0.0, 30.0):
        model = make(ils_weight=weight, epochs=15, without=("ids",)).fit(train)
        scores = model.fold_in([[BLOCK * b, BLOCK * b + 1] for b in range(4)])
        top = np.argsort(-scores, axis=1)[:, :6]
        found.append(np.mean([(vectors[row] @ vectors[row].T)[np.triu_indices(6, 1)].mean() for row in top]))
    assert found[1] < found[0] - 0.05


def test_nobody_with_candidates_teaches_nothing_and_harms_nothing(train):
    """A single user: there are no lists with a positive."""
    alone = dataclasses.replace(train, interactions=train.interactions[train.interactions["user"] == 0])
    model = make(epochs=1)
    assert np.isfinite(model.fit(alone, lambda _: 0.5).score(np.arange(N_USERS))).all()
    assert np.isfinite(model.refit(alone).fold_in([[1]])).all()


def test_candidates_of_validation_users_are_made_once(train, monkeypatch):
    made, proposed = [], CandidateGenerator.propose

    def noted(stage: CandidateGenerator, asked: Query) -> Any:
        made.append(len(asked))
        return proposed(stage, asked)

    monkeypatch.setattr(CandidateGenerator, "propose", noted)
    model = make(epochs=3)
    model.fit(train, lambda model: float(model.score(np.arange(5)).mean()))
    assert made.count(5) == 1
    assert model.kept is None
    model.score(np.arange(5))
    assert made.count(5) == 2
    unknown = model.candidates(Query(np.array([-1]), train.histories.take(np.array([3]))))
    assert (unknown.users == -1).all()


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"hidden": ()}, "one or more layers"),
        ({"hidden": (8, 0)}, "1 unit or more"),
        ({"without": ("sound",)}, "sound: choose among audio, tags, ids, people"),
    ],
)
def test_settings_that_make_no_sense_are_refused(train, changed, complaint):
    with pytest.raises(UserError, match=complaint):
        make(**changed).fit(train)


def test_an_unknown_treatment_of_outliers_is_refused(train):
    with pytest.raises(UserError, match=r"outlier strategy.*robust, cap, none"):
        make(outliers="clip").fit(train)


def test_infinite_and_empty_columns_do_no_harm(train):
    items = train.items.assign(
        energy=np.inf, loudness=np.nan, release_year=pd.array([1999, None] * (N_ITEMS // 2), "Int64")
    )
    model = make(epochs=1).fit(dataclasses.replace(train, items=items))
    assert np.isfinite(model.score(np.arange(N_USERS))).all()
    assert "no value in any row" in model.ranker.preprocessor.columns_left_out["loudness"]
