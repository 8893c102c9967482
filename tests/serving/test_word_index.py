import pytest

from common.serving.store.catalogue import Sources
from common.serving.store.store import Store
from common.serving.word_index import WordIndex
from tests.serving.saved_models import NAMES


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    with Store(tmp_path_factory.mktemp("index") / "library.sqlite") as store:
        rows = [(n, f"a{n:02d}", name, name, "", "", f"w{n}") for n, name in enumerate(NAMES)]
        fans = [(user, n, n, 1.0, None) for n in range(len(NAMES)) for user in range(1 + n % 3)]
        store.data.build("listen", Sources("d", "s"), {"items": rows, "interactions": fans})
        return store.data.catalogue("listen")


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["radioh"], ["Radiohead"]),
        (["daft", "pu"], ["Daft Punk"]),
        (["pu", "daft"], ["Daft Punk"]),
        (["daftpunk"], ["Daft Punk"]),
        (["bjor"], ["Björk"]),
        (["!!!"], ["!!!"]),
        (["the"], ["The Beatles", "The Cure"]),
        (["the", "cu"], ["The Cure"]),
        (["椎名"], ["椎名林檎"]),
        (["nothing", "daft"], []),
        ([], []),
    ],
)
def test_items_are_found_by_the_beginnings_of_words(catalogue, words, names):
    assert [catalogue.names[item] for item in WordIndex(catalogue).search("listen", words)] == names


def test_the_best_known_come_first(catalogue):
    found = WordIndex(catalogue).search("listen", ["p"], most=9)
    counts = catalogue.listeners[found].tolist()
    assert len(found) == 3
    assert counts == sorted(counts, reverse=True)
