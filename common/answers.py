"""Lists as people read them in a terminal, and as programs read them: JSON."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from common.asking import Answer, Asking, Taste
from common.library import Catalogue
from common.terminal import bar, cell, columns, lines, plain, width
from common.why import Reasons, Why

NAMED = 5
"""Names that a heading tells of a history before it only counts."""
BESIDE = 3
"""Lists that stand side by side in 80 columns."""


def table(answer: Answer, catalogue: Catalogue, at_length: bool = False, basis: bool = True) -> str:
    """A list: rank, name, bar, tags or genres, and a short reason, in the terminal's width; `at_length` puts all that
    is known of each reason below its row, `basis` what the reasons are below the list."""
    if not answer.items:
        return "  nothing is left to recommend: all of the catalogue is known, disliked or filtered out"
    short = answer.reasons is not None and not at_length and any(_short(why, catalogue) for why in answer.reasons.each)
    rank, level = len(str(len(answer.items))), 6
    free = columns() - rank - level - (7 if short else 6)
    name = free * (2 if short else 3) // 5
    tags = (free - name) * 2 // 5 if short else free - name
    rows = []
    for place, item in enumerate(answer.items):
        row = [cell(str(place + 1), rank, right=True) + " ", cell(catalogue.label(item), name)]
        row += [bar(answer.shares[place], level), cell(about(catalogue, item, tags), tags)]
        why = answer.reasons.each[place] if answer.reasons else Why()
        if short:
            row.append(" " + cell(_short(why, catalogue), free - name - tags))
        rows.append(" " + " ".join(row).rstrip())
        if at_length:
            told = in_full(why, catalogue, answer.reasons)
            rows += lines(told, columns(), " " * (rank + 4))
    return "\n".join([*rows, *_below(answer.reasons, catalogue, basis and (short or at_length))])


def about(catalogue: Catalogue, item: int, size: int) -> str:
    """Tags of an item, or else its genres: as many as fit whole into so many cells."""
    names = [plain(name) for name in str(catalogue.tags[item] or catalogue.genres[item]).split("|")]
    while len(names) > 1 and width(", ".join(names)) > size:
        names.pop()
    return ", ".join(names)


def _short(why: Why, catalogue: Catalogue) -> str:
    if why.items:
        return ", ".join(str(catalogue.names[item]) for item, _ in why.items[:2])
    return ", ".join(_part(name, by) for name, by in why.parts[:1])


def in_full(why: Why, catalogue: Catalogue, reasons: Reasons | None) -> str:
    """All reasons of one item with their numbers."""
    shares = reasons is not None and reasons.in_shares
    said = [f"{plain(catalogue.label(item))} {by:+.3g}" for item, by in why.items]
    parts = [f"{name} {by:.0%}" if shares else _part(name, by) for name, by in why.parts]
    return "; ".join(", ".join(texts) for texts in (said, parts) if texts)


def _part(name: str, by: float) -> str:
    return f"{by:,.0f} {name}" if name.endswith("listeners") else f"{name} {by:+.3g}"


def _below(reasons: Reasons | None, catalogue: Catalogue, told: bool) -> list[str]:
    """What the reasons are based on, and those of the list as a whole."""
    if reasons is None or not told:
        return []
    shared = [f"{plain(catalogue.label(item))} {by:.0%}" for item, by in reasons.shared.items]
    first = [f"looked at: {', '.join(shared)}"] if shared else []
    return [line for text in [*first, f"why: {reasons.basis}"] for line in lines(text, columns(), "  ")]


def heading(taste: Taste, asking: Asking, user_id: str, listener: str) -> str:
    """Whom a list is for, and what was counted."""
    catalogue = asking.catalogue
    own = taste.own.items[np.argsort(-taste.own.weights, kind="stable")].tolist()
    parts = [f"user {plain(user_id)} has {_some(own, catalogue)}"] if user_id else []
    parts += [f"likes {_some(taste.liked, catalogue)}"] if taste.liked else []
    parts += [f"dislikes {_some(taste.disliked, catalogue)}"] if taste.disliked else []
    kept = sum(map(len, asking.library.said(listener)))
    parts += [f"{kept} kept of {plain(listener)!r}"] if kept else []
    return "\n".join(lines("; ".join(parts) or "of whom nothing is known", columns()))


def _some(items: Sequence[int], catalogue: Catalogue) -> str:
    named = ", ".join(plain(catalogue.label(item)) for item in items[:NAMED])
    return f"{named} and {len(items) - NAMED} more" if len(items) > NAMED else named


def side_by_side(answers: Sequence[Answer], catalogue: Catalogue) -> str:
    """Several lists beside one another, then how many items each two have in common."""
    blocks = [_beside(answers[n : n + BESIDE], catalogue) for n in range(0, len(answers), BESIDE)]
    return "\n\n".join([*blocks, overlaps(answers)])


def _beside(answers: Sequence[Answer], catalogue: Catalogue) -> str:
    size, depth = (columns() - 4) // BESIDE - 1, max(len(answer.items) for answer in answers)
    rows = ["    " + " ".join(cell(answer.model, size) for answer in answers).rstrip()]
    for place in range(depth):
        named = [catalogue.label(a.items[place]) if place < len(a.items) else "" for a in answers]
        rows.append(f"{place + 1:3d} " + " ".join(cell(name, size) for name in named).rstrip())
    return "\n".join(rows)


def shared(answers: Sequence[Answer]) -> list[list[int]]:
    """How many items each two lists have in common."""
    return [[len(set(a.items) & set(b.items)) for b in answers] for a in answers]


def overlaps(answers: Sequence[Answer]) -> str:
    """A table of the items that each two lists have in common."""
    name, size = max(width(answer.model) for answer in answers), len(str(max(len(a.items) for a in answers))) + 2
    size = max(size, len(str(len(answers))) + 2)
    rows = ["items in common", " " * (name + 5) + "".join(f"{n + 1:{size}d}" for n in range(len(answers)))]
    for n, (answer, row) in enumerate(zip(answers, shared(answers), strict=True)):
        rows.append(f" {n + 1:3d} {cell(answer.model, name)}" + "".join(f"{value:{size}d}" for value in row))
    return "\n".join(rows)


def as_json(answer: Answer, catalogue: Catalogue) -> dict[str, Any]:
    """A list for programs, unrounded."""
    rows = []
    for place, item in enumerate(answer.items):
        row = {"rank": place + 1, **named(catalogue, item), "score": answer.scores[place]}
        row |= {"tags": [tag for tag in str(catalogue.tags[item]).split("|") if tag]}
        if answer.reasons:
            row["why"] = _why_json(answer.reasons.each[place], catalogue)
        rows.append(row)
    found: dict[str, Any] = {"model": answer.model, "items": rows}
    if answer.reasons:
        found["why"] = {"basis": answer.reasons.basis, **_why_json(answer.reasons.shared, catalogue)}
    return found


def named(catalogue: Catalogue, item: int) -> dict[str, str]:
    """Id, name and artist of an item."""
    about_item = {"item_id": catalogue.item_ids[item], "name": catalogue.names[item]}
    return about_item | ({"artist": catalogue.artists[item]} if catalogue.artists[item] else {})


def _why_json(why: Why, catalogue: Catalogue) -> dict[str, Any]:
    return {
        "history": [{**named(catalogue, item), "value": by} for item, by in why.items],
        "parts": dict(why.parts),
    }
