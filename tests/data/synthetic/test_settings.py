"""The flags of the generated data: what makes no sense is refused by name."""

import pytest

from common.data.synthetic.generator import generate
from common.data.synthetic.settings import SyntheticSettings
from common.utils.errors import UserError


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        *[("users", 1), ("items", 0), ("seed", -1), ("max_items_per_user", -1), ("tracks_per_user", 0), ("days", 0)],
        *[("days", 20_000), ("noise", -0.1), ("noise", 9.0), ("noise", float("nan"))],
        *[("drift", 1.5), ("version_share", -0.1), ("missing_audio", 2.0), ("tagged_share", float("nan"))],
    ],
)
def test_bad_settings_name_the_flag_and_the_remedy(setting, value):
    with pytest.raises(UserError, match=rf"^--synthetic\.{setting.replace('_', '-')} {value}: give "):
        SyntheticSettings(**{setting: value}).check()
    with pytest.raises(UserError):
        generate(SyntheticSettings(**{setting: value}))
