"""The ranker: its loss over lists, its two heads, its inputs."""

import numpy as np
import pytest
import torch

from common.training.batches import to_device
from tests.models.neural.listnet.test_model import make, set_up


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


def test_scores_of_sources_are_no_input_where_content_alone_is_asked_for(train):
    model = make(inputs="content", epochs=1).fit(train)
    names = np.array(model.ranker.feature_names)[model.ranker.used]
    assert len(names)
    assert not any(name.endswith(("_score", "_strength", "_rank")) and "popularity" not in name for name in names)
    assert "interaction_strength" not in names


def test_one_task_alone_leaves_the_other_head_as_it_was(train):
    for task, kept in (("rank", "plays"), ("plays", "ranks")):
        model = make(task=task, epochs=2, weight_decay=0.0).fit(train)
        start = set_up(make(task=task), train)
        torch.manual_seed(0)
        np.testing.assert_array_equal(
            getattr(model.ranker.network, kept).weight.detach(), getattr(start.build(), kept).weight.detach()
        )
    assert make(task="rank", epochs=1).fit(train).predict_plays(np.array([0]), np.array([1])) is None
