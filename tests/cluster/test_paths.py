"""Paths reach Spark as they are, or not at all."""

import pytest

from common.cluster.paths import url
from common.utils.errors import UserError


def test_no_character_is_encoded(tmp_path, monkeypatch):
    assert url(tmp_path / "a b@c%20") == f"file://{tmp_path}/a b@c%20"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path / "a")  # workers have the link, and may have another folder behind it
    assert url((tmp_path / "link").relative_to(tmp_path)) == f"file://{tmp_path}/link"


def test_a_folder_that_spark_would_take_for_a_pattern_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"out\[1\]/events: Spark takes .* in names for patterns; choose a folder"):
        url(tmp_path / "out[1]" / "events")
