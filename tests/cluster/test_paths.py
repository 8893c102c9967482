"""Paths reach Spark as they are."""

from common.cluster.paths import url


def test_no_character_is_encoded(tmp_path):
    assert url(tmp_path / "a b@c") == f"file://{tmp_path.resolve()}/a b@c"
