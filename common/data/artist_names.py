"""When two spellings are one artist: `artist_key` forgives what careless spelling changes, and no more.

Precision comes first. A wrong match gives an artist somebody else's songs, a missed one only leaves features missing.
"""

import re
import unicodedata

_GUESTS = re.compile(
    r"[\s(\[]+ (?:feat|ft|featuring) (?:\.\s* | [\s,]\s*) [^\s.,] .* $", re.IGNORECASE | re.VERBOSE | re.DOTALL
)
_ACRONYM = re.compile(r"(?<!\w) [^\W\d_] (?: [.*] [^\W\d_] )+ (?!\w) [.*]?", re.VERBOSE)
_ACCENT = re.compile(r"(?<=[a-z])[\u0300-\u036f]+")
_APOSTROPHES = re.compile("['’‘`´]")
_DOLLAR = re.compile(r"(?<=\w)\$|\$(?=\w)")
_ASCII = {code: " " for code in range(128) if not chr(code).isalnum()} | {ord("'"): "", ord("`"): "", ord("&"): " and "}
"""What becomes of the characters of a plain name: most names are, and a catalogue of them is keyed at every start."""

SHORT_NAME = 5
"""A single word of at most this many letters is too common a name to forgive anything but case and dots."""


def main_credit(name: str) -> str:
    """The name without its guests; a name that only ends in "feat" has none.

    >>> main_credit("Rihanna (feat. Drake)"), main_credit("Kesha ft. 3OH!3"), main_credit("Little Feat")
    ('Rihanna', 'Kesha', 'Little Feat')
    """
    return _GUESTS.sub("", name).strip() or name


def artist_key(name: str) -> str:
    """A key that two spellings of one artist share; never empty for a name that is not blank.

    Forgiven are case, width, accents on Latin letters, punctuation, "&" for "and", "$" for "s", guests and a leading
    "the". Letters of every script are kept. A short single word forgives only case, width, "$" and the dots
    of an acronym, because "Egg" and "The Egg" are two bands. A name of punctuation alone is its own key.

    >>> artist_key("Guns N’ Roses") == artist_key("guns n' roses"), artist_key("The Pretenders"), artist_key("!!!")
    (True, 'pretenders', '!!!')
    >>> artist_key("N.W.A") == artist_key("NWA."), artist_key("Egg") == artist_key("The Egg")
    (False, False)
    """
    folded = _folded(main_credit(name))
    words = _words(folded)
    if not words or (len(words) == 1 and len(words[0]) <= SHORT_NAME):
        return folded
    return " ".join(words)


def loose_key(name: str) -> str:
    """A key for looking up what somebody has typed: more forgiving than `artist_key`, guests and short names, too.

    >>> loose_key("  bjork"), loose_key("Björk"), loose_key("The Egg"), loose_key("!!!")
    ('bjork', 'bjork', 'egg', '!!!')
    """
    folded = _folded(name)
    return " ".join(_words(folded)) or folded


def fold_words(text: str) -> str:
    """A text in lower case without accents and punctuation; its folded characters where that leaves nothing.

    >>> fold_words("The Dø's  Album!"), fold_words("…")
    ('the døs album', '...')
    """
    folded = _folded(text)
    return " ".join(_all_words(folded)) or folded


def guests(name: str) -> str:
    """The guests that a name credits, as they are written; "" where it credits none.

    >>> guests("Rihanna (feat. Drake)"), guests("Kesha ft. 3OH!3"), guests("Little Feat")
    ('Drake', '3OH!3', '')
    """
    found = _GUESTS.search(name)
    if not found or not name[: found.start()].strip():
        return ""
    said = re.sub(r"^[\s(\[]+(?:feat|ft|featuring)[.\s,]*", "", found.group(), flags=re.IGNORECASE).strip()
    return said[:-1].strip() if said[-1:] in ")]" else said


def _folded(name: str) -> str:
    """Case, width, acronyms and dollars evened out; everything else stays."""
    folded = unicodedata.normalize("NFKC", name).casefold().strip()
    if "." in folded or "*" in folded:
        folded = _ACRONYM.sub(lambda match: re.sub("[.*]", "", match.group()), folded)
    return _DOLLAR.sub("s", folded) if "$" in folded else folded


def _words(folded: str) -> list[str]:
    """The words of a folded name, without accents, punctuation and a leading "the"."""
    words = _all_words(folded)
    return words[1:] if len(words) > 1 and words[0] == "the" else words


def _all_words(folded: str) -> list[str]:
    return (folded.translate(_ASCII) if folded.isascii() else _spaced(folded)).split()


def _spaced(folded: str) -> str:
    """A folded name in any script without accents, and with spaces for its punctuation."""
    # Only marks on Latin letters are accents. The same kind of mark turns one Japanese syllable into another.
    bare = unicodedata.normalize("NFC", _ACCENT.sub("", unicodedata.normalize("NFKD", folded)))
    bare = _APOSTROPHES.sub("", bare).replace("&", " and ")
    return "".join(character if _belongs_to_a_word(character) else " " for character in bare)


def _belongs_to_a_word(character: str) -> bool:
    """Letters, numbers and the vowel marks of scripts that write vowels as marks."""
    return unicodedata.category(character)[0] in "LNM"
