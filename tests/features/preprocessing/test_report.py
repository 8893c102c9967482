"""The report of a fit: every step, and how many rows it touched."""

import logging

from tests.features.preprocessing.frames import fitted, noted


def test_steps_that_touched_nothing_are_in_the_report():
    preprocessor, _ = fitted()
    assert noted(preprocessor, "infinite values") == {"": 0}
    assert noted(preprocessor, "types")["weight"] == 5
    assert list(preprocessor.report) == ["step", "column", "rows", "what"]


def test_the_fit_is_told_once_in_one_message(caplog):
    with caplog.at_level(logging.INFO, "common"):
        fitted(country=None)
    (message,) = [record.getMessage() for record in caplog.records]
    assert "Preprocessed 5 rows" in message
    assert "left out           country: no value in any row" in message
