import pytest

from tests.data.sources.custom.folders import READY, csv, refusal


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ("user_id,item_id,negative_id\nu0,i6,i7\nu0,i7,i8\n", "line 3, column user_id: 'u0' has no such held-out item"),
        (
            "user_id,item_id,negative_id\nu0,i6,nowhere\n",
            "line 2, column negative_id: 'nowhere' is an item that no part",
        ),
        ("user_id,item_id,negative_id\nu0,i6,i6\n", "is the held-out item itself"),
        ("user_id,negative_id\nu9,i6\n", "line 2, column user_id: 'u9' has no such held-out item"),
    ],
)
def test_negatives_that_fit_nothing_are_refused(tmp_path, rows, complaint):
    assert complaint in refusal(tmp_path, **READY, negatives99=rows)


def test_negatives_without_the_item_need_one_hidden_item_each(tmp_path):
    parts = {"train": csv("u,a"), "test": csv("u,b", "u,c"), "negatives99": "user_id,negative_id\nu,a\n"}
    assert "needs a column 'item_id': user 'u' has several" in refusal(tmp_path, **parts)
