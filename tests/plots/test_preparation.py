from datetime import date, timedelta

import pytest

from common.plots.preparation import prepared_log
from tests.plots.pictures import texts

CUT = {"valid_from": 1_709_798_400, "test_from": 1_709_884_800}
CURVE: dict[str, list[float]] = {"items": [1, 2, 4], "share_of_plays": [0.4, 0.7, 1.0]}


def test_months_cuts_and_the_long_tail_are_labelled(monkeypatch, tmp_path):
    said = texts(monkeypatch, tmp_path, prepared_log, {"2024-02": 3, "2024-03": 7}, CUT, CURVE, "mine").splitlines()
    assert {"Month", "Events", "valid from 2024-03-07", "test from 2024-03-08", "50%: 2 items", "80%: 4 items"} <= set(
        said
    )


@pytest.mark.parametrize("months", [1, 2, 13, 300])
def test_any_span_of_time_is_drawn_without_a_warning(tmp_path, months):
    days = (date(1995, 1, 1) + timedelta(days=31 * n) for n in range(months))
    path = tmp_path / "figure.png"
    prepared_log({f"{day:%Y-%m}": 5 for day in days}, CUT, CURVE, "mine", path)
    assert path.exists()
