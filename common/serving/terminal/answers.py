"""Lists as a terminal shows them, and as JSON."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from common.serving.explanations import BY_POPULARITY, Explanations, ItemExplanation
from common.serving.service import Answer
from common.serving.store.catalogue import Catalogue
from common.serving.user_profile import UserProfile
from common.utils.terminal import bar, cell, columns, fitting, lines, plain, width

NAMED = 5
"""Names that a heading tells of a history before it only counts."""
BESIDE = 3
"""Lists that stand side by side in 80 columns."""
BAR = 6
"""Cells of a bar."""


def table(answer: Answer, catalogue: Catalogue, at_length: bool = False, basis: bool = True) -> str:
    """A list: rank, name, bar, tags or genres, and a short explanation, in the terminal's width; `at_length` puts
    each whole explanation below its row, `basis` what its numbers are below the list."""
    if not answer.items:
        return "  nothing is left to recommend: all of the catalogue is known, disliked or filtered out"
    explained = answer.explanations
    short = explained is not None and not at_length and any(why.items or why.parts for why in explained.each)
    rank = len(str(len(answer.items)))
    name, tags, reason = _sizes(columns() - rank - BAR - 4, short)
    rows = []
    for place, item in enumerate(answer.items):
        row = [cell(str(place + 1), rank, right=True) + " ", cell(catalogue.label(item), name)]
        row += [bar(answer.shares[place], BAR)] + ([cell(about(catalogue, item, tags), tags)] if tags else [])
        why = explained.each[place] if explained else ItemExplanation()
        row += [" " + cell(_short(why, catalogue, reason), reason)] if reason else []
        rows.append(" " + " ".join(row).rstrip())
        if at_length:
            rows += lines(in_full(why, catalogue, explained), columns(), " " * (rank + 4))
    shared = explained is not None and bool(explained.shared.items)
    return "\n".join([*rows, *_below(explained, catalogue, at_length, basis and (short or shared or at_length))])


def _sizes(free: int, short: bool) -> tuple[int, int, int]:
    """Cells of name, tags and short reason: what a narrow terminal has no room for is left out, tags last."""
    if free < 30:
        return free, 0, 0
    if not short or free < 45:
        return free * 3 // 5, free - 1 - free * 3 // 5, 0
    name, tags = (free - 3) * 2 // 5, max(16, (free - 3) // 4)
    return name, tags, free - 3 - name - tags


def about(catalogue: Catalogue, item: int, size: int) -> str:
    """Tags of an item, or else its genres: as many as fit whole into so many cells."""
    return fitting(str(catalogue.tags[item] or catalogue.genres[item]).split("|"), size)


def _short(why: ItemExplanation, catalogue: Catalogue, size: int) -> str:
    if why.items:
        return fitting([str(catalogue.names[item]) for item, _ in why.items], size)
    return _part(*why.parts[0]) if why.parts else ""


def in_full(why: ItemExplanation, catalogue: Catalogue, explanations: Explanations | None) -> str:
    """All of one item's explanation, with its numbers."""
    shares = explanations is not None and explanations.in_shares
    items = [f"{plain(catalogue.label(item))} {by:+.3g}" for item, by in why.items]
    parts = [f"{name} {by:.0%}" if shares else _part(name, by) for name, by in why.parts]
    return "; ".join(", ".join(texts) for texts in (items, parts) if texts)


def _part(name: str, by: float) -> str:
    if name == BY_POPULARITY:
        return "by popularity alone"
    if not name.startswith("listeners"):
        return f"{name} {by:+.3g}"
    return f"{by:,.0f} {'listener' + name[9:] if round(by) == 1 else name}"


def _below(explanations: Explanations | None, catalogue: Catalogue, at_length: bool, basis: bool) -> list[str]:
    """What is true of the list as a whole, what the parts are, and what the explanations are based on."""
    if explanations is None:
        return []
    shared = [f"{plain(catalogue.label(item))} {by:.0%}" for item, by in explanations.shared.items]
    texts = [f"looked at: {', '.join(shared)}"] if shared else []
    texts += [f"{name}: {meaning}" for name, meaning in explanations.terms.items()] if at_length else []
    texts += [f"why: {explanations.basis}"] if basis else []
    return [line for text in texts for line in lines(text, columns(), "  ")]


