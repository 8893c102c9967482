"""What the variants of the protocol give: cells of tables, models that change places, sentences."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import pandas as pd

from common.evaluation.sensitivity.agreement import Difference, Flip, flips, kendall_tau
from common.evaluation.sensitivity.variants import LIBRARIES, ORDERS, OWN_RULE, TIES, VARIANTS, K, Variant, VariantRanks

KINDS = {"all": "all", "uniform": "99u", "popular": "99p", "recbole": "RB", "rectools": "RT"}
IN_WORDS = {"all": "all items", "uniform": "99 uniform", "popular": "99 popular"}
IN_WORDS |= {"recbole": "as RecBole", "rectools": "as RecTools"}
TIE_WORDS = {"hash": "by hash", "id": "by id", "favour": "target first", "against": "target last"}
CONSTANT = "(constant)"
"""The baseline that gives every item the same score."""
Averages = dict[str, float]


@dataclass(frozen=True)
class PanelResults:
    """The models of one protocol under every variant, and the baseline that knows nothing."""

    protocol: str
    models: Mapping[str, VariantRanks]
    constant: VariantRanks

    @property
    def variants(self) -> list[Variant]:
        """Those that differ in what is held out and in the candidates, as far as they differ here."""
        return [variant for variant in VARIANTS if variant in self.constant.ndcg]

    def per_user(self, variant: Variant) -> dict[str, np.ndarray]:
        """NDCG of each model's users under a variant."""
        return {model: found.ndcg[variant] for model, found in self.models.items()}

    def means(self, variant: Variant, metric: str = "ndcg") -> Averages:
        """Mean of a metric over users, by model."""
        return {model: mean(getattr(found, metric)[variant]) for model, found in self.models.items()}


@dataclass(frozen=True)
class Turn:
    """Pairs of models that change places between two variants, named in words."""

    first: str
    second: str
    flips: list[Flip]


def mean(values: np.ndarray) -> float:
    """Mean over the users that have a value, NaN where none has."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def short(variant: Variant) -> str:
    """A variant's name in a narrow table: all, 99u, 99p, and the same with `one` where one item is left out."""
    kind = KINDS[variant.candidates]
    if variant.ties != "hash":
        return f"{kind}, {TIE_WORDS[variant.ties]}"
    if variant.candidates in LIBRARIES:
        return kind
    return kind if variant.held_out == "every" else "one" if variant.candidates == "all" else f"one {kind}"


def words(variant: Variant) -> str:
    """A variant's name on a page."""
    name = ("one left out, " if variant.held_out == "one" else "") + IN_WORDS[variant.candidates]
    return name if variant.ties == "hash" else f"{name}, ties {TIE_WORDS[variant.ties]}"


def variants_cells(panel: PanelResults, metric: str, name: Callable[[Variant], str]) -> list[list[str]]:
    """Header and a row per model: the metric under every variant."""
    rows = [
        [model] + [figure(mean(getattr(v, metric)[variant])) for variant in panel.variants]
        for model, v in panel.models.items()
    ]
    return [["Model", *map(name, panel.variants)], *rows]


def ties_cells(panel: PanelResults, candidates: str) -> list[list[str]]:
    """Header and a row per model and for the baseline: NDCG under every order of equal scores."""
    rows = []
    for model, found in {**panel.models, CONSTANT: panel.constant}.items():
        values = [figure(mean(found.ndcg[Variant("every", candidates, ties)])) for ties in ORDERS]
        rows.append([model, f"{found.tied:.1%}", *values])
    return [["Model", "tied", *(TIE_WORDS[ties] for ties in ORDERS)], *rows]


