"""What the judges of the X-ray said: cells of tables, models that change places, sentences."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from common.evaluation.sensitivity.agreement import Difference, Flip, flips
from common.evaluation.sensitivity.variants import ORDERS, OWN_RULE, TIES, VARIANTS, K, Variant, VariantRanks

KINDS = {"all": "all", "uniform": "99u", "popular": "99p"}
IN_WORDS = {"all": "all items", "uniform": "99 uniform", "popular": "99 popular"}
TIE_WORDS = {"hash": "by hash", "id": "by id", "favour": "target first", "against": "target last"}
CONSTANT = "(constant)"
"""The witness that gives every item the same score."""
Averages = dict[str, float]


@dataclass(frozen=True)
class PanelResults:
    """Verdicts on the models of one protocol, and on the witness that knows nothing."""

    protocol: str
    verdicts: Mapping[str, VariantRanks]
    constant: VariantRanks

    @property
    def judges(self) -> list[Variant]:
        """The judges that differ in what is hidden and in the candidates, as far as they differ here."""
        return [judge for judge in VARIANTS if judge in self.constant.ndcg]

    def per_user(self, judge: Variant) -> dict[str, np.ndarray]:
        """NDCG of each model's users before a judge."""
        return {model: verdicts.ndcg[judge] for model, verdicts in self.verdicts.items()}

    def means(self, judge: Variant, metric: str = "ndcg") -> Averages:
        """Mean of a metric over users, by model."""
        return {model: mean(getattr(verdicts, metric)[judge]) for model, verdicts in self.verdicts.items()}


@dataclass(frozen=True)
class Turn:
    """Pairs of models that change places between two judges, named in words."""

    first: str
    second: str
    flips: list[Flip]


def mean(values: np.ndarray) -> float:
    """Mean over the users that have a value, NaN where none has."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def short(judge: Variant) -> str:
    """A judge's name in a narrow table: all, 99u, 99p, and the same with `one` where one item is left out."""
    kind = KINDS[judge.candidates]
    if judge.ties != "hash":
        return f"{kind}, {TIE_WORDS[judge.ties]}"
    return kind if judge.hidden == "every" else "one" if judge.candidates == "all" else f"one {kind}"


def words(judge: Variant) -> str:
    """A judge's name on a page."""
    name = ("one left out, " if judge.hidden == "one" else "") + IN_WORDS[judge.candidates]
    return name if judge.ties == "hash" else f"{name}, ties {TIE_WORDS[judge.ties]}"


def variants_cells(sitting: PanelResults, metric: str, name: Callable[[Variant], str]) -> list[list[str]]:
    """Header and a row per model: the metric before every judge."""
    rows = [
        [model] + [figure(mean(getattr(v, metric)[judge])) for judge in sitting.judges]
        for model, v in sitting.verdicts.items()
    ]
    return [["Model", *map(name, sitting.judges)], *rows]


def ties_cells(sitting: PanelResults, candidates: str) -> list[list[str]]:
    """Header and a row per model and for the witness: NDCG under every order of equal scores."""
    rows = []
    for model, verdicts in {**sitting.verdicts, CONSTANT: sitting.constant}.items():
        values = [figure(mean(verdicts.ndcg[Variant("every", candidates, ties)])) for ties in ORDERS]
        rows.append([model, f"{verdicts.tied:.1%}", *values])
    return [["Model", "tied", *(TIE_WORDS[ties] for ties in ORDERS)], *rows]


def turns(sittings: list[PanelResults]) -> Iterator[Turn]:
    """Where models change places: between Encore's own rule and each other judge of a protocol, between orders of equal
    scores among the same candidates, and between Encore's own rule on two protocols."""
    for sitting in sittings:
        pairs = [(OWN_RULE, judge) for judge in sitting.judges if judge != OWN_RULE]
        pairs += [(replace(judge, ties="hash"), judge) for judge in TIES if judge.ties != "hash"]
        for one, other in pairs:
            found = flips(sitting.per_user(one), sitting.per_user(other))
            yield Turn(f"{sitting.protocol}, {words(one)}", f"{sitting.protocol}, {words(other)}", found)
    for here, there in combinations(sittings, 2):
        found = flips(here.per_user(OWN_RULE), there.per_user(OWN_RULE))
        yield Turn(f"{here.protocol}, {words(OWN_RULE)}", f"{there.protocol}, {words(OWN_RULE)}", found)


def orders(sittings: list[PanelResults]) -> list[tuple[str, Averages]]:
    """Every judge in words, with its mean NDCG of each model."""
    return [(f"{s.protocol}, {words(judge)}", s.means(judge)) for s in sittings for judge in s.judges]


def answers(sittings: list[PanelResults]) -> list[str]:
    """How far one and the same trained model moves on each protocol, and one family over all of them, in sentences."""
    sentences = []
    for sitting in sittings:
        spans = [
            _span(model, [(words(j), sitting.means(j)[model]) for j in sitting.judges]) for model in sitting.verdicts
        ]
        _, model, low, high = max(spans)
        sentences.append(
            f"{sitting.protocol}: one and the same trained {model} has NDCG@{K} {low[1]:.4f} ({low[0]}) "
            f"and {high[1]:.4f} ({high[0]})."
        )
    everywhere = [model for model in sittings[0].verdicts if all(model in s.verdicts for s in sittings)]
    if len(sittings) > 1 and everywhere:
        found = orders(sittings)
        _, model, low, high = max(_span(m, [(name, means[m]) for name, means in found]) for m in everywhere)
        sentences.append(
            f"Over all protocols: {model} goes from {low[1]:.4f} ({low[0]}) to {high[1]:.4f} ({high[0]}), "
            "trained anew on each protocol."
        )
    return [*sentences, _present(sittings)]


def _present(sittings: list[PanelResults]) -> str:
    """What the order of equal scores gives to a witness that knows nothing, where ids give most."""
    earned = [
        (mean(sitting.constant.ndcg[by_id]), mean(sitting.constant.ndcg[replace(by_id, ties="hash")]), place, by_id)
        for place, sitting in enumerate(sittings)
        for by_id in TIES
        if by_id.ties == "id"
    ]
    most, by_hash, place, judge = max(earned)
    where = f"{sittings[place].protocol}, {words(replace(judge, ties='hash'))}"
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
