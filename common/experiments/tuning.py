"""Choosing settings on validation: Optuna over the ranges that a settings class declares, best ones into presets/."""

import dataclasses
import hashlib
import json
import logging
import math
import sys
import typing
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from tqdm import tqdm

from common.experiments.experiment import Experiment
from common.experiments.presets import PRESETS, read_toml
from common.experiments.study_store import complete, finished, held, importances, open_study, prepare, take_up
from common.models.base import Recommender
from common.plots.search import draw_search
from common.utils import distributed as parallel
from common.utils.errors import DivergedError, UserError
from common.utils.io import display, write_text
from common.utils.settings import SearchRange, not_searched, search_ranges

LEAST = 10
"""Trials with a value, of which one may say what matters."""
log = logging.getLogger(__name__)


def tune(experiment: Experiment, kind: type[Recommender], start: Any, trials: int, presets: Path = PRESETS) -> Any:
    """Try `trials` settings in all on the select phase and return the best by validation NDCG@10.

    The study lies beside the results and is resumed: asking for 100 after 60 runs 40 more, and a trial in which a
    search was stopped is tried again. The first trial is `start`, see `first_values`. A training that is behind half of
    the others is cut short. The best settings are written to `presets/<dataset>.toml` under [tuned.<model>.<protocol>].
    """
    if parallel.started() > 1:
        raise UserError("--tune searches in one process; start it without torchrun")
    path, name = _study_of(experiment, kind, start)
    read_toml(preset_file(experiment, presets))  # a broken file is refused before anything is tried
    with held(path):
        study = open_study(path, name)
        assert study is not None
        take_up(study, first_values(start))
        _search(study, experiment, kind, start, trials)
    if not complete(study):
        raise UserError(f"none of {len(finished(study))} trials of {kind.name} could be trained to its end; see above")
    best = dataclasses.replace(start, **{key: rounded(value) for key, value in study.best_params.items()})
    n = len(finished(study))
    log.info("%s: best validation NDCG@10 %.4f of %d trials: %s", kind.name, study.best_value, n, best)
    _draw(experiment, kind, study)
    keep_preset(experiment, kind, best, study.best_value, n, presets)
    return best


