import pytest

from common.models import ItemKNN
from common.reporting.samples import find_items, show_popular, show_similar
from common.splits.train_view import load_train_view
from common.utils.errors import UserError
from tests.stages import complaint, stage


@pytest.fixture
def train(small_data):
    return load_train_view(small_data, "listen", "select")


def test_items_are_found_by_name_whatever_the_case(train):
    code = int(train.most_popular(1)[0])
    name = train.names[code]
    assert find_items(train, [name.upper(), name]) == [code, code]


def test_an_unknown_name_is_answered_with_the_nearest(train):
    name = train.names[0]
    with pytest.raises(UserError, match="did you mean") as caught:
        find_items(train, [name[:-1] + "#"])
    assert name in str(caught.value)
    with pytest.raises(UserError, match="check the spelling"):
        find_items(train, ["§§§§§§§§"])


def test_the_popular_and_the_similar_are_printed_by_name(train, caplog):
    caplog.set_level("INFO")
    code = int(train.most_popular(1)[0])
    show_popular(train)
    show_similar([ItemKNN().fit(train)], train, [code])
    assert f"{train.labels[code]} ({train.counts[code]:,})" in caplog.text
    near, similarity = ItemKNN().fit(train).similar(code, 5)
    assert similarity[0] > 0
    assert train.labels[int(near[0])] in caplog.text.split("item_knn")[1]


def test_an_unknown_name_stops_the_stage_before_anything_is_trained(small_flags, capsys, tmp_path):
    said = complaint(capsys, stage("1_knn_baseline.py"), *small_flags, "--show", "§§§§")
    assert "--show" in said
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").glob("*/listen/*/*/seed0/test"))
