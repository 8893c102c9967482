"""The sentence that a mistake ends in."""

import pytest

from common.utils.errors import DivergedError, UserError, check_known, unknown_name


def test_unknown_names_get_the_nearest_known_one():
    assert "did you mean 'listen'? known are listen, next" in str(unknown_name("protocol", "lisen", ["listen", "next"]))
    assert "did you mean" not in str(unknown_name("protocol", "zzz", ["listen", "next"]))


def test_the_first_unknown_name_is_refused():
    check_known("protocol", ["listen", "next"], "next", "listen")
    check_known("protocol", [])
    with pytest.raises(UserError, match="unknown protocol 'lisen'"):
        check_known("protocol", iter(["listen", "next"]), "next", "lisen", "nex")


def test_a_training_that_diverges_is_a_mistake_in_its_settings():
    with pytest.raises(UserError, match="loss"):
        raise DivergedError("the loss is not finite")