def turns(panels: list[PanelResults]) -> Iterator[Turn]:
    """Where models change places: between Encore's own rule and each other variant of a protocol, between orders of
    equal scores among the same candidates, and between Encore's own rule on two protocols."""
    for panel in panels:
        pairs = [(OWN_RULE, variant) for variant in panel.variants if variant != OWN_RULE]
        pairs += [(replace(variant, ties="hash"), variant) for variant in TIES if variant.ties != "hash"]
        for one, other in pairs:
            found = flips(panel.per_user(one), panel.per_user(other))
            yield Turn(f"{panel.protocol}, {words(one)}", f"{panel.protocol}, {words(other)}", found)
    for here, there in combinations(panels, 2):
        found = flips(here.per_user(OWN_RULE), there.per_user(OWN_RULE))
        yield Turn(f"{here.protocol}, {words(OWN_RULE)}", f"{there.protocol}, {words(OWN_RULE)}", found)


def orders(panels: list[PanelResults]) -> list[tuple[str, Averages]]:
    """Every variant in words, with its mean NDCG of each model."""
    return [(f"{s.protocol}, {words(variant)}", s.means(variant)) for s in panels for variant in s.variants]


def means_table(panels: list[PanelResults]) -> pd.DataFrame:
    """Mean NDCG of each model (columns) under every variant of every protocol (rows), NaN where it is absent."""
    found = orders(panels)
    return pd.DataFrame([means for _, means in found], index=[name for name, _ in found])


def agreement(panels: list[PanelResults]) -> np.ndarray:
    """Kendall's tau between the orders of every two rows of `means_table`, float64 (rows, rows)."""
    means = [of for _, of in orders(panels)]
    return np.array([[kendall_tau(one, other) for other in means] for one in means])


def answers(panels: list[PanelResults]) -> list[str]:
    """How far one and the same trained model moves on each protocol, and one family over all of them, in sentences."""
    sentences = []
    for panel in panels:
        spans = [_span(model, [(words(j), panel.means(j)[model]) for j in panel.variants]) for model in panel.models]
        _, model, low, high = max(spans)
        sentences.append(
            f"{panel.protocol}: one and the same trained {model} has NDCG@{K} {low[1]:.4f} ({low[0]}) "
            f"and {high[1]:.4f} ({high[0]})."
        )
    everywhere = [model for model in panels[0].models if all(model in s.models for s in panels)]
    if len(panels) > 1 and everywhere:
        found = orders(panels)
        _, model, low, high = max(_span(m, [(name, means[m]) for name, means in found]) for m in everywhere)
        sentences.append(
            f"Over all protocols: {model} goes from {low[1]:.4f} ({low[0]}) to {high[1]:.4f} ({high[0]}), "
            "trained anew on each protocol."
        )
    return [*sentences, _present(panels)]


def _present(panels: list[PanelResults]) -> str:
    """What the order of equal scores gives to a baseline that knows nothing, where ids give most."""
    earned = [
        (mean(panel.constant.ndcg[by_id]), mean(panel.constant.ndcg[replace(by_id, ties="hash")]), place, by_id)
        for place, panel in enumerate(panels)
        for by_id in TIES
        if by_id.ties == "id"
    ]
    most, by_hash, place, variant = max(earned)
    where = f"{panels[place].protocol}, {words(replace(variant, ties='hash'))}"
    return (
        f"A constant score, which knows nothing, has {by_hash:.4f} with ties by hash, {most:.4f} by id and 1 with the "
        f"target first ({where})."
    )


def _span(model: str, values: list[tuple[str, float]]) -> tuple[float, str, tuple[str, float], tuple[str, float]]:
    known = [value for value in values if not np.isnan(value[1])]
    low, high = min(known, key=lambda value: value[1]), max(known, key=lambda value: value[1])
    return high[1] - low[1], model, low, high


def figure(value: float) -> str:
    """A metric in four places, "-" where there is none."""
    return "-" if np.isnan(value) else f"{value:.4f}"


def interval(difference: Difference) -> str:
    """A difference and its interval: `+0.0102 (+0.0080 to +0.0124)`."""
    return f"{difference.mean:+.4f} ({difference.low:+.4f} to {difference.high:+.4f})"
