import pytest

from common.evaluation.leakage.findings import LEAK, OK
from common.evaluation.leakage.report import check_split
from common.utils.errors import UserError
from tests.conftest import SMALL
from tests.serving.saved_models import write_own_folder


def test_a_drawn_split_has_no_leak(small_data, small_data_dir):
    report = check_split("synthetic", "next", 0, small_data_dir, SMALL)
    assert (report.dataset, report.split, report.times, report.refusal) == (small_data.name, "next", True, "")
    assert report.count(LEAK) == 0
    assert report.count(OK) > 5
    assert report.as_json()["counts"][OK] == report.count(OK)
    assert len(report.as_json()["findings"]) == len(report.findings)


def test_a_folder_is_checked_as_it_is_drawn_from(tmp_path):
    own = write_own_folder(tmp_path / "own")
    report = check_split(str(own), "listen", 3, tmp_path / "data")
    assert (report.split, report.times) == ("listen-s3", False)
    assert report.count(LEAK) == 0


def test_a_folder_that_is_not_there_is_a_mistake(tmp_path):
    with pytest.raises(UserError):
        check_split(str(tmp_path / "none"), "listen", 0, tmp_path)
