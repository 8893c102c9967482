import pytest

from common.data.visible import visible
from common.errors import UserError
from common.models import ItemKNN
from common.showcase import find, most_popular, names_of, show_popular, show_similar
from tests.stages import complaint, stage


@pytest.fixture
def seen(small_data):
    return visible(small_data, "listen", "select")


def test_items_are_found_by_name_whatever_the_case(seen):
    code = int(most_popular(seen, 1)[0])
    name = names_of(seen)[code]
    assert find(seen, [name.upper(), name]) == [code, code]


def test_an_unknown_name_is_answered_with_the_nearest(seen):
    name = names_of(seen)[0]
    with pytest.raises(UserError, match="did you mean") as caught:
        find(seen, [name[:-1] + "#"])
    assert name.casefold() in str(caught.value)
    with pytest.raises(UserError, match="check the spelling"):
        find(seen, ["§§§§§§§§"])


def test_the_popular_and_the_similar_are_printed_by_name(seen, caplog):
    caplog.set_level("INFO")
    code = int(most_popular(seen, 1)[0])
    show_popular(seen)
    show_similar([ItemKNN().fit(seen)], seen, [code])
    assert f"{names_of(seen)[code]} ({seen.counts[code]:,})" in caplog.text
    near, likeness = ItemKNN().fit(seen).similar(code, 5)
    assert likeness[0] > 0
    assert names_of(seen)[int(near[0])] in caplog.text.split("item_knn")[1]


def test_an_unknown_name_stops_the_stage_before_anything_is_trained(small_flags, capsys, tmp_path):
    said = complaint(capsys, stage("1_knn_baseline.py"), *small_flags, "--show", "§§§§")
    assert "--show" in said
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").glob("*/listen/*/*/seed0/test"))
