"""Flags parsed by tyro, presets as their defaults, and mistakes as one sentence."""

import argparse
import contextlib
import dataclasses
import errno
import functools
import io
import logging
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import tyro

from common.cluster.settings import LOCAL
from common.data.sources.registry import (
    DEDUPLICATED,
    LASTFM,
    SYNTHETIC,
    choose_dataset,
    is_at_hand,
    resolve_name,
    without_mark,
)
from common.experiments.presets import known_presets, preset_values
from common.training.interrupts import ended_by_sigterm, exit_code
from common.utils import distributed, memory
from common.utils.errors import UserError, check_known
from common.utils.logs import log_to
from common.utils.manifests import hash_everything
from common.utils.settings import NoSettings
from common.utils.terminal import show

if TYPE_CHECKING:
    from common.experiments.settings import DataSettings
    from common.models.base import Recommender

OF_OUTPUT = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""Errors without a file name that standard output meets: a full or broken disk behind it."""
S = TypeVar("S", bound="DataSettings")


T = TypeVar("T")


def parse(settings: type[S], argv: Sequence[str] | None, models: "Sequence[type[Recommender]]" = ()) -> S:
    """Settings of a stage from flags, with the preset's values as the defaults of the models' flags.

    Every model has a group of flags of its name, made from its settings class.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    classes = {model.name: model.Settings for model in models if model.Settings is not NoSettings}
    settings = with_models(settings, classes)
    parsed = _parse_with_presets(settings, argv, classes)
    parsed.check()
    if own := _preset_of_engine(parsed):
        argv += ["--preset", own]
        parsed = _parse_with_presets(settings, argv, classes)
    memory.use(parsed.memory)
    if models:
        check_known("model", [model.name for model in models], *getattr(parsed, "models", ()))
    for name in classes:
        getattr(getattr(parsed, name), "check", lambda: None)()
    alone = distributed.started() == 1  # several processes would download into one another's files
    asked = _marked(parsed.dataset, parsed.deduplicate)
    dataset = choose_dataset(asked, parsed.data_dir, parsed.download and alone)
    if dataset == parsed.dataset:
        return parsed
    # Only now, with all flags in order, `auto` was decided; a download may have led to other presets.
    return _parse_with_presets(settings, [*argv, "--dataset", dataset], classes)


def with_models(settings: type[S], classes: Mapping[str, type]) -> type[S]:
    """The settings class with a field for each model's own settings."""
    if not classes:
        return settings
    fields = [(name, kind, field(default_factory=kind)) for name, kind in classes.items()]
    made = dataclasses.make_dataclass(settings.__name__, fields, bases=(settings,), frozen=True)
    made.__doc__, made.__module__ = settings.__doc__, settings.__module__
    return made


def _preset_of_engine(parsed: "DataSettings") -> str:
    """The preset of settings chosen for another engine than the local one, such as `tuned-spark`; "" without one."""
    engine, preset = getattr(parsed, "engine", LOCAL), getattr(parsed, "preset", "")
    own = f"{preset}-{engine}"
    return own if engine != LOCAL and own in known_presets("default") else ""


def _parse_with_presets(settings: type[S], argv: list[str], models: dict[str, type]) -> S:
    default = settings()
    if models:
        early = _peek(argv, default)
        chosen: dict[str, Any] = {name: preset_values(*early, name, kind) for name, kind in models.items()}
        default = dataclasses.replace(default, **chosen)
    return parse_flags(settings, argv, default)


def parse_flags(settings: type[T], argv: Sequence[str] | None, default: T | None = None) -> T:
    """Let tyro parse (None: this process's arguments); its boxed complaint is boiled down to one sentence."""
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            parsed = tyro.cli(settings, args=argv, default=default or settings(), description=settings.__doc__)
    except SystemExit as stop:
        if stop.code in (0, None):
            raise
        words = sys.argv[1:] if argv is None else argv
        raise UserError(without_passwords(_one_sentence(complaint.getvalue()), words)) from None
    hash_everything(getattr(parsed, "verify", False))
    return parsed


def _one_sentence(box: str) -> str:
    lines = [re.sub(r"[│╭╮╰╯]", "", line).strip() for line in box.splitlines()[1:]]
    # A terminal that has no box characters gets rules of hyphens, one of them under the title.
    sections = [section for section in re.split(r"[─-]{5,}", " ".join(lines)) if section.strip()]
    sentence = re.sub(r"\s+", " ", sections[0]).strip()
    sentence = re.sub(r"Exceeds the limit .* value has (\d+) digits; use .* limit", r"\1 digits are too many", sentence)
    sentence = re.sub(r"\S{200,}", lambda word: f"{word[0][:50]}...", sentence)
    near = re.search(r"Perhaps you meant:\s*(--\S+)", " ".join(sections[1:]))
    hint = f"; perhaps you meant {near[1]}" if near else ""
    return f"{sentence[:1].lower()}{sentence[1:]}{hint}; --help lists all flags"


