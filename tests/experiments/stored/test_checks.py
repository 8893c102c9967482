"""Files that are JSON or Parquet, but of another structure, end in a sentence."""

import dataclasses
from typing import Any

import pytest

from common.experiments.stored import checks
from common.models import Popularity
from common.utils.errors import UserError
from common.utils.io import read_json, write_json
from tests.runs import finish

RECORD: dict[str, Any] = dict.fromkeys(checks.NAMES, "x") | {"seed": 0, "split_seed": 0, "ndcg_10": 0.5}


@pytest.mark.parametrize("change", [{"model": 3}, {"split_sha256": None}, {"seed": "0"}, {"ndcg_10": True}])
def test_a_record_has_names_and_numbers(tmp_path, change):
    path = tmp_path / "metrics.json"
    write_json(path, RECORD)
    assert checks.check_record(path) == RECORD
    write_json(path, RECORD | change)
    with pytest.raises(UserError, match=r"metrics\.json.*; run its stage again, or delete it"):
        checks.check_record(path)


@pytest.mark.parametrize("content", [[], 3, {"settings": []}, {"settings": {}}])
def test_a_config_has_settings_and_a_seed(tmp_path, content):
    write_json(tmp_path / "config.json", content)
    with pytest.raises(UserError, match=r"does not hold the settings of a run; run its stage again"):
        checks.check_config(tmp_path / "config.json")


@pytest.mark.parametrize("content", [[], {"a": 1}, {"a": ["x"]}, {"a": [True]}, {"a": [[1.0]]}])
def test_curves_are_lists_of_numbers(tmp_path, content):
    write_json(tmp_path / "curves.json", content)
    with pytest.raises(UserError, match=r"does not hold curves of a training"):
        checks.check_curves(tmp_path / "curves.json")
    write_json(tmp_path / "curves.json", {"a": [1, 0.5, None]})
    assert checks.check_curves(tmp_path / "curves.json") == {"a": [1, 0.5, None]}


@pytest.mark.parametrize("protocol", ["listen", "newcomer"])
def test_files_of_one_evaluation_agree(small_settings, protocol):
    [run] = finish(dataclasses.replace(small_settings, protocol=protocol), [Popularity])
    for part in ("valid", "test"):
        checks.agree(run.folder / part)
    write_json(path := run.folder / "test" / "metrics.json", read_json(path) | {"hr_10": 0.999})
    with pytest.raises(UserError, match=r"hr_10 is not that of metrics\.json"):
        checks.agree(run.folder / "test")
