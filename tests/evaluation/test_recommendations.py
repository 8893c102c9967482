"""The two tables of a result: what they hold, that they are read back as they were, and what is refused."""

import numpy as np
import pandas as pd
import pytest

from common.evaluation.evaluator import Evaluator
from common.evaluation.recommendations import check
from common.evaluation.task import Task
from common.models.baselines import Popularity
from common.utils.errors import UserError


@pytest.fixture(scope="module", params=["listen", "newcomer"])
def evaluator(request, small_data) -> Evaluator:
    return Task(small_data, request.param).valid


@pytest.fixture(scope="module")
def evaluation(evaluator):
    return evaluator.evaluate(Popularity().fit(evaluator.train))


def test_tables_are_read_back_as_the_ranking_that_gave_them(evaluator, evaluation):
    ranking = evaluator.rank(Popularity().fit(evaluator.train))
    again = evaluator.ranking_of(evaluation.recommendations, evaluation.targets)
    for name in ("items", "scores", "target_scores", "target_ranks", "target_ranks_sampled"):
        np.testing.assert_array_equal(getattr(again, name), getattr(ranking, name), err_msg=name)


def test_tables_of_another_holdout_are_refused(small_data, evaluator, evaluation):
    other = Task(small_data, evaluator.train.protocol).test
    with pytest.raises(UserError, match="names other held-out pairs"):
        other.ranking_of(evaluation.recommendations, evaluation.targets)


def wrong_tables(table: pd.DataFrame, evaluator: Evaluator) -> dict[str, pd.DataFrame]:
    table = table.astype({"user_id": object, "item_id": object}).reset_index(drop=True)
    row = int(np.argmax(evaluator.given.lengths > 0))
    owner = (table["user_id"] == evaluator.users[row]) & (table["rank"] == 2)
    if evaluator.n_given is not None:
        owner &= table["given"] == evaluator.n_given[row]
    seen = evaluator.train.items["item_id"][evaluator.given[row][0]]
    first = str(table.loc[0, "item_id"])
    return {
        "user 'nobody' is not among those evaluated": table.assign(user_id=["nobody", *table["user_id"][1:]]),
        "item 'nothing' is not in the catalogue": table.assign(item_id=["nothing", *table["item_id"][1:]]),
        f"has item '{first}' twice": table.assign(item_id=[first, first, *table["item_id"][2:]]),
        f"has item '{seen}' in the history already": table.assign(item_id=table["item_id"].mask(owner, seen)),
        "the ranks of user .* are not 1, 2": table.drop(index=1),
    }


def test_what_is_wrong_with_a_table_is_said_in_a_sentence(evaluator, evaluation):
    table = evaluation.recommendations
    check(table, evaluator.holdout, evaluator.train)
    check(table.sample(frac=1, random_state=0), evaluator.holdout, evaluator.train)
    check(table.iloc[:0], evaluator.holdout, evaluator.train)
    for message, wrong in wrong_tables(table, evaluator).items():
        with pytest.raises(UserError, match=message):
            check(wrong, evaluator.holdout, evaluator.train)
