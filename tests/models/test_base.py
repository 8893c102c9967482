"""What the base of all models gives them: settings, and histories of either form."""

import numpy as np
import pytest

from common.models import ALS
from common.models.base import as_histories, best
from common.splits.histories import Histories
from common.utils.errors import UserError


def test_settings_may_be_given_whole_and_changed_by_keyword():
    whole = ALS.Settings(factors=8, alpha=3.0)
    model = ALS(whole, factors=16)
    assert (model.settings.factors, model.settings.alpha) == (16, 3.0)
    assert whole.factors == 8, "what is given is not changed"
    with pytest.raises(UserError, match="did you mean 'factors'"):
        ALS(factor=3)


def test_histories_of_either_form_and_of_this_catalogue_alone():
    histories = as_histories([[1, 2], []], 3)
    assert (histories.lengths.tolist(), histories.weights.tolist()) == ([2, 0], [1.0, 1.0])
    assert as_histories(histories, 3) is histories
    with pytest.raises(ValueError, match="histories over 3 items, model over 4"):
        as_histories(histories, 4)
    for weight in (np.nan, np.inf, -1.0):
        bad = Histories(histories.indptr, histories.items, np.full(2, weight, np.float32), 3)
        with pytest.raises(ValueError, match="finite and not negative"):
            as_histories(bad, 3)


def test_ties_of_similarity_go_by_code():
    items, scores = best(np.array([1.0, 5.0, 1.0, 7.0]), 3, leave_out=3)
    assert (items.tolist(), scores.tolist()) == ([1, 0, 2], [5.0, 1.0, 1.0])
