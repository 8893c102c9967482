"""The network against the paper's formulas, with dense matrices."""

import numpy as np
import torch
from scipy import sparse

from common.models.inference.numpy_layers import Weights
from common.models.inference.numpy_networks import NumpyLightGCN
from common.models.neural.lightgcn.network import LightGCNNetwork

EDGES = sparse.csr_array(np.array([[0.7, 0.5, 0.0], [0.0, 0.7, 0.2]], np.float32))


def network(layers=2, l2=0.1):
    torch.manual_seed(0)
    return LightGCNNetwork(EDGES, width=4, layers=layers, l2=l2)


def dense(made, layers):
    """Mean over the layers of A^k E, A the whole adjacency of users and items."""
    edges = torch.from_numpy(EDGES.toarray())
    graph = torch.zeros(5, 5)
    graph[:2, 2:], graph[2:, :2] = edges, edges.T
    embeddings = torch.cat([made.users, made.items])
    powers = [torch.linalg.matrix_power(graph, k) @ embeddings for k in range(layers + 1)]
    return sum(powers) / (layers + 1), sum(power[2:] for power in powers[:-1]) / (layers + 1)


def test_embeddings_spread_as_in_the_paper():
    for layers in (1, 2, 3):
        made = network(layers)
        found, (expected, shown) = made.spread(), dense(made, layers)
        torch.testing.assert_close(torch.cat([found.users, found.items]), expected)
        torch.testing.assert_close(found.shown, shown)


def test_the_loss_and_its_gradient_are_those_of_the_formula():
    batch = {
        "users": torch.tensor([0, 1]),
        "positives": torch.tensor([0, 2]),
        "negatives": torch.tensor([2, 0]),
    }
    made = network()
    expected, _ = dense(made, 2)
    users, items = expected[:2], expected[2:]
    difference = (users[[0, 1]] * (items[[0, 2]] - items[[2, 0]])).sum(1)
    squares = sum((part**2).sum() for part in (made.users[[0, 1]], made.items[[0, 2]], made.items[[2, 0]]))
    loss = -torch.log(torch.sigmoid(difference)).sum() + 0.05 * squares
    torch.testing.assert_close(made(**batch), loss)
    gradients = torch.autograd.grad(loss, [made.users, made.items])
    for own, other in zip(torch.autograd.grad(made(**batch), [made.users, made.items]), gradients, strict=True):
        torch.testing.assert_close(own, other)


def test_what_answers_without_torch_is_the_same():
    made = network(3).eval()
    twin = NumpyLightGCN(Weights({name: value.numpy() for name, value in made.state_dict().items()}), EDGES, 3)
    assert set(made.state_dict()) == {"users", "items"}, "the graph is not kept twice"
    for own, other in zip(made.spread(), twin.spread(), strict=True):
        np.testing.assert_allclose(own.detach().numpy(), other, rtol=1e-5, atol=1e-6)


def test_the_precision_of_a_card_touches_no_product_with_the_graph():
    made = network()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = made.spread()
    torch.testing.assert_close(found.users, made.spread().users)
