"""What the judges of the X-ray said, laid out: for a terminal, for the blocks of a page, as JSON."""

import textwrap
from collections.abc import Callable
from typing import Any

import numpy as np

from common.evaluation.sensitivity.agreement import kendall_tau
from common.evaluation.sensitivity.tables import (
    CONSTANT,
    IN_WORDS,
    PanelResults,
    answers,
    interval,
    mean,
    orders,
    short,
    ties_cells,
    turns,
    variants_cells,
    words,
)
from common.evaluation.sensitivity.variants import OWN_RULE, K
from common.reporting.extra_tables import Table
from common.utils.terminal import aligned

WIDTH = 80


def terminal(sittings: list[PanelResults], dataset: str, absent: list[str]) -> str:
    """Everything within the width of a terminal."""
    lines = [""]
    for sitting in sittings:
        lines += _titled(
            f"{dataset} / {sitting.protocol}: NDCG@{K} before each judge", variants_cells(sitting, "ndcg", short)
        )
        lines += _titled(
            f"{dataset} / {sitting.protocol}: NDCG@{K} by the order of equal scores",
            ties_cells(sitting, "all"),
            texts=1,
        )
    lines += _paragraph(LEGEND)
    found = list(turns(sittings))
    for turn in found:
        if turn.flips:
            lines += ["", f"change places: {turn.first} -> {turn.second}"]
            cells = [
                [
                    f"{flip.better} > {flip.worse}",
                    f"{flip.first.mean:+.4f}",
                    f"{flip.second.mean:+.4f}",
                    "sure" if flip.sure else "within chance",
                ]
                for flip in turn.flips
            ]
            lines += [f"  {line}" for line in aligned(cells, texts=1)]
    if not any(turn.flips for turn in found):
        lines += ["", "No two models change places."]
    for sentence in [*absent, *answers(sittings)]:
        lines += ["", *_paragraph(sentence)]
    return "\n".join(lines)


LEGEND = (
    f"all: the whole catalogue ranked (Encore's rule); 99u, 99p: each hidden item among 99 uniform or popular "
    f"negatives; one: one hidden item of each user, the others taken out; tied: hidden items whose score another item "
    f"has too; {CONSTANT}: every score the same."
)


def _titled(title: str, cells: list[list[str]], texts: int = 1) -> list[str]:
    rows = aligned(cells, texts)
    rule = "-" * len(rows[0])
    return [title, rule, rows[0], rule, *rows[1:], rule, ""]


def _paragraph(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def _answer_block(sittings: list[PanelResults], absent: list[str]) -> str:
    return "".join(f"- {sentence}\n" for sentence in answers(sittings))


def _judges_block(metric: str) -> Callable[[list[PanelResults], list[str]], str]:
    def block(sittings: list[PanelResults], absent: list[str]) -> str:
        tables = []
        for sitting in sittings:
            header, *rows = variants_cells(sitting, metric, words)
            tables.append(f"**`{sitting.protocol}`**\n\n{Table(header, rows, texts=1).markdown()}")
        return "\n".join(tables)

    return block


def _ties_block(sittings: list[PanelResults], absent: list[str]) -> str:
    tables = []
    for sitting in sittings:
        for candidates in ("all", "uniform"):
            header, *rows = ties_cells(sitting, candidates)
            tables.append(
                f"**`{sitting.protocol}`, {IN_WORDS[candidates]}**\n\n{Table(header, rows, texts=1).markdown()}"
            )
    return "\n".join(tables)


def _order_block(sittings: list[PanelResults], absent: list[str]) -> str:
    own = {sitting.protocol: sitting.means(OWN_RULE) for sitting in sittings}
    rows = []
    for name, means in orders(sittings):
        taus = [kendall_tau(of, means) for of in own.values()]
        best = sorted(means, key=lambda model: -means[model])
        rows.append([name, " > ".join(best), *("-" if np.isnan(tau) else f"{tau:+.2f}" for tau in taus)])
    return Table(["Judge", "Order", *(f"tau with {name}, all items" for name in own)], rows, texts=2).markdown()


def _flips_block(sittings: list[PanelResults], absent: list[str]) -> str:
    rows = [
        [
            f"{flip.better} > {flip.worse}",
            turn.first,
            turn.second,
            interval(flip.first),
            interval(flip.second),
            "yes" if flip.sure else "no",
        ]
        for turn in turns(sittings)
        for flip in turn.flips
    ]
    header = ["A > B", "before judge 1", "B > A before judge 2", "A - B, judge 1", "A - B, judge 2", "sure"]
    return Table(header, rows, texts=3).markdown() if rows else "No two models change places.\n"


def _absent_block(sittings: list[PanelResults], absent: list[str]) -> str:
    return "".join(f"- {sentence}\n" for sentence in absent) or "Every model was there on every protocol.\n"


BLOCKS = {
    "answer": _answer_block,
    "judges": _judges_block("ndcg"),
    "hits": _judges_block("hr"),
    "ties": _ties_block,
    "order": _order_block,
    "flips": _flips_block,
    "absent": _absent_block,
}
"""Kind of a page's block -> what fills it."""


def as_json(sittings: list[PanelResults], dataset: str, absent: list[str]) -> dict[str, Any]:
    """Every figure, for programs."""
    values = [
        {
            "protocol": s.protocol,
            "model": model,
            "hidden": judge.hidden,
            "candidates": judge.candidates,
            "ties": judge.ties,
            f"ndcg_{K}": mean(v.ndcg[judge]),
            f"hr_{K}": mean(v.hr[judge]),
            "tied": v.tied,
        }
        for s in sittings
        for model, v in {**s.verdicts, CONSTANT: s.constant}.items()
        for judge in v.ndcg
    ]
    changed = [
        {
            "better": flip.better,
            "worse": flip.worse,
            "first": turn.first,
            "second": turn.second,
            "sure": flip.sure,
            "first_difference": vars(flip.first),
            "second_difference": vars(flip.second),
        }
        for turn in turns(sittings)
        for flip in turn.flips
    ]
    return {"dataset": dataset, "values": values, "flips": changed, "absent": absent}
