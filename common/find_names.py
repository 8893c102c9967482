"""Items by the names that people type: in any case, without accents, with a slip of the keyboard.

An id after `id:` always means that one item. A name that several items bear goes to the one that is far better known;
where none is, nothing is guessed and all are listed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from rapidfuzz import fuzz, process

from common.data.names import loose_key
from common.errors import UserError
from common.library import Catalogue, Library

LIKE = 85.0
"""Least likeness (rapidfuzz's ratio, 0 to 100) that passes for a slip of the keyboard."""
HINT = 70.0
"""Least likeness of a suggestion."""
LEAD = 6.0
"""How much nearer the nearest name must be than the next."""
FAR_BETTER_KNOWN = 5
"""So many times the listeners of the next decide between items of one name."""
SHORT = 4
"""A name of at most this many letters is not guessed at: too many are one slip away."""
LISTED = 6
"""Items that are listed where a name is not clear, and suggestions where there is none."""


class NotFoundError(UserError):
    """No item bears the name."""


class AmbiguousError(UserError):
    """Several items bear the name; `items` are their codes, best known first."""

    def __init__(self, message: str, items: Sequence[int]) -> None:
        super().__init__(message)
        self.items = list(items)


@dataclass
class Names:
    """The names of a catalogue, ready for looking up."""

    library: Library
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
        """The code of the item that is meant; NotFoundError or AmbiguousError where that is not clear."""
        if typed.startswith("id:"):
            return self._by_id(typed[3:])
        if not typed.strip():
            raise NotFoundError(f"an empty name is no {self.kind}; give one as it is written")
        key = loose_key(typed.replace(" by ", " ")) if loose_key(typed) not in self.keys else loose_key(typed)
        if items := self.keys.get(key):
            return self._choose(typed, items)
        near = process.extract(key, self.keys.keys(), scorer=fuzz.ratio, limit=LISTED, score_cutoff=HINT)
        clear = [likeness for _, likeness, _ in near[:2]] + [0.0, 0.0]
        if len(key) > SHORT and clear[0] >= LIKE and clear[0] - clear[1] >= LEAD:
            return self._choose(typed, self.keys[near[0][0]])
        raise NotFoundError(self._no_such(typed, [self.keys[key][0] for key, _, _ in near]))

    def _by_id(self, item_id: str) -> int:
        found = np.flatnonzero(self.catalogue.item_ids == item_id)
        if not len(found):
            raise NotFoundError(f"no {self.kind} has the id {shown(item_id)}; give a name, or an id as --json shows it")
        return int(found[0])

    def _choose(self, typed: str, items: Sequence[int]) -> int:
        """The one that is meant of several items of one name: of versions of one track the best known counts."""
        known = sorted(items, key=lambda item: (-int(self.catalogue.listeners[item]), item))
        works: dict[str, int] = {}
        for item in known:
            works.setdefault(self.catalogue.works[item], item)
        best = list(works.values())
        counts = self.catalogue.listeners[best]
        if len(best) == 1 or counts[0] >= FAR_BETTER_KNOWN * max(1, counts[1]):
            return best[0]
        listed = ", ".join(self._listed(item) for item in best[:LISTED])
        more = f" and {len(best) - LISTED} more" if len(best) > LISTED else ""
        raise AmbiguousError(f"{shown(typed)} may be {listed}{more}; name one by its id", best)

    def _listed(self, item: int) -> str:
        return f"{shown(self.catalogue.label(item))} (id:{self.catalogue.item_ids[item]})"

    def _no_such(self, typed: str, near: Sequence[int]) -> str:
        words = [word for word in loose_key(typed).split() if len(word) > 1]
        known = self.library.search(self.protocol, words, most=200)
        known.sort(key=lambda item: -int(self.catalogue.listeners[item]))
        near = list(dict.fromkeys([*near[:2], *known[:2], *near[2:]]))[:3]
        hint = f"did you mean {' or '.join(shown(self.catalogue.label(item)) for item in near)}?"
        return f"no {self.kind} is called {shown(typed)}; {hint if near else 'check the spelling'}"


def shown(typed: str, most: int = 60) -> str:
    """What somebody typed, in quotes, without what would drive the terminal, and cut where it is long.

    >>> shown("a\\x1b[2Jb")
    "'a[2Jb'"
    """
    plain = "".join(character for character in typed if character.isprintable())
    return f"'{plain[:most]}{'...' if len(plain) > most else ''}'"
