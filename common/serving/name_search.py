"""Items by the names that people type: in any case, without accents, with a slip of the keyboard.

An id after `id:` always means that one item. A name that several items bear goes to the one that is far better known;
where none is, nothing is guessed and all are listed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import log10
from typing import Protocol

import numpy as np

from common.data.artist_names import fold_words, loose_key
from common.serving.store.catalogue import Catalogue
from common.utils.errors import UserError, did_you_mean

LIKE = 85.0
"""Least similarity (rapidfuzz's ratio, 0 to 100) that passes for a slip of the keyboard."""
HINT = 70.0
"""Least similarity of a suggestion."""
LEAD = 6.0
"""Names that are less near than the nearest by no more than this are meant as well as it."""
BEGUN = 80.0
"""Similarity of a name whose words begin with all that was typed."""
FAME = 5.0
"""What ten times the listeners are worth in similarity, in the order of suggestions."""
FAR_BETTER_KNOWN = 5
"""So many times the listeners of the next decide between items of one name."""
SHORT = 4
"""A name of at most this many letters is not guessed at: too many are one slip away."""
LISTED = 6
"""Items that are listed where a name is not clear."""
HINTS = 3
"""Suggestions where there is none."""


class UnclearError(UserError):
    """No item bears the name, or several do; `items` are codes of those that may be meant, the likeliest first."""

    def __init__(self, message: str, items: Sequence[int] = ()) -> None:
        super().__init__(message)
        self.items = list(items)


class WordSearch(Protocol):
    """Finds items by the beginnings of words: the store's full-text index, or a `WordIndex` in memory."""

    def search(self, protocol: str, words: Sequence[str], most: int = 20) -> list[int]:
        """Items whose name or artist has words that begin with all of these."""


@dataclass
class NameSearch:
    """The names of a catalogue, ready for looking up."""

    tables: WordSearch
    protocol: str
    catalogue: Catalogue
    keys: dict[str, list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Key every name, and every track also with its artist."""
        for item, (name, artist) in enumerate(zip(self.catalogue.names, self.catalogue.artists, strict=True)):
            self.keys.setdefault(loose_key(name), []).append(item)
            if artist not in ("", name):
                self.keys.setdefault(loose_key(f"{name} {artist}"), []).append(item)

    @property
    def kind(self) -> str:
        """What an item is called."""
        return "artist" if self.catalogue.of_artists else "item"

    def find(self, typed: str) -> int:
        """The code of the item that is meant; UnclearError where none is, or several."""
        if typed.startswith("id:"):
            return self._by_id(typed[3:])
        if not typed.strip():
            raise UnclearError(f"an empty name is no {self.kind}; give one as it is written")
        key = loose_key(typed.replace(" by ", " ")) if loose_key(typed) not in self.keys else loose_key(typed)
        if items := self.keys.get(key) or self._squeezed.get(key.replace(" ", "")):
            return self._choose(typed, items)
        meant, begun = self._slips(key), self._begun(key)
        known = [int(self.catalogue.listeners[item]) for item in (*meant[:2], *begun[:1])]
        if meant and known[0] >= max(known) and (len(meant) == 1 or known[0] >= FAR_BETTER_KNOWN * max(1, known[1])):
            return meant[0]
        near = self._near(key, begun)
        hint = did_you_mean((shown(self.catalogue.label(item)) for item in near[:HINTS]), "check the spelling")
        raise UnclearError(f"no {self.kind} is called {shown(typed)}; {hint}", near)

    def suggest(self, typed: str, most: int) -> list[int]:
        """Items that somebody may be typing the name of: that very name first, then names that go on from it, words
        that do, or, where none begins so, names with a slip; the better known first among equals."""
        key = loose_key(typed)
        if not key:
            return []
        own = self.keys.get(key, []) or self._squeezed.get(key.replace(" ", ""), [])
        begun = self.tables.search(self.protocol, key.split(), most=200)
        goes_on = [item for item in begun if self._goes_on(item, key)]
        found = dict.fromkeys([*self._best_known(own), *self._best_known(goes_on), *self._best_known(begun)])
        return list(found)[:most] if found or len(key) <= SHORT else self._near(key, [])[:most]

    def _goes_on(self, item: int, key: str) -> bool:
        """Whether the name of an item goes on from what was typed; "the" alone begins names with an article, too."""
        name = self.catalogue.names[item]
        return loose_key(name).startswith(key) or fold_words(name).startswith(key)

    @cached_property
    def _squeezed(self) -> dict[str, list[int]]:
        """The keys without spaces, for who writes two words as one."""
        found: dict[str, list[int]] = {}
        for key, items in self.keys.items():
            found.setdefault(key.replace(" ", ""), []).extend(items)
        return found

    def _slips(self, key: str) -> list[int]:
        """Items that a slip of the keyboard may have meant, best known first."""
        if len(key) <= SHORT:
            return []
        from rapidfuzz import fuzz, process
        from rapidfuzz.distance import OSA

        near = process.extract(key, self.keys.keys(), scorer=fuzz.ratio, limit=LISTED, score_cutoff=LIKE)
        names = {name for name, similarity, _ in near if similarity > near[0][1] - LEAD}
        names |= {name for name, _, _ in process.extract(key, self.keys.keys(), scorer=OSA.distance, score_cutoff=1)}
        return self._best_known({item for name in names for item in self.keys[name]})

    def _begun(self, key: str) -> list[int]:
        """Items whose words begin with all that was typed, best known first."""
        return self._best_known(self.tables.search(self.protocol, [w for w in key.split() if len(w) > 1], most=200))

    def _near(self, key: str, begun: Sequence[int]) -> list[int]:
        """Items to suggest: of similar spelling or beginning, the well-known before the rest."""
        from rapidfuzz import fuzz, process
        from rapidfuzz.distance import JaroWinkler

        similarity: dict[int, float] = {}
        for name, near, _ in process.extract(
            key, self.keys.keys(), scorer=JaroWinkler.similarity, limit=200, score_cutoff=HINT / 100
        ):
            similarity |= {item: max(fuzz.ratio(key, name), 90 * near - 5) for item in self.keys[name]}
        similarity |= {item: max(BEGUN, similarity.get(item, 0)) for item in begun}
        fame = {item: near + FAME * log10(1 + self.catalogue.listeners[item]) for item, near in similarity.items()}
        best = sorted(fame, key=lambda item: (-fame[item], item))
        return [item for item in best if similarity[item] >= HINT][:LISTED]

    def _best_known(self, items: Iterable[int]) -> list[int]:
        return sorted(items, key=lambda item: (-int(self.catalogue.listeners[item]), item))

    def _by_id(self, item_id: str) -> int:
        found = np.flatnonzero(self.catalogue.item_ids == item_id)
        if not len(found):
            raise UnclearError(f"no {self.kind} has the id {shown(item_id)}; give a name, or an id as --json shows it")
        return int(found[0])

    def _choose(self, typed: str, items: Sequence[int]) -> int:
        """The one that is meant of several items of one name: of versions of one track the best known counts."""
        works: dict[str, int] = {}
        for item in self._best_known(items):
            works.setdefault(self.catalogue.works[item], item)
        best = list(works.values())
        counts = self.catalogue.listeners[best]
        if len(best) == 1 or counts[0] >= FAR_BETTER_KNOWN * max(1, counts[1]):
            return best[0]
        listed = ", ".join(self._listed(item) for item in best[:LISTED])
        more = f" and {len(best) - LISTED} more" if len(best) > LISTED else ""
        raise UnclearError(f"{shown(typed)} may be {listed}{more}; name one by its id", best)

    def _listed(self, item: int) -> str:
        return f"{shown(self.catalogue.label(item))} (id:{self.catalogue.item_ids[item]})"


def shown(typed: str, most: int = 60) -> str:
    """What somebody typed, in quotes, without what would drive the terminal, and cut where it is long.

    >>> shown("a\\x1b[2Jb")
    "'a[2Jb'"
    """
    plain = "".join(character for character in typed if character.isprintable())
    return f"'{plain[:most]}{'...' if len(plain) > most else ''}'"
