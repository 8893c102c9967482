"""Searches on disk: a study is one file of JSON lines that is gone on with after any stop, by one process at a time.

Lines are only ever added. `study.json` vouches for those that were there when the file was last `held`.
"""

import hashlib
import json
import math
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from common.utils.errors import UserError
from common.utils.io import lock, write_json
from common.utils.manifests import read_manifest, sealed

AWAY = "move the file away to search anew"
STARTUP = 5
"""Trials before the first is cut short."""
Tried = tuple[dict[str, Any], float, dict[str, Any]]
"""Parameters of a trial, its value, and what was noted of it."""


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold a study's file while the block runs; a second process is refused, and so is a file that is no study.

    Half a line at the end is what a killed process left of its last record, and is taken away.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():  # moved away, perhaps
            _manifest(path).unlink(missing_ok=True)
        handle = path.open("a+b")
    except OSError as error:
        raise UserError(f"cannot open the study {path}: {error.strerror}; move it or choose another folder") from error
    with handle:
        try:
            lock(handle)
        except OSError:
            raise UserError(f"{path} is being searched by another process; wait for it, or stop it") from None
        handle.seek(0)
        content = handle.read()
        _check(path, content)
        if not content.endswith(b"\n"):
            handle.truncate(content.rfind(b"\n") + 1)
        try:
            yield
        except KeyboardInterrupt:
            _vouch(path)
            raise
        _vouch(path)


def _check(path: Path, content: bytes) -> None:
    """Refuse a file that holds anything but records of a study."""
    *lines, torn = content.split(b"\n")
    for number, line in enumerate(lines if lines or not torn else [torn], start=1):
        try:
            is_record = "op_code" in json.loads(line)
        except (ValueError, TypeError):
            is_record = False
        if not is_record:
            raise UserError(f"{path}, line {number}, is no record of a study; {AWAY}")
    if _manifest(path).exists() and not _is_vouched(path, content):
        raise UserError(f"{path} is not as it was written: changed, cut, or another one's; {AWAY}")


def _manifest(path: Path) -> Path:
    return path.with_suffix(".json")


def _is_vouched(path: Path, content: bytes) -> bool:
    """Whether a study begins with the very lines that were there when it was last held."""
    noted = read_manifest(_manifest(path), "delete it to take the study beside it as it is")
    try:
        of = noted["files"][path.name]
        return hashlib.sha256(content[: of["size"]]).hexdigest() == of["sha256"]
    except (KeyError, TypeError):
        return False


def _vouch(path: Path) -> None:
    content = path.read_bytes()
    noted = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    write_json(_manifest(path), sealed({"files": {path.name: noted}}))


def open_study(path: Path, name: str, create: bool = True) -> Any | None:
    """The study of that name in a file, made if need be and allowed; None where there is none. Changes nothing else."""
    import optuna
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

    optuna.logging.set_verbosity(optuna.logging.ERROR)  # it shows a traceback for Ctrl-C
    if not (create or path.exists()):
        return None
    if path.exists():
        _check(path, path.read_bytes())
    try:
        own_lock = JournalFileOpenLock(str(path)) if sys.platform == "win32" else None  # no links without privileges
        storage = optuna.storages.JournalStorage(JournalFileBackend(str(path), own_lock))
        if name in optuna.study.get_all_study_names(storage):
            return optuna.load_study(storage=storage, study_name=name)
        return optuna.create_study(storage=storage, study_name=name, direction="maximize") if create else None
    except (ValueError, KeyError, TypeError, AttributeError, AssertionError) as error:
        raise UserError(f"{path} is damaged ({error}); {AWAY}") from error


def finished(study: Any) -> list[Any]:
    """The trials that count: those with a value, and those that were cut short because they would not win."""
    return _trials(study, "COMPLETE", "PRUNED")


def complete(study: Any) -> list[Any]:
    """The trials with a value."""
    return _trials(study, "COMPLETE")


def _trials(study: Any, *states: str) -> list[Any]:
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=[TrialState[state] for state in states])


def take_up(study: Any, first: dict[str, Any]) -> None:
    """Begin or go on: `first` is what the first trial tries. A trial in which a process was killed does not count, and
    `prepare` makes the next one try the same; call this with the file `held`."""
    from optuna.trial import TrialState

    for trial in _trials(study, "RUNNING"):
        study.tell(trial.number, state=TrialState.FAIL)
    if not _trials(study, "COMPLETE", "PRUNED", "WAITING"):
        study.enqueue_trial(first)


def add_finished(study: Any, trials: Iterable[Tried], distributions: Mapping[str, Any]) -> None:
    """Add trials that another file has kept, in their order; one whose value is missing was cut short.

    Raises a ValueError, and adds none, for parameters that the distributions do not hold.
    """
    from optuna.trial import TrialState, create_trial

    made = []
    for params, value, noted in trials:
        state, found = (TrialState.PRUNED, None) if math.isnan(value) else (TrialState.COMPLETE, value)
        about = dict[str, Any](params=params, distributions=dict(distributions), user_attrs=noted)
        made.append(create_trial(state=state, value=found, **about))
    study.add_trials(made)


def prepare(study: Any, seed: int, warmup: int) -> None:
    """Make ready for the next trial. What it tries depends on the seed and the finished trials alone, so that a search
    that was stopped goes on as if it had not been."""
    import optuna

    done = len(finished(study))
    study.sampler = optuna.samplers.TPESampler(seed=1000 * seed + done, multivariate=True)
    study.pruner = optuna.pruners.MedianPruner(n_startup_trials=STARTUP, n_warmup_steps=warmup)


def importances(study: Any) -> dict[str, float]:
    """Share of the variance of the value that each setting explains, by fANOVA (Hutter et al. 2014), largest first."""
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    return dict(get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0)))
