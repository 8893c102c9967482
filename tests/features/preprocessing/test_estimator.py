"""scikit-learn's conventions, by scikit-learn's own checks: all run but those that are named here, with the reason."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator
from sklearn.utils.validation import check_is_fitted, validate_data

from common.data.tables import AUDIO_FEATURES
from common.features.preprocessing.estimator import parameters
from common.features.preprocessing.preprocessor import MusicPreprocessor
from tests.features.preprocessing.frames import frame

NO_NAMES = "gives an array, whose columns have no names: OfArrays stands for it below"
FAILS = {
    MusicPreprocessor: dict.fromkeys(
        (
            *("check_fit_score_takes_y", "check_estimators_overwrite_params", "check_dont_overwrite_parameters"),
            *("check_estimators_fit_returns_self", "check_readonly_memmap_input", "check_n_features_in_after_fitting"),
            *("check_positive_only_tag_during_fit", "check_estimators_dtypes", "check_complex_data"),
            *("check_dtype_object", "check_estimators_empty_data_messages", "check_pipeline_consistency"),
            *("check_estimators_pickle", "check_f_contiguous_array_estimator", "check_transformer_data_not_an_array"),
            *("check_transformer_general", "check_methods_sample_order_invariance", "check_methods_subset_invariance"),
            *("check_fit2d_1sample", "check_fit2d_1feature", "check_dict_unchanged", "check_fit_idempotent"),
            *("check_fit_check_is_fitted", "check_n_features_in", "check_fit2d_predict1d"),
        ),
        NO_NAMES,
    ),
}
"""Checks that cannot hold, with the reason."""


class OfArrays(MusicPreprocessor):
    """The preprocessor on arrays without names, which scikit-learn's checks give: their columns are audio features."""

    def fit_transform(self, frame: Any, y: object = None) -> Any:
        ready = super().fit_transform(named(self, frame, reset=True), y)
        self.n_features_in_ = named(self, frame, reset=True).shape[1] - len(IDS)
        return ready.to_numpy(float)

    def transform(self, frame: Any, about: Any = ()) -> Any:
        self._learned()
        return super().transform(named(self, frame, reset=False)).to_numpy(float)


IDS = ("user_id", "item_id", "weight")


def named(estimator: Any, values: Any, reset: bool) -> pd.DataFrame:
    """An array with names: a row of its own user and item each."""
    values = validate_data(estimator, values, reset=reset, ensure_all_finite=False)
    names = [*(name for name in AUDIO_FEATURES if name != "tempo"), *(f"x{n}" for n in range(values.shape[1]))]
    table = pd.DataFrame(values, columns=names[: values.shape[1]])
    return table.assign(user_id=range(len(table)), item_id=range(len(table)), weight=1)


@pytest.mark.filterwarnings("ignore:.*does not inherit from:UserWarning")
@pytest.mark.parametrize("estimator", [MusicPreprocessor(), OfArrays()])
def test_scikit_learns_own_checks(estimator):
    expected = FAILS.get(type(estimator), {})
    results = check_estimator(estimator, expected_failed_checks=expected, on_skip=None, on_fail=None)
    failed = {result["check_name"]: result["exception"] for result in results if result["status"] == "failed"}
    assert failed == {}
    assert {result["check_name"] for result in results if result["status"] == "xfail"} == set(expected)
    assert sum(result["status"] == "passed" for result in results) >= 15


def test_clones_pipelines_and_parameters():
    preprocessor = MusicPreprocessor("cap", missing={"age": "drop"}, columns={"energy": "power"})
    copy = clone(preprocessor)
    assert copy.get_params() == preprocessor.get_params()
    assert list(parameters(MusicPreprocessor)) == list(copy.get_params())
    assert (
        repr(copy) == "MusicPreprocessor(handle_outliers='cap', missing={'age': 'drop'}, columns={'energy': 'power'})"
    )
    assert copy.set_params(handle_outliers="none").handle_outliers == "none"
    with pytest.raises(ValueError, match="unknown parameter of MusicPreprocessor 'outliers': did you mean"):
        copy.set_params(outliers="none")
    model = make_pipeline(MusicPreprocessor(), StandardScaler(), Ridge())
    fitted = model.fit(frame(), [1, 2, 3, 4, 5])
    assert np.isfinite(fitted.predict(frame().iloc[::-1])).all()


def test_names_of_columns_and_what_is_not_fitted():
    preprocessor = MusicPreprocessor()
    with pytest.raises(NotFittedError):
        check_is_fitted(preprocessor)
    with pytest.raises(NotFittedError, match="call fit_transform first"):
        preprocessor.transform(frame())
    with pytest.raises(AttributeError, match="has no 'numeric', or only once it is fitted"):
        _ = preprocessor.numeric
    ready = preprocessor.fit(frame()).transform(frame())
    assert preprocessor.get_feature_names_out().tolist() == list(ready)
    assert preprocessor.feature_names_in_.tolist() == list(frame())
    assert preprocessor.n_features_in_ == frame().shape[1]
    check_is_fitted(preprocessor)
