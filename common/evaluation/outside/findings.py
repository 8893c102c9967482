"""What is odd about lists that another program has made: said with counts before anything is scored.

A fault is what no list of this protocol may hold; it is refused, or left out where that is asked for. A remark changes
nothing, or costs the lists: an evaluated user without a list counts as one who was recommended nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from common.data.ids import codes_of
from common.evaluation.evaluator import Evaluator
from common.evaluation.metric_suite import DEEPEST
from common.evaluation.outside.lists import Lists
from common.models.top_items import DEPTH
from common.utils.errors import UserError


@dataclass(frozen=True)
class Finding:
    """One kind of finding: its key in the run's settings, how it is said, how many there are, the first one in words.

    rows: which recommendations are at fault, bool (recommendations,); None of a remark.
    """

    key: str
    what: str
    count: int
    first: str = ""
    rows: np.ndarray | None = None

    def __str__(self) -> str:
        """The finding in words."""
        return f"{self.count:,} {self.what}" + (f" (first: {self.first})" if self.first else "")


def check_catalogue(lists: Lists, evaluator: Evaluator, dataset: str) -> None:
    """Raise a UserError for lists of another catalogue, or of users that none of this data set's are."""
    of = f"data set {dataset!r}, protocol {evaluator.train.protocol}"
    if not (lists.items >= 0).any():
        other = evaluator.train.items["item_id"].iloc[0]
        raise UserError(
            f"the lists are of another catalogue: not one of {lists.item_id.nunique():,} items is in that of {of} "
            f"(theirs: {lists.item_id.iloc[0]!r}, here: {other!r}); name the --dataset they are of, or spell ids alike"
        )
    if not (lists.rows >= 0).any():
        other = evaluator.users[0]
        raise UserError(
            f"not one of {lists.user_id.nunique():,} users of the lists is evaluated on {evaluator.holdout.part} of "
            f"{of} (theirs: {lists.user_id.iloc[0]!r}, here: {other!r}); name the --protocol and --part they are for"
        )


def faults(lists: Lists, evaluator: Evaluator, users: pd.Series) -> Iterator[Finding]:
    """What no list may hold: strangers, items outside the catalogue, repeats, seen items, and no order.

    users: ids of all users of the data set, evaluated or not.
    """
    mine, n_items = lists.rows >= 0, np.int64(evaluator.train.n_items)
    stranger = ~mine & (codes_of(lists.user_id, pd.Index(users)) < 0)
    yield _fault("strangers", "rows of users whom the data set lacks", stranger, lists)
    foreign = mine & (lists.items < 0)
    yield _fault("unknown_items", "rows of items outside the catalogue", foreign, lists)
    sound = mine & ~foreign
    keys = np.where(sound, lists.rows * n_items + lists.items, -1)
    repeated = sound & pd.Series(keys).duplicated().to_numpy()
    yield _fault("repeats", "rows that repeat an item of the same list", repeated, lists)
    given = evaluator.holdout.given
    seen = sound & np.isin(keys, given.rows * n_items + given.items)
    yield _fault("seen", "rows of items that the user had already", seen & ~repeated, lists)
    if lists.by == "score":
        yield _fault("no_score", "rows without a score", mine & np.isnan(lists.order), lists)


def check_ranks(lists: Lists) -> None:
    """Raise a UserError where two items of one list have the same rank: which comes first, nobody can tell."""
    if lists.by == "rank":
        pairs = pd.DataFrame({"row": lists.rows, "rank": lists.order})
        same = (lists.rows >= 0) & pairs.duplicated().to_numpy()
        if same.any():
            place = int(np.argmax(same))
            raise UserError(
                f"{int(same.sum()):,} rows have the rank of another item of the same list (first: user "
                f"{lists.user_id.iloc[place]!r}, rank {lists.order[place]:.0f}); give each item a rank of its own"
            )


def remarks(lists: Lists, evaluator: Evaluator) -> Iterator[Finding]:
    """What is told and changes nothing: rows of no use, users without a list, short and long lists, gaps."""
    others = lists.rows < 0
    yield Finding("not_evaluated", "rows of users who are not evaluated, passed over", int(others.sum()))
    lengths = np.bincount(lists.rows[~others], minlength=len(evaluator.users))
    yield Finding("missing", "evaluated users without a list, who count as misses", *_first(lengths == 0, evaluator))
    few = (lengths > 0) & (lengths < DEEPEST)
    yield Finding("short", f"lists of fewer than {DEEPEST} items, the rest of them misses", *_first(few, evaluator))
    yield Finding("long", f"lists of more than {DEPTH} items, cut there", *_first(lengths > DEPTH, evaluator))
    if lists.by == "rank":
        highest = np.zeros(len(lengths))
        np.maximum.at(highest, lists.rows[~others], lists.order[~others])
        gaps = highest > lengths
        yield Finding("gaps", "lists whose ranks skip a number, closed up", *_first(gaps, evaluator))
        if np.isnan(lists.scores).any() and not np.isnan(lists.scores).all():
            yield Finding("no_score", "rows without a score, where rank decides", int(np.isnan(lists.scores).sum()))


def _fault(key: str, what: str, rows: np.ndarray, lists: Lists) -> Finding:
    if not rows.any():
        return Finding(key, what, 0, rows=rows)
    place = int(np.argmax(rows))
    first = f"user {lists.user_id.iloc[place]!r}, item {lists.item_id.iloc[place]!r}"
    return Finding(key, what, int(rows.sum()), first, rows)


def _first(chosen: np.ndarray, evaluator: Evaluator) -> tuple[int, str]:
    """How many rows of the holdout are chosen, and the first of their users."""
    return int(chosen.sum()), f"user {evaluator.users[int(np.argmax(chosen))]!r}" if chosen.any() else ""
