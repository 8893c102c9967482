"""Choosing settings on validation: Optuna over the ranges that a settings class declares, best ones into presets/."""

import dataclasses
import hashlib
import json
import logging
import math
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pandas as pd
from tqdm import tqdm

from common.experiments.presets import read_settings
from common.experiments.study_store import (
    add_finished,
    complete,
    finished,
    held,
    importances,
    open_study,
    prepare,
    take_up,
)
from common.utils import distributed
from common.utils.environment import Seconds
from common.utils.errors import DivergedError, UserError
from common.utils.io import write_text
from common.utils.settings import SearchRange, not_searched, search_ranges

LEAST = 10
"""Trials with a value, of which one may say what matters."""
CPU = "cpu_seconds"
"""What a trial has taken, beside its value in the study."""
log = logging.getLogger(__name__)
Report = Callable[[dict[str, float], int], None]
Score = Callable[[Any, Report | None], float]
"""Settings and a report of each epoch -> NDCG@10 on validation."""


class Found(NamedTuple):
    """What a search has chosen: settings, their NDCG@10 on validation, and of how many trials they are the best."""

    settings: Any
    ndcg: float
    trials: int
    cpu_seconds: float = 0.0
    """What all trials took, where the budget was counted in seconds."""


@dataclass(frozen=True)
class Budget:
    """How long a search goes on: until so many trials are finished or, if it is given, until they have taken so many
    CPU seconds, however many fit.

    to_beat: NDCG@10 without which, after a third of its seconds, a search has no more to hope for and ends.
    """

    trials: int = 0
    cpu_seconds: float = 0.0
    to_beat: float = 0.0

    def is_spent(self, study: Any) -> bool:
        """Whether a study has had what it may take."""
        if not self.cpu_seconds:
            return len(finished(study)) >= self.trials
        spent = cpu_seconds(study)
        return spent >= self.cpu_seconds or (spent >= self.cpu_seconds / 3 and not self._keeps_up(study))

    def _keeps_up(self, study: Any) -> bool:
        return max((trial.value for trial in complete(study)), default=-math.inf) >= self.to_beat


@dataclass(frozen=True)
class Search:
    """A search of one model's settings on one split. `study`: the file that keeps its trials."""

    model: str
    score: Score
    study: Path
    split_sha256: str
    seed: int

    def name(self, start: Any) -> str:
        """Name of the study: one per split, seed and whatever of the settings is not searched, since only values of
        the same sort compare."""
        tried = searchable(type(start))
        fixed = {name: value for name, value in dataclasses.asdict(start).items() if name not in tried}
        mark = hashlib.sha256(json.dumps([fixed, self.seed], sort_keys=True).encode()).hexdigest()[:8]
        return f"{self.model}-{self.split_sha256[:16]}-{mark}"

    def trials(self, start: Any) -> pd.DataFrame:
        """The trials with a value: a column per setting and `ndcg_10`; empty without any."""
        study = open_study(self.study, self.name(start), create=False)
        return pd.DataFrame([trial.params | {"ndcg_10": trial.value} for trial in complete(study)] if study else [])

    def every_trial(self, start: Any) -> pd.DataFrame:
        """All finished trials in their order: trial (from 1), ndcg_10 (missing where one was cut short), cpu_seconds (0
        where it was not noted), and a column per setting."""
        study = open_study(self.study, self.name(start), create=False)
        rows = [
            {"trial": place, "ndcg_10": trial.value if trial.state.name == "COMPLETE" else math.nan}
            | {"cpu_seconds": trial.user_attrs.get(CPU, 0.0)}
            | {name: rounded(value) for name, value in trial.params.items()}
            for place, trial in enumerate(finished(study) if study else [], start=1)
        ]
        return pd.DataFrame(rows)

    def restore(self, start: Any, table: pd.DataFrame) -> None:
        """Begin a study, where there is none, with trials as `every_trial` gives them.

        Raises a ValueError for settings outside the ranges.
        """
        tried = list(searchable(type(start)))
        rows = [row for _, row in table.astype(object).iterrows()]
        with held(self.study):
            study = open_study(self.study, self.name(start))
            if not finished(study):
                trials = [({name: row[name] for name in tried}, row["ndcg_10"], {CPU: row[CPU]}) for row in rows]
                add_finished(study, trials, distributions(start))

    def importance(self, start: Any) -> tuple[dict[str, float], list[float], int] | None:
        """Importance of the settings, the values in order, and how many trials were cut short; None, and a message,
        where there is not enough to tell."""
        study = open_study(self.study, self.name(start), create=False)
        values = [trial.value for trial in complete(study)] if study else []
        if len(values) < LEAST:
            log.info("importance of settings: not drawn from %d trials, it takes %d", len(values), LEAST)
            return None
        if max(values) - min(values) < 1e-9:
            log.info("importance of settings: not drawn, all %d trials have the same NDCG@10", len(values))
            return None
        return importances(study), values, len(finished(study)) - len(values)