def without_passwords(sentence: str, words: Iterable[str]) -> str:
    """A sentence about words of a command line, without the passwords of addresses in them, however it is wrapped.

    >>> without_passwords("unknown: postgresql://me:sec ret@host/d", ["postgresql://me:secret@host/d"])
    'unknown: postgresql://me:***@host/d'
    """
    for password in re.findall(r"://[^/:@\s]*:(\S+)@", " ".join(words)):
        sentence = re.sub(r"\s*".join(map(re.escape, password)), "***", sentence)
    return sentence


def flags_of(settings: Any, names: Iterable[str], group: str = "") -> list[str]:
    """Words that give another command the named settings: flags that differ from their defaults, and groups of such."""
    words: list[str] = []
    for name in names:
        value, usual = getattr(settings, name), getattr(type(settings)(), name)
        if dataclasses.is_dataclass(value):
            words += flags_of(value, vars(value), f"{group}{name}.")
        elif value != usual:
            words += [f"--{group}{name}".replace("_", "-"), str(value)]
    return words


def _peek(argv: list[str], default: Any) -> tuple[str, str, str]:
    """Preset, data set and protocol, which decide the defaults of the other flags."""
    reader = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    for name in ("preset", "dataset", "protocol"):
        reader.add_argument(f"--{name}", nargs="?", default=getattr(default, name))
    reader.add_argument("--data-dir", "--data_dir", nargs="?", type=Path, default=default.data_dir)
    reader.add_argument("--deduplicate", action="store_true")
    known, _ = reader.parse_known_args(argv)
    values = [getattr(known, name) or getattr(default, name) for name in ("preset", "dataset", "protocol")]
    data_dir = known.data_dir or default.data_dir
    if values[1] == "auto":
        values[1] = LASTFM if is_at_hand(data_dir) else SYNTHETIC
    dataset = _marked(values[1], known.deduplicate)
    if dataset not in (LASTFM, SYNTHETIC):
        dataset = resolve_name(dataset, data_dir)
    return values[0], dataset, values[2]


def _marked(dataset: str, deduplicate: bool) -> str:
    """A `--dataset` value as `--deduplicate` changes it."""
    return dataset if not deduplicate or without_mark(dataset)[1] else dataset + DEDUPLICATED


def command(main: Callable[[Sequence[str] | None], None]) -> Callable[..., None]:
    """Make `main(argv=None)` a command: messages to the terminal, a user's mistake to one sentence and exit code 2."""

    @functools.wraps(main)
    def guarded(argv: Sequence[str] | None = None) -> None:
        log_to(sys.stdout)
        for chatty in ("wandb", "matplotlib", "PIL", "fontTools", "faiss"):
            logging.getLogger(chatty).setLevel(logging.WARNING)
        try:
            with ended_by_sigterm():
                main(argv)
            sys.stdout.flush()
        except UserError as mistake:
            raise _refused(str(mistake)) from None
        except MemoryError as error:
            raise _refused(f"out of memory ({error}); use less data or smaller settings") from None
        except BrokenPipeError:  # the reader of our output (head, less) has seen enough
            _write_nowhere()
            raise SystemExit(141) from None
        except OSError as error:
            if error.filename is None and error.errno not in OF_OUTPUT:
                raise
            where, what = error.filename or "standard output", error.strerror or error
            raise _refused(f"{where}: {what}; free some space, mend its permissions, or name another folder") from None
        except KeyboardInterrupt as stop:
            if distributed.is_main():
                show("\nstopped; what was complete is kept, --resume goes on from there", sys.stderr)
            raise SystemExit(exit_code(stop)) from None

    return guarded


def _refused(sentence: str) -> SystemExit:
    """The end of a command by a mistake, once it was told; of several processes the first tells it."""
    try:
        sys.stdout.flush()
    except OSError:
        _write_nowhere()
    if distributed.is_main():
        show(f"error: {sentence}", sys.stderr)
    return SystemExit(2)


def _write_nowhere() -> None:
    """Let what is still to be written to standard output, which takes no more, go to nowhere."""
    with contextlib.suppress(OSError, ValueError):  # a stream without a file number
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
