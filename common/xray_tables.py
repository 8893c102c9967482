"""What the judges of the X-ray said, as tables for a terminal and a page, and as JSON."""

import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np

from common.evaluation.agreement import Difference, Flip, flips, kendall_tau
from common.evaluation.leaderboard import aligned
from common.evaluation.xray import JUDGES, ORDERS, OWN_RULE, TIES, Judge, K, Verdicts
from common.more_tables import as_markdown

WIDTH = 80
KINDS = {"all": "all", "uniform": "99u", "popular": "99p"}
IN_WORDS = {"all": "all items", "uniform": "99 uniform", "popular": "99 popular"}
TIE_WORDS = {"hash": "by hash", "id": "by id", "favour": "target first", "against": "target last"}
CONSTANT = "(constant)"
"""The witness that gives every item the same score."""
Averages = dict[str, float]


@dataclass(frozen=True)
class Sitting:
    """Verdicts on the models of one protocol, and on the witness that knows nothing."""

    protocol: str
    verdicts: Mapping[str, Verdicts]
    constant: Verdicts

    @property
    def judges(self) -> list[Judge]:
        """The judges that differ in what is hidden and in the candidates, as far as they differ here."""
        return [judge for judge in JUDGES if judge in self.constant.ndcg]

    def per_user(self, judge: Judge) -> dict[str, np.ndarray]:
        """NDCG of each model's users before a judge."""
        return {model: verdicts.ndcg[judge] for model, verdicts in self.verdicts.items()}

    def means(self, judge: Judge, metric: str = "ndcg") -> Averages:
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


def short(judge: Judge) -> str:
    """A judge's name in a narrow table: all, 99u, 99p, and the same with `one` where one item is left out."""
    kind = KINDS[judge.candidates]
    if judge.ties != "hash":
        return f"{kind}, {TIE_WORDS[judge.ties]}"
    return kind if judge.hidden == "every" else "one" if judge.candidates == "all" else f"one {kind}"


def words(judge: Judge) -> str:
    """A judge's name on a page."""
    name = ("one left out, " if judge.hidden == "one" else "") + IN_WORDS[judge.candidates]
    return name if judge.ties == "hash" else f"{name}, ties {TIE_WORDS[judge.ties]}"


def judges_cells(sitting: Sitting, metric: str, name: Callable[[Judge], str]) -> list[list[str]]:
    """Header and a row per model: the metric before every judge."""
    rows = [
        [model] + [figure(mean(getattr(v, metric)[judge])) for judge in sitting.judges]
        for model, v in sitting.verdicts.items()
    ]
    return [["Model", *map(name, sitting.judges)], *rows]


def ties_cells(sitting: Sitting, candidates: str) -> list[list[str]]:
    """Header and a row per model and for the witness: NDCG under every order of equal scores."""
    rows = []
    for model, verdicts in {**sitting.verdicts, CONSTANT: sitting.constant}.items():
        values = [figure(mean(verdicts.ndcg[Judge("every", candidates, ties)])) for ties in ORDERS]
        rows.append([model, f"{verdicts.tied:.1%}", *values])
    return [["Model", "tied", *(TIE_WORDS[ties] for ties in ORDERS)], *rows]


def turns(sittings: list[Sitting]) -> Iterator[Turn]:
    """Where models change places: between Encore's own rule and each other judge of a protocol, between orders of equal
    scores among the same candidates, and between Encore's own rule on two protocols."""
    for sitting in sittings:
        pairs = [(OWN_RULE, judge) for judge in sitting.judges if judge != OWN_RULE]
        pairs += [(replace(judge, ties="hash"), judge) for judge in TIES if judge.ties != "hash"]
        for one, other in pairs:
            found = flips(sitting.per_user(one), sitting.per_user(other))
            yield Turn(f"{sitting.protocol}, {words(one)}", f"{sitting.protocol}, {words(other)}", found)
    for one, other in combinations(sittings, 2):
        found = flips(one.per_user(OWN_RULE), other.per_user(OWN_RULE))
        yield Turn(f"{one.protocol}, {words(OWN_RULE)}", f"{other.protocol}, {words(OWN_RULE)}", found)


def orders(sittings: list[Sitting]) -> list[tuple[str, Averages]]:
    """Every judge in words, with its mean NDCG of each model."""
    return [(f"{s.protocol}, {words(judge)}", s.means(judge)) for s in sittings for judge in s.judges]


def answers(sittings: list[Sitting]) -> list[str]:
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
    return sentences


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


def terminal(sittings: list[Sitting], dataset: str, absent: list[str]) -> str:
    """Everything within the width of a terminal."""
    lines = [""]
    for sitting in sittings:
        lines += _titled(
            f"{dataset} / {sitting.protocol}: NDCG@{K} before each judge", judges_cells(sitting, "ndcg", short)
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


def _answer_block(sittings: list[Sitting], absent: list[str]) -> str:
    return "".join(f"- {sentence}\n" for sentence in answers(sittings))


def _judges_block(metric: str) -> Callable[[list[Sitting], list[str]], str]:
    def block(sittings: list[Sitting], absent: list[str]) -> str:
        tables = []
        for sitting in sittings:
            header, *rows = judges_cells(sitting, metric, words)
            tables.append(f"**`{sitting.protocol}`**\n\n{as_markdown(header, rows, texts=1)}")
        return "\n".join(tables)

    return block


def _ties_block(sittings: list[Sitting], absent: list[str]) -> str:
    tables = []
    for sitting in sittings:
        for candidates in ("all", "uniform"):
            header, *rows = ties_cells(sitting, candidates)
            tables.append(f"**`{sitting.protocol}`, {IN_WORDS[candidates]}**\n\n{as_markdown(header, rows, texts=1)}")
    return "\n".join(tables)


def _order_block(sittings: list[Sitting], absent: list[str]) -> str:
    own = {sitting.protocol: sitting.means(OWN_RULE) for sitting in sittings}
    rows = []
    for name, means in orders(sittings):
        taus = [kendall_tau(of, means) for of in own.values()]
        best = sorted(means, key=lambda model: -means[model])
        rows.append([name, " > ".join(best), *("-" if np.isnan(tau) else f"{tau:+.2f}" for tau in taus)])
    return as_markdown(["Judge", "Order", *(f"tau with {name}, all items" for name in own)], rows, texts=2)


def _flips_block(sittings: list[Sitting], absent: list[str]) -> str:
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
    header = ["Pair", "leads before", "trails before", "difference there", "difference here", "sure"]
    return as_markdown(header, rows, texts=3) if rows else "No two models change places.\n"


def _absent_block(sittings: list[Sitting], absent: list[str]) -> str:
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


def as_json(sittings: list[Sitting], dataset: str, absent: list[str]) -> dict[str, Any]:
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
