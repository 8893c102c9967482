"""Choosing settings on validation: Optuna over the ranges that a settings class declares, best ones into presets/."""

import dataclasses
import logging
import sys
import typing
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from common.command_line import PRESETS, read_toml
from common.errors import UserError
from common.experiment import Experiment
from common.files import write_text
from common.models.contract import Recommender
from common.ranges import fixed_of, ranges_of
from common.training import parallel

log = logging.getLogger(__name__)


def tune(experiment: Experiment, kind: type[Recommender], start: Any, trials: int, presets: Path = PRESETS) -> Any:
    """Try `trials` settings in all on the select phase and return the best by validation NDCG@10.

    The study lies beside the results and is resumed: asking for 100 after 60 runs 40 more. The first trial is
    `start`. The best settings are written to `presets/<dataset>.toml` under [tuned.<model>.<protocol>].
    """
    if parallel.started() > 1:
        raise UserError("--tune searches in one process; start it without torchrun")
    import optuna
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    path, name = _study_of(experiment, kind)
    path.parent.mkdir(parents=True, exist_ok=True)
    study = optuna.create_study(
        storage=optuna.storages.JournalStorage(JournalFileBackend(str(path))),
        sampler=optuna.samplers.TPESampler(seed=experiment.settings.seed, multivariate=True),
        study_name=name,
        direction="maximize",
        load_if_exists=True,
    )
    done = len(study.get_trials(states=(optuna.trial.TrialState.COMPLETE,)))
    if done == 0:
        study.enqueue_trial(searched(start))

    def objective(trial: Any) -> float:
        settings = suggest(trial, start)
        model = kind(settings, experiment.settings.seed)
        model.device = experiment.device
        experiment.fit(model, "select")
        scorer = experiment.scorers["select"]
        return scorer.ndcg(scorer.rank(model))

    study.optimize(objective, n_trials=max(0, trials - done), show_progress_bar=sys.stderr.isatty())
    best = dataclasses.replace(start, **{key: _rounded(value) for key, value in study.best_params.items()})
    log.info("%s: best validation NDCG@10 %.4f of %d trials: %s", kind.name, study.best_value, len(study.trials), best)
    if experiment.settings.split_seed:
        log.info("not written to presets/: validation pairs of one split are test pairs of another")
        return best
    write_preset(presets / f"{experiment.data.presets}.toml", kind.name, experiment.settings.protocol, best, study)
    return best


def trials_of(experiment: Experiment, kind: type[Recommender]) -> pd.DataFrame:
    """The finished trials of a model's study on this split: a column per setting and `ndcg_10`; empty without one."""
    path, name = _study_of(experiment, kind)
    if not path.exists():
        return pd.DataFrame()
    import optuna
    from optuna.storages.journal import JournalFileBackend

    storage = optuna.storages.JournalStorage(JournalFileBackend(str(path)))
    if name not in optuna.study.get_all_study_names(storage):
        return pd.DataFrame()
    trials = optuna.load_study(study_name=name, storage=storage).get_trials(states=(optuna.trial.TrialState.COMPLETE,))
    return pd.DataFrame([trial.params | {"ndcg_10": trial.value} for trial in trials])


def _study_of(experiment: Experiment, kind: type[Recommender]) -> tuple[Path, str]:
    """File and name of the study of a model on this split."""
    return experiment.folder / kind.name / "study.jsonl", f"{kind.name}-{experiment.select.split_sha256[:16]}"


def suggest(trial: Any, start: Any) -> Any:
    """Settings drawn by an Optuna trial: a Range from its bounds, a Literal or bool that is not
    FIXED among its values, the rest kept."""
    kind, values = type(start), dict[str, Any]()
    for name, searched_range in ranges_of(kind).items():
        if not searched_range.search:
            continue
        low, high, log_scale = searched_range.low, searched_range.high, searched_range.log
        if isinstance(getattr(start, name), int):
            values[name] = trial.suggest_int(name, int(low), int(high), log=log_scale)
        else:
            values[name] = _rounded(trial.suggest_float(name, low, high, log=log_scale))
    for name, hint in typing.get_type_hints(kind).items():
        if name in fixed_of(kind):
            continue
        if typing.get_origin(hint) is Literal:
            values[name] = trial.suggest_categorical(name, typing.get_args(hint))
        elif hint is bool:
            values[name] = trial.suggest_categorical(name, (False, True))
    return dataclasses.replace(start, **values)


def searched(settings: Any) -> dict[str, Any]:
    """The settings' own values, without those of other models that they hold."""
    fields = dataclasses.fields(settings)
    values = {field.name: getattr(settings, field.name) for field in fields}
    return {name: value for name, value in values.items() if not dataclasses.is_dataclass(value)}


def write_preset(path: Path, model: str, protocol: str, best: Any, study: Any) -> None:
    """Put the best settings under [tuned.<model>.<protocol>] of a TOML file; all else in it stays as it is."""
    import tomlkit

    read_toml(path)  # a broken file is refused before anything is written
    document = tomlkit.parse(path.read_text(encoding="utf-8")) if path.exists() else tomlkit.document()
    tuned = document.setdefault("tuned", tomlkit.table(is_super_table=True))
    of_model = tuned.setdefault(model, tomlkit.table(is_super_table=True))
    entry = tomlkit.table()
    for key, value in searched(best).items():
        entry.add(key, value)
    entry.add("validation", tomlkit.inline_table())
    entry["validation"].update({"ndcg_10": round(study.best_value, 5), "trials": len(study.trials)})
    of_model[protocol] = entry
    write_text(path, tomlkit.dumps(document))


def _rounded(value: Any) -> Any:
    """Floats to four decimals, so that the file holds exactly what was scored."""
    return round(value, 4) if isinstance(value, float) else value
