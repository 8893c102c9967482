"""Artists' names, genres and featured artists as vectors: TF-IDF, reduced by latent semantic analysis."""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from common.data.artist_names import main_credit
from common.utils.errors import UserError

WORDS = r"(?u)\w+"
BETWEEN_BARS = r"[^\s|](?:[^|]*[^\s|])?"
TOKENS = {"artist": WORDS, "genres": BETWEEN_BARS, "featured_artists": WORDS}
"""What a token of each text is: a word, or a whole genre between bars."""
SHARED = 2
"""Items that must share a token; one that a single item has tells nothing of others."""
MOST_TOKENS = 20_000
"""The most frequent tokens are kept, which bounds the memory of the reduction."""
_CREDIT = re.compile(r"^[\s(\[]*(?:feat|ft|featuring)\b[\s.,]*", re.IGNORECASE)


def words(values: pd.Series) -> pd.Series:
    """A column of words without blanks around them, object, None where nothing is left.

    A whole number reads the same whether the column also has missing values or not.

    >>> words(pd.Series([" a ", "", None])).tolist(), words(pd.Series([7, None])).tolist()
    (['a', None, None], ['7', None])
    """
    try:
        codes, distinct = pd.factorize(values.astype(object))
    except TypeError as error:
        raise UserError(f"column {values.name!r} holds lists; give words, several of them with | between") from error
    spelled = [str(int(v)) if isinstance(v, float) and v.is_integer() else str(v).strip() for v in distinct]
    table = np.array([*(word or None for word in spelled), None], object)
    return pd.Series(table[codes], values.index, object)


def sources_of_texts(items: pd.DataFrame) -> dict[str, str]:
    """The column that each text is read from, for a table of items; a text that no column has is left out.

    An artist's name is the first of `artist_names`, else `artist`, else (where the items are artists, so that
    `artist` repeats `item_id`) `name`. Featured artists are those of `featured_artists`, else the others of
    `artist_names`, else what `name` credits.
    """
    columns = {
        "artist": ["artist_names", "name" if items_are_artists(items) else "artist"],
        "genres": ["genres"],
        "featured_artists": ["featured_artists", "artist_names", "name"],
    }
    found = {
        text: next((c for c in names if c in items and read(text, c, items).notna().any()), None)
        for text, names in columns.items()
    }
    return {text: column for text, column in found.items() if column is not None}


def items_are_artists(items: pd.DataFrame) -> bool:
    """Whether the artist of every item is the item itself, as in Last.fm-2K."""
    if "artist" not in items:
        return False
    artists = words(items["artist"])
    return bool(artists.notna().any() and (artists.isna() | (artists == words(items["item_id"]))).all())


def read(text: str, column: str, frame: pd.DataFrame) -> pd.Series:
    """One text of every row from the column that `sources_of_texts` chose, object, None where there is none.

    >>> read("featured_artists", "name", pd.DataFrame({"name": ["Song (feat. Ann Lee)", "Song"]})).tolist()
    ['Ann Lee', None]
    >>> read("featured_artists", "artist_names", pd.DataFrame({"artist_names": ["A|B|C", "A"]})).tolist()
    ['B|C', None]
    """
    values = words(frame[column])
    if text == "genres" or column in ("artist", "featured_artists"):
        return values
    distinct = values.dropna().unique()
    if column == "name":
        cut = {value: main_credit(value) if text == "artist" else guests(value) for value in distinct}
    else:
        cut = {value: value.partition("|")[0 if text == "artist" else 2] for value in distinct}
    return words(values.map(cut))


def guests(name: str) -> str:
    """The guests that a name credits, "" without any.

    >>> guests("Rihanna (feat. Drake)"), guests("Little Feat")
    ('Drake', '')
    """
    return _CREDIT.sub("", name[len(main_credit(name)) :]).strip(" )]")


@dataclass(frozen=True)
class TextEncoder:
    """TF-IDF of some tokens, as vectors of unit length, and perhaps their reduction to fewer dimensions.

    tokens: the columns of TF-IDF; idf: float64 (tokens,); components: float32 (dimensions, tokens), or (0, tokens)
    where there are so few tokens that nothing is reduced.
    """

    pattern: str
    tokens: list[str]
    idf: np.ndarray
    components: np.ndarray

    @classmethod
    def fit(cls, texts: pd.Series, pattern: str, dimensions: int) -> "TextEncoder | None":
        """An encoder for the texts of distinct items; None if no text has a token.

        The reduction is a truncated SVD (Halko et al. 2011) of the rows, always with the same random numbers.
        """
        from sklearn.decomposition import TruncatedSVD

        known = texts.dropna().tolist()
        tokens = count_tokens(known, pattern)
        if not tokens:
            return None
        vectorizer = tfidf(pattern, tokens)
        rows = vectorizer.fit_transform(known)
        components = np.zeros((0, len(tokens)), np.float32)
        if len(tokens) > dimensions:
            reduction = TruncatedSVD(min(dimensions, len(known)), random_state=0).fit(rows)
            components = reduction.components_.astype(np.float32)
        return cls(pattern, tokens, vectorizer.idf_, components)

    def __call__(self, texts: pd.Series) -> np.ndarray:
        """Vectors of texts, float32 (len(texts), dimensions); zeros without a known token."""
        codes, distinct = pd.factorize(texts)  # a missing text has code -1, which is the row of zeros at the end
        vectorizer = tfidf(self.pattern, self.tokens)
        vectorizer.idf_ = self.idf
        rows = vectorizer.transform([*distinct, ""])
        dense = rows @ self.components.T.astype(float) if len(self.components) else rows.toarray()
        return np.asarray(dense, np.float32)[codes]


def tfidf(pattern: str, tokens: list[str]) -> Any:
    """scikit-learn's vectoriser that knows these tokens."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(token_pattern=pattern, vocabulary=tokens)


def count_tokens(texts: list[str], pattern: str) -> list[str]:
    """The tokens that at least SHARED texts have, or all where none is shared; the most frequent ones, sorted.

    >>> count_tokens(["The Cure", "the Who"], WORDS), count_tokens(["Cure", "Who"], WORDS)
    (['the'], ['cure', 'who'])
    """
    from sklearn.feature_extraction.text import CountVectorizer

    counter = CountVectorizer(token_pattern=pattern, binary=True)
    try:
        bag = counter.fit_transform(texts)
    except ValueError:  # no text has a token
        return []
    counts = np.asarray(bag.sum(axis=0)).ravel()
    tokens = counter.get_feature_names_out()
    kept = np.flatnonzero(counts >= SHARED) if (counts >= SHARED).any() else np.arange(len(counts))
    best = kept[np.argsort(-counts[kept], kind="stable")[:MOST_TOKENS]]
    return sorted(map(str, tokens[best]))
