import pytest

from common.serving.name_search import NameSearch, UnclearError, shown
from common.serving.store.catalogue import Sources
from common.serving.store.store import Store
from common.serving.word_index import WordIndex
from tests.serving.saved_models import NAMES


@pytest.fixture
def names(tmp_path):
    """The artists of `saved_models`, and one listener of each, of the first Nirvana none."""
    with Store(tmp_path / "library.sqlite") as store:
        rows = [(n, f"a{n:02d}", name, name, "", "", f"w{n}") for n, name in enumerate(NAMES)]
        fans = [(0, n, n, 1.0, None) for n in range(len(NAMES))]
        store.data.build("listen", Sources("d", "s"), {"items": rows, "interactions": fans})
        yield NameSearch(store.data, "listen", store.data.catalogue("listen"))


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("daftpunk", "Daft Punk"), ("acdc", "AC/DC"), ("bjrok", "Björk"), ("cold play", "Coldplay"), ("musse", "Muse")],
)
def test_slips_are_forgiven(names, typed, meant):
    assert names.catalogue.names[names.find(typed)] == meant


def test_a_slip_does_not_hide_whom_the_word_begins(tmp_path):
    """`avril` is a letter from Avail, and what everybody calls Avril Lavigne."""
    with Store(tmp_path / "l.sqlite") as store:
        names = ("Avail", "Avril Lavigne", "Averi")
        rows = [(n, f"i{n}", name, name, "", "", f"w{n}") for n, name in enumerate(names)]
        fans = [(user, 0, 1 if user else 0, 1.0, None) for user in range(5)]
        store.data.build("listen", Sources("d", "s"), {"items": rows, "interactions": fans})
        with pytest.raises(UnclearError, match="did you mean 'Avril Lavigne' or 'Avail'") as unclear:
            NameSearch(store.data, "listen", store.data.catalogue("listen")).find("avril")
    assert unclear.value.items[0] == 1


def test_an_id_is_never_taken_for_a_name(names):
    assert names.find("id:a17") == 17
    with pytest.raises(UnclearError, match="no artist has the id 'Muse'"):
        names.find("id:Muse")


def test_a_name_of_two_items_is_not_guessed(names):
    with pytest.raises(UnclearError, match=r"'Nirvana' \(id:a16\), 'Nirvana' \(id:a17\)") as unclear:
        names.find("nirvana")
    assert unclear.value.items == [16, 17]


def test_the_far_better_known_of_two_is_meant(names):
    names.catalogue.listeners[17] = 50
    assert names.find("nirvana") == 17


def test_short_and_empty_names_are_not_guessed(names):
    for typed in ("", "  ", "zzz"):
        with pytest.raises(UnclearError):
            names.find(typed)


def test_the_article_alone_begins_names_that_have_it(tmp_path):
    with Store(tmp_path / "l.sqlite") as store:
        rows = [
            (n, f"i{n}", name, name, "", "", f"w{n}") for n, name in enumerate(("Them", "The Cure", "Into the Sea"))
        ]
        fans = [(user, n, item, 1.0, None) for user in range(5) for n, item in enumerate((1, 2) if user else (0,))]
        store.data.build("listen", Sources("d", "s"), {"items": rows, "interactions": fans})
        catalogue = store.data.catalogue("listen")
    assert NameSearch(WordIndex(catalogue), "listen", catalogue).suggest("the", 9) == [1, 0, 2]


def test_what_drives_a_terminal_is_not_shown():
    assert shown("a\x1b[2Jb") == "'a[2Jb'"
    assert shown("x" * 80) == f"'{'x' * 60}...'"


def test_names_are_suggested_while_somebody_types(names):
    def suggested(typed):
        return [names.catalogue.names[item] for item in names.suggest(typed, 3)]

    assert suggested("dAFT p") == ["Daft Punk"]
    assert suggested("björ") == ["Björk"]
    assert suggested("rdiohead") == ["Radiohead"], "a slip"
    assert suggested("the") == ["The Beatles", "The Cure"]
    assert suggested("") == suggested("zz") == []
    names.catalogue.listeners[17] = 9
    assert names.suggest("nirvana", 3) == [17, 16]
