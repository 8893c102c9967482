import pytest
from sqlalchemy import func, select

from common.serving.store.tables import clicks
from common.utils.errors import UserError

EXPERIMENT = ("ease", "als")
PICKS = [("x", "als"), ("y", "ease"), ("z", "")]


@pytest.fixture
def kept(store):
    store.impressions.add_impression("r1", "listen", EXPERIMENT, PICKS, session="s")
    return store.impressions


def test_it_gives_back_what_was_shown_and_clicked(kept):
    kept.add_impression("r2", "listen", ("als", "ease"), PICKS[:1], listener="me", session="s")
    kept.add_impression("r3", "listen", EXPERIMENT, [])
    kept.add_impression("other", "next", EXPERIMENT, PICKS)
    kept.add_impression("alone", "listen", (), [("x", "als")])
    assert kept.add_click("y", "click", "r1", "s")
    assert kept.add_click("y", "click", "r1", "s"), "the same again"
    assert kept.add_click("z", "like", "r1")
    assert kept.add_click("x", "impression", "r1"), "seen, not voted for"
    first, second, third = kept.shown("listen", EXPERIMENT)
    assert (first.request_id, first.session, first.picks, first.clicked) == ("r1", "session s", PICKS, {"y", "z"})
    assert (second.session, second.picks, second.clicked) == ("listener me", PICKS[:1], set())
    assert (third.session, third.picks) == ("request r3", [])
    assert kept.experiments("listen") == {("als", "ease"): 3}
    assert kept.experiments("temporal") == {}


def test_the_newest_of_like_and_dislike_decides(kept):
    for kind, voted in (("like", True), ("dislike", False), ("like", True)):
        assert kept.add_click("x", kind, "r1")
        assert kept.shown("listen", EXPERIMENT)[0].clicked == ({"x"} if voted else set())


def test_a_click_elsewhere_is_kept_and_decides_nothing(kept):
    assert not kept.add_click("elsewhere", "click", "r1")
    assert not kept.add_click("x", "click", "unknown")
    assert not kept.add_click("x")
    (only,) = kept.shown("listen", EXPERIMENT)
    assert only.clicked == {"elsewhere"}
    assert kept.database.one(select(func.count()).select_from(clicks)) == 3


def test_likes_can_be_taken_back_and_clicks_stay(kept):
    for item, kind in (("x", "like"), ("y", "click"), ("y", "dislike"), ("z", "like")):
        kept.add_click(item, kind, "r1", "s")
    kept.add_click("x", "like", "r1", "another")
    assert kept.shown("listen", EXPERIMENT)[0].clicked == {"x", "z"}
    assert [kept.withdraw(item, "s") for item in "xyy"] == [1, 1, 0]
    assert kept.shown("listen", EXPERIMENT)[0].clicked == {"x", "y", "z"}
    assert kept.withdraw("x", "another") == 1
    assert kept.shown("listen", EXPERIMENT)[0].clicked == {"y", "z"}


def test_what_was_shown_at_once_is_kept_at_once(kept):
    assert kept.add_clicks(["x", "y"], "impression", "r1", "s")
    assert not kept.add_clicks(["x", "elsewhere"], "impression", "r1", "s")
    rows = kept.database.all(select(clicks.c.item_id).where(clicks.c.kind == "impression").order_by(clicks.c.item_id))
    assert [item for (item,) in rows] == ["elsewhere", "x", "y"]
    assert kept.shown("listen", EXPERIMENT)[0].clicked == set()


def test_a_request_is_answered_once(kept):
    with pytest.raises(UserError, match="'r1' was answered before"):
        kept.add_impression("r1", "listen", EXPERIMENT, PICKS)
    assert len(kept.shown("listen", EXPERIMENT)[0].picks) == 3


def test_an_unknown_kind_is_refused(kept):
    with pytest.raises(UserError, match="did you mean 'like'"):
        kept.add_click("x", "likes", "r1")


def test_values_are_bound(kept):
    nasty = "'); DROP TABLE clicks;--"
    kept.add_impression(nasty, "listen", EXPERIMENT, [(nasty, nasty)], nasty, nasty)
    assert kept.add_click(nasty, "click", nasty, nasty)
    assert kept.shown("listen", EXPERIMENT)[1].clicked == {nasty}
