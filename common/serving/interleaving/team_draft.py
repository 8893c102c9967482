"""Team-draft interleaving: one list from several rankers, in which a click is a vote for the ranker that gave the item.

The draft is that of Radlinski et al. 2008. For more than two rankers it is known as team-draft multileaving (Schuth et
al. 2014).
"""

import hashlib
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

import numpy as np

from common.utils.errors import UserError, whole_number

Item = TypeVar("Item", bound=Hashable)
NOBODY = ""
"""Team of an item that counts for no ranker."""


class Pick(NamedTuple, Generic[Item]):
    """An item of an interleaved list and the ranker it counts for, NOBODY if none."""

    item: Item
    team: str


def team_draft(lists: Mapping[str, Sequence[Item]], k: int, rng: np.random.Generator) -> list[Pick[Item]]:
    """At most k items of several rankers' lists (name -> items, best first), each with the ranker it counts for.

    In every round each ranker, in an order drawn anew, gives its best item that is not in the list yet; the last round
    is cut at k. An item that a list repeats counts where it stands first. Once a list has nothing left for a round,
    that round and what follows count for nobody, so that no list wins clicks by its length alone. The same `rng` in
    the same state gives the same list (`draft_rng`). A UserError for fewer than two rankers, an unnamed one, k < 1.
    """
    k = whole_number("k", k)
    if len(lists) < 2 or NOBODY in lists:
        raise UserError(f"interleaving takes two named rankers or more, not {sorted(lists)}; name them, as in als,ease")
    left = {name: iter(items) for name, items in lists.items()}
    picked: dict[Item, str] = {}
    fair = True
    while len(picked) < k and (given := _round(left, picked, rng)):
        fair = fair and len(given) == len(left)
        picked |= given if fair else dict.fromkeys(given, NOBODY)
    return [Pick(item, team) for item, team in picked.items()][:k]


def _round(left: Mapping[str, Iterator[Item]], picked: Collection[Item], rng: np.random.Generator) -> dict[Item, str]:
    """What each ranker gives in one round; a ranker without a new item gives nothing."""
    given: dict[Item, str] = {}
    names = list(left)
    for place in rng.permutation(len(names)):
        for item in left[names[place]]:
            if item not in picked and item not in given:
                given[item] = names[place]
                break
    return given


def draft_rng(seed: int, request_id: str) -> np.random.Generator:
    """The generator of one request's draft, by which its list can be drawn again from the rankers' lists.

    >>> draft_rng(0, "a").random() == draft_rng(0, "a").random() != draft_rng(0, "b").random()
    True
    """
    return np.random.default_rng([seed, *hashlib.sha256(request_id.encode("utf-8", "replace")).digest()])


def credits(picks: Sequence[Pick[Item]], clicked: Collection[Item]) -> dict[str, int]:
    """How many of the clicked items of one list count for each of its rankers; a second click on an item adds nothing.

    >>> credits([Pick("x", "als"), Pick("y", "ease"), Pick("z", "")], ["y", "z", "y"])
    {'als': 0, 'ease': 1}
    """
    votes = dict.fromkeys((pick.team for pick in picks if pick.team != NOBODY), 0)
    for pick in picks:
        if pick.team != NOBODY and pick.item in clicked:
            votes[pick.team] += 1
    return votes
