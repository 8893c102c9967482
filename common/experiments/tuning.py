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
from common.experiments.study_store import complete, finished, held, importances, open_study, prepare, take_up
from common.utils import distributed
from common.utils.errors import DivergedError, UserError
from common.utils.io import write_text
from common.utils.settings import SearchRange, not_searched, search_ranges

LEAST = 10
"""Trials with a value, of which one may say what matters."""
log = logging.getLogger(__name__)
Report = Callable[[dict[str, float], int], None]
Score = Callable[[Any, Report | None], float]
"""Settings and a report of each epoch -> NDCG@10 on validation."""


class Found(NamedTuple):
    """What a search has chosen: settings, their NDCG@10 on validation, and of how many trials they are the best."""

    settings: Any
    ndcg: float
    trials: int


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


def tune(search: Search, start: Any, trials: int) -> Found:
    """Try `trials` settings in all on validation and return the best by NDCG@10.

    The study is resumed: asking for 100 after 60 runs 40 more, and a trial in which a search was stopped is tried
    again. The first trial is `start`, see `first_values`. A training that is behind half of the others is cut short.
    """
    if distributed.started() > 1:
        raise UserError("--tune searches in one process; start it without torchrun")
    with held(search.study):
        study = open_study(search.study, search.name(start))
        assert study is not None
        take_up(study, first_values(start))
        _run_trials(study, search, start, trials)
    done = len(finished(study))
    if not complete(study):
        raise UserError(f"none of {done} trials of {search.model} could be trained to its end; see above")
    best = dataclasses.replace(start, **{key: rounded(value) for key, value in study.best_params.items()})
    log.info("%s: best validation NDCG@10 %.4f of %d trials: %s", search.model, study.best_value, done, best)
    return Found(best, study.best_value, done)


def _run_trials(study: Any, search: Search, start: Any, trials: int) -> None:
    """Run trials until so many are finished."""
    done = len(finished(study))
    with tqdm(total=trials, initial=done, desc=f"tuning {search.model}", disable=None) as bar:
        while len(finished(study)) < trials:
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

    try:
        return search.score(suggest(trial, start), report)
    except DivergedError as error:
        log.info("%s: trial %d counts as lost: %s", search.model, trial.number, error)
        raise TrialPruned from error


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


def own_values(settings: Any) -> dict[str, Any]:
    """The settings' own values, without those of other models that they hold."""
    values = vars(settings)
    return {name: value for name, value in values.items() if not dataclasses.is_dataclass(value)}


def write_preset(path: Path, model: str, protocol: str, found: Found) -> None:
    """Put the best settings under [tuned.<model>.<protocol>] of a TOML file; all else in it stays as it is."""
    import tomlkit

    read_settings(path, "tuned", model, protocol)  # what is broken is refused before anything is written
    document = tomlkit.parse(path.read_text(encoding="utf-8")) if path.exists() else tomlkit.document()
    tuned = document.setdefault("tuned", tomlkit.table(is_super_table=True))
    of_model = tuned.setdefault(model, tomlkit.table(is_super_table=True))
    entry = tomlkit.table()
    for key, setting in own_values(found.settings).items():
        entry.add(key, setting)
    entry.add("validation", tomlkit.inline_table())
    entry["validation"].update({"ndcg_10": round(found.ndcg, 5), "trials": found.trials})
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