def _search(study: Any, experiment: Experiment, kind: type[Recommender], start: Any, trials: int) -> None:
    """Run trials until so many are finished."""

    def objective(trial: Any) -> float:
        return _try(trial, experiment, kind, start)

    done = len(finished(study))
    with tqdm(total=trials, initial=done, desc=f"tuning {kind.name}", disable=not sys.stderr.isatty()) as bar:
        while len(finished(study)) < trials:
            prepare(study, experiment.settings.seed, warmup=getattr(start, "epochs", 0) // 4)
            study.optimize(objective, n_trials=1)
            bar.update(1)


def _try(trial: Any, experiment: Experiment, kind: type[Recommender], start: Any) -> float:
    """Validation NDCG@10 of the settings of a trial. One that is behind or diverges is pruned."""
    from optuna import TrialPruned

    def report(values: dict[str, float], epoch: int) -> None:
        value = values.get("val/ndcg_10", math.nan)
        if not math.isnan(value):
            trial.report(value, epoch)
            if trial.should_prune():
                raise TrialPruned

    try:
        model = kind(suggest(trial, start), seed=experiment.settings.seed, device=experiment.device)
        experiment.fit(model, "select", report=report)
    except DivergedError as error:
        log.info("%s: trial %d counts as lost: %s", kind.name, trial.number, error)
        raise TrialPruned from error
    evaluator = experiment.evaluators["select"]
    return evaluator(model)


def _draw(experiment: Experiment, kind: type[Recommender], study: Any) -> None:
    """Importance of the settings and the course of the search, where there is enough to tell."""
    values = [trial.value for trial in complete(study)]
    if len(values) < LEAST:
        log.info("importance of settings: not drawn from %d trials, it takes %d", len(values), LEAST)
    elif max(values) - min(values) < 1e-9:
        log.info("importance of settings: not drawn, all %d trials have the same NDCG@10", len(values))
    else:
        title, path = figure_of(experiment, kind)
        draw_search(importances(study), values, len(finished(study)) - len(values), title, path)
        log.info("importance of settings: %s", display(path))


def figure_of(experiment: Experiment, kind: type[Recommender]) -> tuple[str, Path]:
    """Title and path of the figure of a model's search."""
    title = f"{kind.name}, {experiment.data.name}, {experiment.select.protocol}, validation"
    return title, experiment.folder / "figures" / f"{kind.name}_tuning.png"


def trials_of(experiment: Experiment, kind: type[Recommender], start: Any) -> pd.DataFrame:
    """The trials with a value of a model's study on this split: a column per setting and `ndcg_10`; empty without."""
    study = open_study(*_study_of(experiment, kind, start), create=False)
    return pd.DataFrame([trial.params | {"ndcg_10": trial.value} for trial in complete(study)] if study else [])


def _study_of(experiment: Experiment, kind: type[Recommender], start: Any) -> tuple[Path, str]:
    """File and name of a model's study: one per split, seed and whatever of the settings is not searched, since only
    values of the same sort compare."""
    tried = searchable(type(start))
    fixed = {name: value for name, value in dataclasses.asdict(start).items() if name not in tried}
    text = json.dumps([fixed, experiment.settings.seed], sort_keys=True)
    mark = hashlib.sha256(text.encode()).hexdigest()[:8]
    return experiment.folder / kind.name / "study.jsonl", f"{kind.name}-{experiment.select.split_sha256[:16]}-{mark}"


def searchable(kind: type) -> dict[str, SearchRange | tuple[Any, ...]]:
    """What of a settings class is searched: a Range, unless it says otherwise, and the values of a Literal or bool that
    is not FIXED."""
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
    fields = dataclasses.fields(settings)
    values = {field.name: getattr(settings, field.name) for field in fields}
    return {name: value for name, value in values.items() if not dataclasses.is_dataclass(value)}


def preset_file(experiment: Experiment, presets: Path) -> Path:
    """The file of presets of a data set."""
    return presets / f"{experiment.data.presets}.toml"


def keep_preset(
    experiment: Experiment, kind: type[Recommender], best: Any, value: float, trials: int, presets: Path
) -> None:
    """Write the best settings to the presets, if validation chose them on the published split."""
    if experiment.settings.split_seed:
        log.info("not written to presets/: validation pairs of one split are test pairs of another")
        return
    write_preset(preset_file(experiment, presets), kind.name, experiment.settings.protocol, best, value, trials)


def write_preset(path: Path, model: str, protocol: str, best: Any, value: float, trials: int) -> None:
    """Put the best settings under [tuned.<model>.<protocol>] of a TOML file; all else in it stays as it is."""
    import tomlkit

    read_toml(path)  # a broken file is refused before anything is written
    document = tomlkit.parse(path.read_text(encoding="utf-8")) if path.exists() else tomlkit.document()
    tuned = document.setdefault("tuned", tomlkit.table(is_super_table=True))
    of_model = tuned.setdefault(model, tomlkit.table(is_super_table=True))
    entry = tomlkit.table()
    for key, setting in own_values(best).items():
        entry.add(key, setting)
    entry.add("validation", tomlkit.inline_table())
    entry["validation"].update({"ndcg_10": round(value, 5), "trials": trials})
    of_model[protocol] = entry
    write_text(path, tomlkit.dumps(document))


def rounded(value: Any) -> Any:
    """Floats to four significant digits, so that the file holds exactly what was scored.

    >>> rounded(0.000512345), rounded(31.41592), rounded(7)
    (0.0005123, 31.42, 7)
    """
    return float(f"{value:.4g}") if isinstance(value, float) else value