def heading(profile: UserProfile, catalogue: Catalogue, user_id: str) -> str:
    """Whom a list is for: what a user of the data has most of, and the likes and dislikes, the newest last."""
    own = profile.own.items[np.argsort(-profile.own.weights, kind="stable")].tolist()
    has = _some(own, catalogue) or f"no {'artist' if catalogue.of_artists else 'item'}"
    parts = [f"user {plain(user_id)}, who has {has}"] if user_id else []
    parts += [f"likes {_some(profile.liked, catalogue, newest=True)}"] if profile.liked else []
    parts += [f"dislikes {_some(profile.disliked, catalogue, newest=True)}"] if profile.disliked else []
    return "; ".join(parts)


def _some(items: Sequence[int], catalogue: Catalogue, newest: bool = False) -> str:
    kept = items[-NAMED:] if newest else items[:NAMED]
    named = ", ".join(plain(catalogue.label(item)) for item in kept)
    more = f"{len(items) - NAMED} {'earlier' if newest else 'more'}"
    return f"{named} and {more}" if len(items) > NAMED else named


def side_by_side(answers: Sequence[Answer], catalogue: Catalogue) -> str:
    """Several lists beside one another, then how many items each two have in common."""
    beside = max(1, min(BESIDE, columns() // 26))
    blocks = [_beside(answers[n : n + beside], catalogue, beside) for n in range(0, len(answers), beside)]
    return "\n\n".join([*blocks, overlaps(answers)])


def _beside(answers: Sequence[Answer], catalogue: Catalogue, beside: int) -> str:
    depth = max(len(answer.items) for answer in answers)
    rank = len(str(depth)) + 1
    size = (columns() - rank - beside) // beside
    rows = [" " * (rank + 1) + " ".join(cell(answer.model, size) for answer in answers).rstrip()]
    for place in range(depth):
        named = [catalogue.label(a.items[place]) if place < len(a.items) else "" for a in answers]
        rows.append(f"{place + 1:{rank}d} " + " ".join(cell(name, size) for name in named).rstrip())
    return "\n".join(rows)


def shared(answers: Sequence[Answer]) -> list[list[int]]:
    """How many items each two lists have in common."""
    return [[len(set(a.items) & set(b.items)) for b in answers] for a in answers]


def overlaps(answers: Sequence[Answer]) -> str:
    """A table of the items that each two lists have in common, in as many parts as its width makes of it."""
    name, counts = max(width(answer.model) for answer in answers), shared(answers)
    size = 1 + len(str(max(len(answers), max(map(max, counts)))))
    fit = max(1, (columns() - name - 4) // size)
    rows = ["items in common"]
    for start in range(0, len(answers), fit):
        these = range(start, min(start + fit, len(answers)))
        rows.append(" " * (name + 4) + "".join(f"{n + 1:{size}d}" for n in these))
        for n, answer in enumerate(answers):
            cells = "".join(f"{counts[n][other]:{size}d}" for other in these)
            rows.append(f"{n + 1:3d} {cell(answer.model, name)}{cells}")
    return "\n".join(rows)


def as_json(answer: Answer, catalogue: Catalogue) -> dict[str, Any]:
    """A list for programs, unrounded."""
    rows = []
    for place, item in enumerate(answer.items):
        row = {"rank": place + 1, **named(catalogue, item), "score": answer.scores[place]}
        for about_it in ("tags", "genres"):
            row[about_it] = [one for one in str(getattr(catalogue, about_it)[item]).split("|") if one]
        if answer.explanations:
            row["why"] = _why_json(answer.explanations.each[place], catalogue)
        rows.append(row)
    found: dict[str, Any] = {"model": answer.model, "items": rows}
    if answer.explanations:
        of_all = {"basis": answer.explanations.basis, **_why_json(answer.explanations.shared, catalogue)}
        found["why"] = of_all | ({"terms": answer.explanations.terms} if answer.explanations.terms else {})
    return found


def about_profile(profile: UserProfile, catalogue: Catalogue, user_id: str, listener: str) -> dict[str, Any]:
    """Whom a list is for, for programs."""
    likes, dislikes = ([named(catalogue, item) for item in items] for items in (profile.liked, profile.disliked))
    return {"user": user_id or None, "likes": likes, "dislikes": dislikes, "kept_for": listener}


def named(catalogue: Catalogue, item: int) -> dict[str, str]:
    """Id, name and artist of an item."""
    about_item = {"item_id": catalogue.item_ids[item], "name": catalogue.names[item]}
    return about_item | ({"artist": catalogue.artists[item]} if catalogue.artists[item] else {})


def _why_json(why: ItemExplanation, catalogue: Catalogue) -> dict[str, Any]:
    return {
        "history": [{**named(catalogue, item), "value": by} for item, by in why.items],
        "parts": dict(why.parts),
    }
