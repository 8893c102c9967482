"""The cold-start curve, and the evaluation of newcomers of whom more is known than a history."""

import dataclasses

import numpy as np
import pytest

from common.experiments.analysis.cold_start import TABLE, cold_start_curves, evaluate_with_attributes
from common.experiments.experiment import Experiment
from common.models import Popularity
from tests.runs import STAGE, run_through


class Knowing(Popularity):
    """Popularity that prefers the first item for those who have friends."""

    def fold_in(self, histories, attributes=None):
        scores = super().fold_in(histories)
        if attributes is not None:
            has_friends = np.array([len(friends) > 0 for friends in attributes.friends])
            scores[has_friends, 0] = scores.max() + 1
        return scores


@pytest.fixture(scope="module")
def exp(small_data_dir, tmp_path_factory):
    from common.data.sources.registry import SYNTHETIC
    from common.experiments.settings import ModelSettings
    from tests.conftest import SMALL

    settings = ModelSettings(
        dataset=SYNTHETIC, synthetic=SMALL, data_dir=small_data_dir, output_dir=tmp_path_factory.mktemp("cold_start")
    )
    exp = Experiment(dataclasses.replace(settings, protocol="newcomer", phase="select", wandb="disabled"), STAGE)
    run_through(exp, Knowing)
    return exp


def test_the_curve_is_the_mean_at_each_number_of_given_items(exp):
    results = exp.run_of(Knowing).results("valid")
    curve = cold_start_curves({"knowing": results})["knowing"]
    for n_given, mean in curve["mean"].items():
        assert mean == pytest.approx(results.metrics[f"ndcg_10_given{n_given}"])


def test_attributes_change_the_lists_and_the_table_stays_with_the_results(exp):
    model = Knowing().fit(exp.train)
    curve = evaluate_with_attributes(exp, model)
    results = exp.run_of(Knowing).results("valid")
    table = results.table(TABLE)
    assert table is not None
    assert table["user_id"].tolist() == results.per_user["user_id"].astype(str).tolist()
    assert table["given"].tolist() == results.per_user["given"].tolist()
    assert (table["ndcg_10"] != results.per_user["ndcg_10"]).any()
    assert curve["mean"].to_dict() == pytest.approx(table.groupby("given")["ndcg_10"].mean().to_dict())
