"""The words by whose beginnings an item is found, in the store as in memory."""

from collections.abc import Iterable

from common.data.artist_names import fold_words, loose_key

LAST = "\U0010ffff"
"""Sorts behind whatever a word goes on with."""
MOST_LETTERS = 200
"""Letters of a word that are kept: a key of PostgreSQL's indexes takes no more than 2,700 bytes."""


def words_of(name: str, artist: str) -> set[str]:
    """Folded words of a name and its artist, a leading "the" among them; a text of several words also as one.

    >>> sorted(words_of("The Cure", "The Cure")), sorted(words_of("Daft Punk", ""))
    (['cure', 'the'], ['daft', 'daftpunk', 'punk'])
    """
    given = {name, artist}
    texts = {loose_key(text) for text in given} - {""}
    articles = {"the" for text in given if text[:4].casefold() == "the " and fold_words(text) not in texts}
    found = articles | {word for text in texts for word in (*text.split(), text.replace(" ", ""))}
    return {word[:MOST_LETTERS] for word in found}


def beginnings(typed: Iterable[str]) -> list[str]:
    """What was typed as beginnings of such words.

    >>> beginnings(["BJÖRK", '"quoted'])
    ['bjork', 'quoted']
    """
    return [word[:MOST_LETTERS] for text in typed for word in fold_words(text).split()]
