"""The sensitivity analysis, laid out: for a terminal, for the blocks of a page, as JSON."""

from collections.abc import Callable, Iterable
from itertools import product
from typing import Any

import numpy as np

from common.evaluation.registry import label
from common.evaluation.sensitivity import tables
from common.evaluation.sensitivity.agreement import Flip, kendall_tau
from common.evaluation.sensitivity.tables import PanelResults, Turn
from common.evaluation.sensitivity.variants import OWN_RULE, K, Variant, VariantRanks
from common.reporting.markdown_blocks import Table
from common.utils.terminal import aligned, paragraph, titled

SURE = {True: "sure", False: "within chance"}


def terminal(panels: list[PanelResults], dataset: str, absent: list[str]) -> str:
    """Everything within the width of a terminal."""
    lines = [""]
    for panel in panels:
        title = f"{dataset} / {panel.protocol}: {label(f'ndcg_{K}')}"
        lines += [*titled(f"{title} under each variant", tables.variants_cells(panel, "ndcg", tables.short)), ""]
        lines += [*titled(f"{title} by the order of equal scores", tables.ties_cells(panel, "all")), ""]
    lines += paragraph(LEGEND)
    lines += _changes(panels) or ["", "No two models change places."]
    for sentence in [*absent, *tables.answers(panels)]:
        lines += ["", *paragraph(sentence)]
    return "\n".join(lines)


LEGEND = (
    f"all: the whole catalogue ranked (Encore's rule); 99u, 99p: each held-out item among 99 uniform or popular "
    f"negatives; one: one held-out item of each user, the others taken out; RB, RT: the same as RecBole and "
    f"RecTools evaluate a sequential model, with the history ranked too, and without items new to training; tied: "
    f"held-out items whose score another item has too; {tables.CONSTANT}: every score the same."
)


def _changes(panels: list[PanelResults]) -> list[str]:
    """The pairs of models that change places between two variants, and whether that is beyond chance."""
    lines = []
    for turn in (turn for turn in tables.turns(panels) if turn.flips):
        lines += ["", f"change places: {turn.first} -> {turn.second}"]
        cells = [
            [f"{flip.better} > {flip.worse}", f"{flip.first.mean:+.4f}", f"{flip.second.mean:+.4f}", SURE[flip.sure]]
            for flip in turn.flips
        ]
        lines += [f"  {line}" for line in aligned(cells, texts=1)]
    return lines


def _sentences(sentences: list[str]) -> str:
    return "".join(f"- {sentence}\n" for sentence in sentences)


def _variants(panels: list[PanelResults], metric: str) -> str:
    return _titled_tables(
        (f"`{panel.protocol}`", tables.variants_cells(panel, metric, tables.words)) for panel in panels
    )


def _ties(panels: list[PanelResults]) -> str:
    each = product(panels, ("all", "uniform"))
    return _titled_tables(
        (f"`{panel.protocol}`, {tables.IN_WORDS[among]}", tables.ties_cells(panel, among)) for panel, among in each
    )


def _titled_tables(titled_cells: Iterable[tuple[str, list[list[str]]]]) -> str:
    return "\n".join(
        f"**{title}**\n\n{Table(header, rows, texts=1).markdown()}" for title, (header, *rows) in titled_cells
    )


def _order(panels: list[PanelResults]) -> str:
    own = {panel.protocol: panel.means(OWN_RULE) for panel in panels}
    rows = []
    for name, means in tables.orders(panels):
        taus = [kendall_tau(of, means) for of in own.values()]
        best = sorted(means, key=lambda model: -means[model])
        rows.append([name, " > ".join(best), *("-" if np.isnan(tau) else f"{tau:+.2f}" for tau in taus)])
    return Table(["Variant", "Order", *(f"tau with {name}, all items" for name in own)], rows, texts=2).markdown()


def _flips(panels: list[PanelResults]) -> str:
    rows = [
        [
            f"{flip.better} > {flip.worse}",
            turn.first,
            turn.second,
            tables.interval(flip.first),
            tables.interval(flip.second),
            "yes" if flip.sure else "no",
        ]
        for turn in tables.turns(panels)
        for flip in turn.flips
    ]
    header = ["A > B", "under variant 1", "B > A under variant 2", "A - B, variant 1", "A - B, variant 2", "sure"]
    return Table(header, rows, texts=3).markdown() if rows else "No two models change places.\n"


BLOCKS: dict[str, Callable[[list[PanelResults], list[str]], str]] = {
    "answer": lambda panels, _: _sentences(tables.answers(panels)),
    "judges": lambda panels, _: _variants(panels, "ndcg"),
    "hits": lambda panels, _: _variants(panels, "hr"),
    "ties": lambda panels, _: _ties(panels),
    "order": lambda panels, _: _order(panels),
    "flips": lambda panels, _: _flips(panels),
    "absent": lambda _, absent: _sentences(absent) or "Every model was there on every protocol.\n",
}
"""Kind of a page's block -> what fills it, of panels and of sentences about absent models."""


def as_json(panels: list[PanelResults], dataset: str, absent: list[str]) -> dict[str, Any]:
    """Every figure, for programs."""
    values = [
        {"protocol": panel.protocol, "model": model} | _value_as_json(found, variant)
        for panel in panels
        for model, found in {**panel.models, tables.CONSTANT: panel.constant}.items()
        for variant in found.ndcg
    ]
    changed = [_flip_as_json(turn, flip) for turn in tables.turns(panels) for flip in turn.flips]
    return {"dataset": dataset, "values": values, "flips": changed, "absent": absent}


def _value_as_json(found: VariantRanks, variant: Variant) -> dict[str, Any]:
    settings = {"hidden": variant.held_out, "candidates": variant.candidates, "ties": variant.ties}
    means = {name: tables.mean(of[variant]) for name, of in ((f"ndcg_{K}", found.ndcg), (f"hr_{K}", found.hr))}
    return settings | means | {"tied": found.tied}


def _flip_as_json(turn: Turn, flip: Flip) -> dict[str, Any]:
    models = {"better": flip.better, "worse": flip.worse, "first": turn.first, "second": turn.second}
    differences = {"first_difference": vars(flip.first), "second_difference": vars(flip.second)}
    return models | {"sure": flip.sure} | differences