def tune(search: Search, start: Any, budget: Budget) -> Found:
    """Try settings on validation until the budget is spent and return the best by NDCG@10.

    The study is resumed: asking for 100 trials after 60 runs 40 more, and a trial in which a search was stopped is
    tried again. The first trial is `start`, see `first_values`. A training that is behind half of the others is cut
    short.
    """
    if distributed.started() > 1:
        raise UserError("--tune searches in one process; start it without torchrun")
    with held(search.study):
        study = open_study(search.study, search.name(start))
        assert study is not None
        take_up(study, first_values(start))
        _run_trials(study, search, start, budget)
    done = len(finished(study))
    if not complete(study):
        raise UserError(f"none of {done} trials of {search.model} could be trained to its end; see above")
    best = dataclasses.replace(start, **{key: rounded(value) for key, value in study.best_params.items()})
    log.info("%s: best validation NDCG@10 %.4f of %d trials: %s", search.model, study.best_value, done, best)
    return Found(best, study.best_value, done, cpu_seconds(study) if budget.cpu_seconds else 0.0)


def _run_trials(study: Any, search: Search, start: Any, budget: Budget) -> None:
    """Run trials until the budget is spent."""
    done, total = len(finished(study)), None if budget.cpu_seconds else budget.trials
    with tqdm(total=total, initial=done, desc=f"tuning {search.model}", disable=None) as bar:
        while not budget.is_spent(study):
            prepare(study, search.seed, warmup=getattr(start, "epochs", 0) // 4)
            study.optimize(lambda trial: _try(trial, search, start), n_trials=1)
            bar.update(1)


def _try(trial: Any, search: Search, start: Any) -> float:
    """Validation NDCG@10 of the settings of a trial. One that is behind or diverges is pruned."""
    from optuna import TrialPruned

    def report(values: dict[str, float], epoch: int) -> None:
        value = values.get("val/ndcg_10", math.nan)
        if not math.isnan(value):
            trial.report(value, epoch)
            if trial.should_prune():
                raise TrialPruned

    settings, begun = suggest(trial, start), Seconds.now()
    try:
        return search.score(settings, report)
    except DivergedError as error:
        log.info("%s: trial %d counts as lost: %s", search.model, trial.number, error)
        raise TrialPruned from error
    finally:
        trial.set_user_attr(CPU, round((Seconds.now() - begun).cpu, 2))


def cpu_seconds(study: Any) -> float:
    """CPU seconds that the finished trials of a study have taken, as far as they were noted."""
    return sum(trial.user_attrs.get(CPU, 0.0) for trial in finished(study))


def searchable(kind: type) -> dict[str, SearchRange | tuple[Any, ...]]:
    """What of a settings class is searched: each SearchRange, unless it says otherwise, and the values of each Literal
    and bool that is not NOT_SEARCHED."""
    found: dict[str, SearchRange | tuple[Any, ...]] = {name: r for name, r in search_ranges(kind).items() if r.search}
    for name, hint in typing.get_type_hints(kind).items():
        if name in not_searched(kind):
            continue
        if typing.get_origin(hint) is Literal:
            found[name] = typing.get_args(hint)
        elif hint is bool:
            found[name] = (False, True)
    return found


def first_values(start: Any) -> dict[str, Any]:
    """What the first trial tries: the settings to start from, moved into the ranges where they lie outside."""
    values = {name: (getattr(start, name), tried) for name, tried in searchable(type(start)).items()}
    return {name: tried.nearest(v) if isinstance(tried, SearchRange) else v for name, (v, tried) in values.items()}


def suggest(trial: Any, start: Any) -> Any:
    """Settings drawn by an Optuna trial, those that are not searched as they are in `start`."""
    values = dict[str, Any]()
    for name, tried in searchable(type(start)).items():
        if not isinstance(tried, SearchRange):
            values[name] = trial.suggest_categorical(name, tried)
        elif isinstance(getattr(start, name), int):
            values[name] = trial.suggest_int(name, int(tried.low), int(tried.high), log=tried.log)
        else:
            values[name] = rounded(trial.suggest_float(name, tried.low, tried.high, log=tried.log))
    return dataclasses.replace(start, **values)


def distributions(start: Any) -> dict[str, Any]:
    """From what `suggest` draws each setting, as Optuna keeps it with a trial."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    found = dict[str, Any]()
    for name, tried in searchable(type(start)).items():
        if not isinstance(tried, SearchRange):
            found[name] = CategoricalDistribution(tried)
        elif isinstance(getattr(start, name), int):
            found[name] = IntDistribution(int(tried.low), int(tried.high), log=tried.log)
        else:
            found[name] = FloatDistribution(tried.low, tried.high, log=tried.log)
    return found


def own_values(settings: Any) -> dict[str, Any]:
    """The settings' own values, without those of other models that they hold."""
    values = vars(settings)
    return {name: value for name, value in values.items() if not dataclasses.is_dataclass(value)}


def write_preset(path: Path, model: str, protocol: str, found: Found, preset: str = "tuned") -> None:
    """Put the best settings under [<preset>.<model>.<protocol>] of a TOML file; all else in it stays as it is."""
    import tomlkit

    read_settings(path, preset, model, protocol)  # what is broken is refused before anything is written
    document = tomlkit.parse(path.read_text(encoding="utf-8")) if path.exists() else tomlkit.document()
    of_preset = document.setdefault(preset, tomlkit.table(is_super_table=True))
    of_model = of_preset.setdefault(model, tomlkit.table(is_super_table=True))
    entry = tomlkit.table()
    for key, setting in own_values(found.settings).items():
        entry.add(key, setting)
    entry.add("validation", tomlkit.inline_table())
    entry["validation"].update({"ndcg_10": round(found.ndcg, 5), "trials": found.trials})
    if found.cpu_seconds:
        entry["validation"].update({"cpu_seconds": round(found.cpu_seconds)})
    of_model[protocol] = entry
    write_text(path, tomlkit.dumps(document))


def rounded(value: Any) -> Any:
    """Floats to four significant digits, so that the file holds exactly what was scored.

    >>> rounded(0.000512345), rounded(31.41592), rounded(7)
    (0.0005123, 31.42, 7)
    """
    return float(f"{value:.4g}") if isinstance(value, float) else value


def try_grid(search: Search, start: Any, grid: Mapping[str, Sequence[Any]]) -> pd.DataFrame:
    """Validation NDCG@10 of every combination of some settings, all else as in `start`."""
    rows = []
    for values in tqdm(list(product(*grid.values())), "settings", disable=None):
        changed = dict(zip(grid, values, strict=True))
        rows.append(changed | {"ndcg_10": search.score(dataclasses.replace(start, **changed), None)})
    return pd.DataFrame(rows)
