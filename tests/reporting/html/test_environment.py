import pytest
from jinja2 import UndefinedError
from markupsafe import Markup

from common.reporting.html.environment import environment


def filled(template: str, **values: object) -> str:
    return environment().from_string(template).render(**values)


def test_texts_are_escaped_and_steer_nothing_and_markup_stays():
    assert filled("{{ name }}", name="a<b\u202e") == r"a&lt;b\u202e"
    assert filled("{{ part }}", part=Markup("<b>a</b>")) == "<b>a</b>"


def test_a_value_that_is_missing_is_an_error():
    with pytest.raises(UndefinedError, match="name"):
        filled("{{ name }}")
