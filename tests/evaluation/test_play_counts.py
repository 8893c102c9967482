import numpy as np
import pandas as pd
import pytest

from common.evaluation.play_counts import mean_plays, order_ndcg, plays_metrics
from common.splits.split import Split
from common.splits.train_view import make_train_view
from tests.data.worlds import dataset, pairs


def test_plays_metrics_by_hand():
    found = plays_metrics(np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 2.0, 3.0, 6.0]))
    assert found["rmse"] == pytest.approx(1.0)
    assert found["mae"] == pytest.approx(0.5)
    assert found["r2"] == pytest.approx(1 - 4 / 5)
    assert found["spearman"] == pytest.approx(1.0)
    assert found["pearson"] == pytest.approx(8 / np.sqrt(5 * 14))
    assert np.isnan(plays_metrics(np.array([1.0, 2.0]), np.array([3.0, 3.0]))["pearson"])


def test_the_reference_of_plays_by_hand(tmp_path):
    rows = pairs(a="x y", b="x").assign(weight=np.expm1([1.0, 3.0, 5.0]))
    data = dataset(tmp_path, rows)
    nothing = pd.DataFrame(columns=["user_id", "item_id", "negative_id"], dtype="str")
    train = make_train_view(data, Split(rows, rows[:0], rows[:0], nothing), "listen", "select")
    # a's mean is 2, b's 5; x lies 1 below a's and 0 above b's mean: -1 / (2 + 5); y lies 1 above: 1 / (1 + 5)
    found = mean_plays(train, np.array([0, 1, 1]), np.array([0, 0, 1]))
    np.testing.assert_allclose(found, [2 - 1 / 7, 5 - 1 / 7, 5 + 1 / 6], rtol=1e-6)


def test_order_ndcg_by_hand():
    """Gains 3 and 1 the wrong way round, and a user with one pair who has no order."""
    wrong = (1 + 3 / np.log2(3)) / (3 + 1 / np.log2(3))
    users, true = np.array([4, 4, 9]), np.array([3.0, 1.0, 5.0])
    assert order_ndcg(users, true, np.array([0.1, 0.2, 0.3])) == pytest.approx(wrong)
    assert order_ndcg(users, true, np.array([0.2, 0.1, 0.3])) == pytest.approx(1.0)
    assert np.isnan(order_ndcg(np.array([1, 2]), true[:2], true[:2]))
