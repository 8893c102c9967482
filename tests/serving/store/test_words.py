import pytest

from common.serving.store.words import MOST_LETTERS, beginnings, words_of


@pytest.mark.parametrize(
    ("name", "artist", "words"),
    [
        ("Creep", "Radiohead", {"creep", "radiohead"}),
        ("Daft Punk", "Daft Punk", {"daft", "punk", "daftpunk"}),
        ("The Egg", "", {"the", "egg"}),
        ("The", "", {"the"}),
        ("", "", set()),
        ("y" * 500, "", {"y" * MOST_LETTERS}),
    ],
)
def test_words_are_folded(name, artist, words):
    assert words_of(name, artist) == words


def test_what_is_typed_begins_them():
    for name in ("Sigur Rós", "AC/DC", "!!!", "椎名林檎", "y" * 500):
        assert {*beginnings([name])} <= words_of(name, "")
