"""What executors read of a split is what the local engine's train view holds."""

import numpy as np
import pandas as pd
import pytest

from common.data.dataset import load_dataset
from common.data.preparation.pipeline import prepare
from common.data.preparation.settings import PreparationSettings
from common.data.synthetic.raw.logs import generate_logs
from common.data.synthetic.raw.world import RawLogSettings
from common.splits.on_spark.view import spark_view
from common.splits.store import load_split
from common.splits.train_view import load_train_view
from common.utils.errors import UserError
from tests.spark import needs_spark, on_threads

pytestmark = [pytest.mark.thorough, needs_spark]


@pytest.fixture(scope="module")
def spark():
    with on_threads() as session:
        yield session


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """A prepared log whose valid part repeats pairs of train."""
    folder = tmp_path_factory.mktemp("log")
    generate_logs(RawLogSettings(events=10_000), folder / "raw")
    prepare([folder / "raw"], folder / "mine", PreparationSettings(repeats="keep"))
    return load_dataset(str(folder / "mine"), folder / "data")


def rows(frame, *columns):
    """The rows of a Spark table, sorted."""
    return pd.DataFrame(frame.select(*columns).collect(), columns=list(columns)).sort_values(
        list(columns), ignore_index=True
    )


def check(view, train):
    """Codes of users are those of the view's own table."""
    users, items = rows(view.users, "user", "user_id"), rows(view.items, "item", "item_id")
    assert items["item_id"].tolist() == train.items["item_id"].tolist()
    ids = dict(zip(users["user"], users["user_id"], strict=True))
    found = rows(view.pairs, "user", "item", "weight")
    found["user"] = found["user"].map(ids)
    histories = train.histories
    columns = {
        "user": train.users["user_id"].to_numpy(object)[histories.rows],
        "item": histories.items,
        "weight": histories.weights,
    }
    expected = pd.DataFrame(columns).sort_values(["user", "item"], ignore_index=True)
    found = found.sort_values(["user", "item"], ignore_index=True)
    assert found["user"].tolist() == expected["user"].tolist()
    assert np.array_equal(found["item"], expected["item"])
    assert np.allclose(found["weight"], expected["weight"])


@pytest.mark.parametrize(("protocol", "phase"), [("listen", "select"), ("temporal", "final"), ("random-811", "final")])
def test_tables_of_ids(protocol, phase, spark, small_data):
    load_split(small_data, protocol)
    view = spark_view(spark, small_data, protocol, phase)
    check(view, load_train_view(small_data, protocol, phase))
    masked = view.masked.count() - view.pairs.count()
    assert masked == (len(load_split(small_data, protocol).valid) if protocol == "random-811" else 0)


@pytest.mark.parametrize("phase", ["select", "final"])
def test_a_folder_of_matrix_form(phase, spark, log):
    load_split(log, "temporal")
    check(spark_view(spark, log, "temporal", phase), load_train_view(log, "temporal", phase))


def test_newcomers_are_refused(small_data):
    with pytest.raises(UserError, match="newcomer is not evaluated by --engine spark"):
        spark_view(None, small_data, "newcomer", "select")
