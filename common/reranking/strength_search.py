"""Re-ranking methods, and their trade-off weights (strengths) chosen on validation."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from common.evaluation.segments import GROUPS, least_of_groups
from common.experiments.presets import preset_label
from common.reranking.by_history import ByHistory, segments_of
from common.reranking.item_facts import ItemFacts, Reranking
from common.reranking.stored_lists import StoredLists
from common.utils.errors import UserError

log = logging.getLogger(__name__)
LOSS = 0.05
"""Share of validation's NDCG@10 that a chosen strength may cost, unless another is given."""


@dataclass(frozen=True)
class Method:
    """A way of re-ranking: the settings its strength goes into, the strengths tried in rising order, the usual one."""

    settings: tuple[str, ...]
    strengths: tuple[float, ...]
    classic: float | None = None

    def at(self, strength: float, beside: Reranking) -> Reranking:
        """The settings at one strength, in the settings' own types; two shares have half of it each."""
        types = {name: type(getattr(Reranking(), name)) for name in self.settings}
        return replace(beside, **{name: kind(strength / len(types)) for name, kind in types.items()})


SHARES = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)
WEIGHTS = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0)
METHODS = {
    "mmr": Method(("diversity",), SHARES, classic=0.3),
    "calibrated": Method(("calibration",), SHARES, classic=0.5),
    "mmr_calibrated": Method(("diversity", "calibration"), SHARES),
    "novelty": Method(("novelty",), WEIGHTS),
    "less_popular": Method(("unpopularity",), WEIGHTS),
    "per_genre": Method(("per_genre",), (10, 7, 5, 4, 3)),
    "balanced": Method(("balance",), (1,)),
}
"""Name -> method. `pipeline` stands for the --pipeline flags and has no strength of its own."""
PIPELINE = "pipeline"


@dataclass(frozen=True)
class StrengthSearch:
    """Which strengths are tried, and how one is chosen.

    preset: `tuned` chooses on validation, `classic` takes the usual one; strength: a fixed one in place of both; loss:
    share of NDCG@10 that the chosen one may cost; beside: settings that every method has besides its own; by_history:
    one is chosen for each third of the users by the length of their history.
    """

    preset: str = "tuned"
    strength: float | None = None
    loss: float = LOSS
    beside: Reranking = field(default_factory=Reranking)
    by_history: bool = False

    def settings_of(self, name: str, strength: float) -> Reranking:
        """The settings of a method at one strength."""
        return self.beside if name == PIPELINE else METHODS[name].at(strength, self.beside)

    def strengths_of(self, name: str) -> tuple[float, ...]:
        """The strengths to try of a method, in rising order; of fixed ones that alone."""
        if name == PIPELINE:
            return (0,)
        method = METHODS[name]
        if self.strength is not None:
            return (self.strength,)
        if self.preset == "classic":
            return (method.classic or 0,)
        settings = [self.settings_of(name, strength) for strength in method.strengths]
        fits = [of.diversity + of.calibration <= 1 for of in settings]  # beside the shares of `beside`
        return tuple(strength for strength, fit in zip(method.strengths, fits, strict=True) if fit) or method.strengths

    def check(self, methods: Iterable[str], facts: ItemFacts) -> None:
        """Raise a UserError for the first strength that is out of range or needs what the data lacks."""
        self.beside.check(facts, PIPELINE)
        for name in methods:
            if found := self._lacking(name, facts):
                raise UserError(f"--methods {name}: the data has no {found}; leave it out")
            for strength in self.strengths_of(name):
                self.settings_of(name, strength).check(facts, PIPELINE)

    def possible(self, facts: ItemFacts) -> list[str]:
        """All methods but those that need what the data lack, which are named."""
        for name in METHODS:
            if found := self._lacking(name, facts):
                log.info("%s is passed over: the data has no %s", name, found)
        return [name for name in METHODS if not self._lacking(name, facts)]

    def _lacking(self, name: str, facts: ItemFacts) -> str:
        found = self.settings_of(name, self.strengths_of(name)[-1]).lacking(facts)
        return found[1] if found else ""

    def run(self, lists: StoredLists, name: str, ndcg: float) -> list[dict[str, Any]]:
        """A row per strength with its metrics on validation: method, strength, chosen, and all metrics.

        ndcg: NDCG@10 of the lists as they are.
        """
        tried: list[dict[str, Any]] = [
            {"method": name, "strength": strength, **lists.metrics(self.settings_of(name, strength))}
            for strength in self.strengths_of(name)
        ]
        chosen = choose_strength(tried, ndcg, self.loss)
        return [row | {"chosen": row is chosen} for row in tried]

    def run_by_history(self, lists: StoredLists, name: str) -> tuple[list[dict[str, Any]], ByHistory]:
        """The rows of `run`, and the settings of each segment of users, chosen on validation users of that segment.

        A segment is a third of the validation users by the length of their visible history, or more where many have the
        same; `chosen` marks every strength that some segment has.
        """
        lengths = lists.evaluators["valid"].given.lengths
        least = (0, *(int(n) for n in least_of_groups(lengths, GROUPS)[1:]))
        base = lists.evaluated(Reranking()).per_user["ndcg_10"].to_numpy()
        found = [(s, lists.evaluated(self.settings_of(name, s))) for s in self.strengths_of(name)]
        chosen = []
        for number, rows in enumerate(segments_of(lengths, least)):
            tried = [{"strength": s, "ndcg_10": float(e.per_user["ndcg_10"].to_numpy()[rows].mean())} for s, e in found]
            best, before = choose_strength(tried, float(base[rows].mean()), self.loss), float(base[rows].mean())
            chosen.append(best["strength"])
            told = f"histories of {least[number]} or more" if number else "the shortest histories"
            figures = len(rows), best["strength"], before, best["ndcg_10"]
            log.info("%s, %s: %d users, strength %g, NDCG@10 %.4f -> %.4f", name, told, *figures)
        settings = ByHistory(least, tuple(self.settings_of(name, strength) for strength in chosen))
        return [{"method": name, "strength": s, **e.metrics, "chosen": s in chosen} for s, e in found], settings

    def preset_of(self, lists: StoredLists, settings: Reranking | ByHistory) -> str:
        """Name of the preset folder: that of the strengths, after the run's own where that is not `tuned`, and with a
        hash of the settings where they are not the default."""
        own = lists.config["preset"]
        preset = self.preset if own == "tuned" else f"{own}-{self.preset}"
        preset += "-by-history" * self.by_history
        plain = self == StrengthSearch(self.preset, by_history=self.by_history)
        return preset if plain else preset_label(preset, settings, None)


def choose_strength(tried: Sequence[dict[str, Any]], ndcg: float, loss: float) -> dict[str, Any]:
    """The row of the largest strength that keeps NDCG@10 at (1 - loss) that of the run or more; else the first.

    >>> found = [{"strength": 0.1, "ndcg_10": 0.20}, {"strength": 0.3, "ndcg_10": 0.18}]
    >>> choose_strength(found, 0.2, loss=0.05)["strength"], choose_strength(found, 0.2, loss=0.1)["strength"]
    (0.1, 0.3)
    """
    within = [row for row in tried if row["ndcg_10"] >= (1 - loss) * ndcg - 1e-12]
    return within[-1] if within else tried[0]
