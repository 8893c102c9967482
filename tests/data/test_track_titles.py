import pytest

from common.data.track_titles import title_key, work_title


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Don’t Stop", "dont stop"),
        ("Café", "cafe"),
        ("A  B!", "a b"),
        ("Ｗｉｄｅ", "wide"),
        ("Rock & Roll", "rock and roll"),
    ],
)
def test_careless_spellings_of_a_title_share_a_key(one, other):
    assert title_key(one) == title_key(other)


def test_titles_that_differ_keep_their_keys():
    assert title_key("The Wall") != title_key("Wall")
    assert title_key("ガ") != title_key("カ")
    assert title_key("...") == "..."
    assert title_key("Song 2") != title_key("Song")


@pytest.mark.parametrize(
    "version",
    [
        "Heroes - 2017 Remaster",
        "Heroes (Remastered)",
        "Heroes [Re-Mastered 1999]",
        "Heroes (Live at Wembley)",
        "Heroes – Radio Edit",
        "Heroes (Single Version) [Mono]",
        "Heroes - Stereo Mix",
        "Heroes (Deluxe Anniversary Edition Remix)",
        "Heroes feat. Somebody - Live",
        "Heroes (2004)",
        "Heroes - Mono - Live",
    ],
)
def test_versions_of_a_work_share_its_title(version):
    assert work_title(version) == "Heroes"


@pytest.mark.parametrize(
    "title",
    [
        "Live Forever",
        "1999",
        "(Live)",
        "Remix",
        "Heroes (Part 2)",
        "Edit",
        "Stay-Live",
        "Alive (Delivered)",
        "Song - Two",
    ],
)
def test_titles_that_only_look_like_versions_stay(title):
    assert work_title(title) == title
