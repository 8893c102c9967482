"""The graph is normalised on both sides, and one with too many edges is refused in a sentence."""

import numpy as np
import pytest

from common.models.graph.edges import MOST_EDGES, check_edges, normalised
from common.utils.errors import UserError
from tests.models.linear.test_ease import drawn, train_of


@pytest.mark.parametrize(("user_power", "item_power", "weighting"), [(0.5, 0.5, "binary"), (0.0, 1.0, "log")])
def test_the_graph_is_divided_by_powers_of_its_sums(user_power, item_power, weighting):
    histories = drawn(12, 20)
    matrix = histories.matrix().toarray().astype(float)
    matrix = np.log1p(matrix) if weighting == "log" else (matrix > 0).astype(float)
    users, items = (np.maximum(matrix.sum(axis=axis), 1e-12) for axis in (1, 0))
    expected = matrix / users[:, None] ** user_power / items**item_power
    found = normalised(train_of(histories), user_power, item_power, weighting)
    np.testing.assert_allclose(found.toarray(), expected, rtol=1e-5)


def test_too_many_edges_are_refused():
    check_edges("graph_filter", MOST_EDGES)
    with pytest.raises(
        UserError, match=r"lightgcn: the graph has 2,147,483,648 edges and can have 2,147,483,647; leave"
    ):
        check_edges("lightgcn", MOST_EDGES + 1)
