"""The sensitivity analysis, laid out: for a terminal, for the blocks of a page, as JSON."""

import textwrap
from collections.abc import Callable
from typing import Any

import numpy as np

from common.evaluation.registry import label
from common.evaluation.sensitivity.agreement import Flip, kendall_tau
from common.evaluation.sensitivity.tables import (
    CONSTANT,
    IN_WORDS,
    PanelResults,
    Turn,
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
from common.evaluation.sensitivity.variants import OWN_RULE, K, Variant, VariantRanks
from common.reporting.extra_tables import Table
from common.utils.terminal import aligned

WIDTH = 80
SURE = {True: "sure", False: "within chance"}


def terminal(panels: list[PanelResults], dataset: str, absent: list[str]) -> str:
    """Everything within the width of a terminal."""
    lines = [""]
    for panel in panels:
        title = f"{dataset} / {panel.protocol}: {label(f'ndcg_{K}')}"
        lines += _titled(f"{title} under each variant", variants_cells(panel, "ndcg", short))
        lines += _titled(f"{title} by the order of equal scores", ties_cells(panel, "all"))
    lines += _paragraph(LEGEND)
    lines += _changes(panels) or ["", "No two models change places."]
    for sentence in [*absent, *answers(panels)]:
        lines += ["", *_paragraph(sentence)]
    return "\n".join(lines)


LEGEND = (
    f"all: the whole catalogue ranked (Encore's rule); 99u, 99p: each held-out item among 99 uniform or popular "
    f"negatives; one: one held-out item of each user, the others taken out; tied: held-out items whose score another "
    f"item has too; {CONSTANT}: every score the same."
)


def _changes(panels: list[PanelResults]) -> list[str]:
    """The pairs of models that change places between two variants, and whether that is beyond chance."""
    lines = []
    for turn in (turn for turn in turns(panels) if turn.flips):
        lines += ["", f"change places: {turn.first} -> {turn.second}"]
        cells = [
            [f"{flip.better} > {flip.worse}", f"{flip.first.mean:+.4f}", f"{flip.second.mean:+.4f}", SURE[flip.sure]]
            for flip in turn.flips
        ]
        lines += [f"  {line}" for line in aligned(cells, texts=1)]
    return lines


def _titled(title: str, cells: list[list[str]], texts: int = 1) -> list[str]:
    rows = aligned(cells, texts)
    rule = "-" * len(rows[0])
    return [title, rule, rows[0], rule, *rows[1:], rule, ""]


def _paragraph(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def _answer_block(panels: list[PanelResults], absent: list[str]) -> str:
    return "".join(f"- {sentence}\n" for sentence in answers(panels))


def _variants_block(metric: str) -> Callable[[list[PanelResults], list[str]], str]:
    def block(panels: list[PanelResults], absent: list[str]) -> str:
        tables = []
        for panel in panels:
            header, *rows = variants_cells(panel, metric, words)
            tables.append(f"**`{panel.protocol}`**\n\n{Table(header, rows, texts=1).markdown()}")
        return "\n".join(tables)

    return block


def _ties_block(panels: list[PanelResults], absent: list[str]) -> str:
    tables = []
    for panel in panels:
        for candidates in ("all", "uniform"):
            header, *rows = ties_cells(panel, candidates)
            tables.append(
                f"**`{panel.protocol}`, {IN_WORDS[candidates]}**\n\n{Table(header, rows, texts=1).markdown()}"
            )
    return "\n".join(tables)


def _order_block(panels: list[PanelResults], absent: list[str]) -> str:
    own = {panel.protocol: panel.means(OWN_RULE) for panel in panels}
    rows = []
    for name, means in orders(panels):
        taus = [kendall_tau(of, means) for of in own.values()]
        best = sorted(means, key=lambda model: -means[model])
        rows.append([name, " > ".join(best), *("-" if np.isnan(tau) else f"{tau:+.2f}" for tau in taus)])
    return Table(["Variant", "Order", *(f"tau with {name}, all items" for name in own)], rows, texts=2).markdown()


def _flips_block(panels: list[PanelResults], absent: list[str]) -> str:
    rows = [
        [
            f"{flip.better} > {flip.worse}",
            turn.first,
            turn.second,
            interval(flip.first),
            interval(flip.second),
            "yes" if flip.sure else "no",
        ]
        for turn in turns(panels)
        for flip in turn.flips
    ]
    header = ["A > B", "under variant 1", "B > A under variant 2", "A - B, variant 1", "A - B, variant 2", "sure"]
    return Table(header, rows, texts=3).markdown() if rows else "No two models change places.\n"


def _absent_block(panels: list[PanelResults], absent: list[str]) -> str:
    return "".join(f"- {sentence}\n" for sentence in absent) or "Every model was there on every protocol.\n"


BLOCKS = {
    "answer": _answer_block,
    "judges": _variants_block("ndcg"),
    "hits": _variants_block("hr"),
    "ties": _ties_block,
    "order": _order_block,
    "flips": _flips_block,
    "absent": _absent_block,
}
"""Kind of a page's block -> what fills it."""


def as_json(panels: list[PanelResults], dataset: str, absent: list[str]) -> dict[str, Any]:
    """Every figure, for programs."""
    values = [
        {"protocol": panel.protocol, "model": model} | _value_as_json(found, variant)
        for panel in panels
        for model, found in {**panel.models, CONSTANT: panel.constant}.items()
        for variant in found.ndcg
    ]
    changed = [_flip_as_json(turn, flip) for turn in turns(panels) for flip in turn.flips]
    return {"dataset": dataset, "values": values, "flips": changed, "absent": absent}


def _value_as_json(found: VariantRanks, variant: Variant) -> dict[str, Any]:
    settings = {"hidden": variant.held_out, "candidates": variant.candidates, "ties": variant.ties}
    return settings | {f"ndcg_{K}": mean(found.ndcg[variant]), f"hr_{K}": mean(found.hr[variant]), "tied": found.tied}


def _flip_as_json(turn: Turn, flip: Flip) -> dict[str, Any]:
    models = {"better": flip.better, "worse": flip.worse, "first": turn.first, "second": turn.second}
    differences = {"first_difference": vars(flip.first), "second_difference": vars(flip.second)}
    return models | {"sure": flip.sure} | differences
