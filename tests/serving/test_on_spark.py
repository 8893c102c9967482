"""What a cluster does not make lists of; that it does: tests/experiments/on_spark/test_stage.py."""

import pytest

from common.serving.on_spark import fitted_folder, write_lists
from common.utils.errors import UserError


def test_the_newest_model_is_taken(tmp_path):
    with pytest.raises(UserError, match="was not fitted by Spark; name a run"):
        fitted_folder(tmp_path)
    for phase in ("select", "final"):
        folder = tmp_path / "spark" / phase
        folder.mkdir(parents=True)
        (folder / "items.parquet").mkdir()
        assert fitted_folder(tmp_path) == folder


def test_lists_of_other_data_and_a_file_in_the_way_are_refused(tmp_path, small_data):
    (tmp_path / "spark" / "select" / "items.parquet").mkdir(parents=True)
    config = {"protocol": "listen", "split_seed": 0, "data_sha256": "other", "split_sha256": "other"}
    with pytest.raises(UserError, match="was fitted on other data"):
        write_lists(None, tmp_path, config, small_data, tmp_path / "lists.parquet", 5)
    (tmp_path / "lists.parquet").touch()
    with pytest.raises(UserError, match="is a file, and a cluster writes a folder"):
        write_lists(None, tmp_path, config, small_data, tmp_path / "lists.parquet", 5)
