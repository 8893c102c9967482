"""When two titles are one track, and when two tracks are versions of one work."""

import re

from common.data.artist_names import fold_words, main_credit

_VERSION = r"(?:re-?master(?:ed)?|live|edit|mix|re-?mix|version|mono|stereo|deluxe|anniversary|(?:19|20)\d\d)"
_BRACKETED = re.compile(rf"[\(\[][^\(\)\[\]]*\b{_VERSION}\b[^\(\)\[\]]*[\)\]]", re.IGNORECASE)
_DASHED = re.compile(rf"\s[-–—]\s[^-–—]*\b{_VERSION}\b[^-–—]*$", re.IGNORECASE)


def title_key(title: str) -> str:
    """A key that two spellings of one title share; never empty for a title that is not blank.

    Forgiven are case, width, accents on Latin letters and punctuation; a leading "the" counts.

    >>> title_key("Don’t Stop  Me Now"), title_key("Café del Mar"), title_key("???")
    ('dont stop me now', 'cafe del mar', '???')
    """
    return fold_words(title)


def work_title(title: str) -> str:
    """The title without what tells versions of one work apart, and without guests; the title where nothing is left.

    Taken off are bracketed or dashed suffixes that say remaster, live, edit, mix, version, mono, stereo, deluxe,
    anniversary, or a year.

    >>> work_title("Heroes - 2017 Remaster"), work_title("Creep (Live) [Mono Version]"), work_title("1999 - Live")
    ('Heroes', 'Creep', '1999')
    >>> work_title("Live Forever"), work_title("(Live)"), work_title("Stay (feat. Mikky Ekko) - Radio Edit")
    ('Live Forever', '(Live)', 'Stay')
    """
    bare, before = title, ""
    while bare != before:
        before = bare
        bare = main_credit(_DASHED.sub("", _BRACKETED.sub("", bare)).strip())
    return bare or title
