"""Typed flags from frozen dataclasses, presets as their defaults, and mistakes as one sentence."""

import argparse
import contextlib
import dataclasses
import functools
import hashlib
import io
import json
import logging
import os
import re
import sys
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import tyro

from common.data.prepare import LASTFM, ROOT, SYNTHETIC, choose_dataset, is_at_hand, resolve_name
from common.data.splits import PROTOCOLS, folder_name
from common.data.synthetic import SyntheticSettings
from common.errors import UserError, unknown_name
from common.models.contract import setting_parts
from common.ranges import check_ranges
from common.training import parallel

PRESETS = ROOT / "presets"
PHASE_CHOICES = ("select", "final")
WANDB_CHOICES = ("auto", "online", "offline", "disabled")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DataSettings:
    """Flags that every stage has: which data, where files lie, how the run is tracked."""

    dataset: str = "auto"
    """lastfm-2k, synthetic, the path of a folder of your own, or auto: lastfm-2k if it can be had, else synthetic."""
    download: bool = True
    """Download the files of lastfm-2k where they are missing; --no-download never asks the network for data,
    nor do several processes under torchrun."""
    split_seed: int = 0
    """Seed that draws the split; 0 is the published one."""
    wandb: str = "auto"
    """auto, online, offline or disabled; auto: WANDB_MODE, else online if a key is configured, else offline."""
    data_dir: Path = ROOT / "data"
    """Folder of raw files (raw/) and prepared data."""
    output_dir: Path = ROOT / "outputs"
    """Folder that receives every result."""
    synthetic: SyntheticSettings = field(default_factory=SyntheticSettings)
    """Size and seed of the generated data set."""

    def check(self) -> None:
        """Raise a UserError for the first flag that makes no sense."""
        if self.wandb not in WANDB_CHOICES:
            raise unknown_name("value of --wandb", self.wandb, WANDB_CHOICES)
        for flag in ("split_seed", "seed"):
            if getattr(self, flag, 0) < 0:
                raise UserError(f"--{flag.replace('_', '-')} {getattr(self, flag)}: seeds start at 0")


@dataclass(frozen=True)
class ModelSettings(DataSettings):
    """Flags that every stage with models has."""

    protocol: str = "listen"
    """listen, next, next-shuffled, newcomer or temporal: what is hidden and asked for."""
    seed: int = 0
    """The model's own seed; it does not touch the split."""
    preset: str = "tuned"
    """tuned (chosen on validation), classic (the textbook's settings), or a name from presets/."""
    phase: str = "final"
    """final: choose on validation, then refit and score test. select: stop before test."""
    device: str = "auto"
    """auto, cpu or cuda."""
    tune: int = 0
    """Search this many settings on validation and write the best into the preset; 0 does not search."""
    artifact_mb: int = 100
    """Models and lists of up to this many MiB each are kept in W&B, too, as artifacts; 0 keeps none."""
    resume: bool = False
    """Skip models whose results for these very settings are complete; go on with a training that was stopped."""

    def check(self) -> None:
        """Raise a UserError for the first flag that makes no sense."""
        super().check()
        if self.phase not in PHASE_CHOICES:
            raise unknown_name("phase", self.phase, PHASE_CHOICES)
        if self.protocol not in PROTOCOLS:
            raise unknown_name("protocol", self.protocol, PROTOCOLS)
        if self.device not in ("auto", "cpu", "cuda"):
            raise unknown_name("device", self.device, ("auto", "cpu", "cuda"))
        if self.tune < 0:
            raise UserError(f"--tune {self.tune}: give the number of settings to try, or leave it out")
        if self.artifact_mb < 0:
            raise UserError(f"--artifact-mb {self.artifact_mb}: give the largest size in MiB, or 0 to keep none")

    @property
    def phases(self) -> tuple[str, ...]:
        """The phases that this run goes through."""
        return ("select",) if self.phase == "select" else ("select", "final")

    @property
    def split_folder(self) -> str:
        """Folder name of the split: protocol and split seed."""
        return folder_name(self.protocol, self.split_seed)


S = TypeVar("S", bound=DataSettings)
T = TypeVar("T")


def parse(settings: type[S], argv: Sequence[str] | None, models: dict[str, type] | None = None) -> S:
    """Settings of a stage from flags, with the preset's values as the defaults of the models' flags.

    `models` maps a model's name to its settings class; the stage's class has a field of that name for each.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    parsed = _parse_with_presets(settings, argv, models or {})
    parsed.check()
    for name in models or {}:
        check_ranges(name, getattr(parsed, name))
    alone = parallel.started() == 1  # several processes would download into one another's files
    dataset = choose_dataset(parsed.dataset, parsed.data_dir, parsed.download and alone)
    if dataset == parsed.dataset:
        return parsed
    # Only now, with all flags in order, `auto` was decided; a download may have led to other presets.
    return _parse_with_presets(settings, [*argv, "--dataset", dataset], models or {})


def _parse_with_presets(settings: type[S], argv: list[str], models: dict[str, type]) -> S:
    default = settings()
    if models:
        early = _peek(argv, default)
        chosen: dict[str, Any] = {name: preset_values(*early, name, kind) for name, kind in models.items()}
        default = dataclasses.replace(default, **chosen)
    return parse_flags(settings, argv, default)


def parse_flags(settings: type[T], argv: list[str], default: T) -> T:
    """Let tyro parse; its boxed complaint is boiled down to one sentence."""
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            return tyro.cli(settings, args=argv, default=default, description=settings.__doc__)
    except SystemExit as stop:
        if stop.code in (0, None):
            raise
        raise UserError(_one_sentence(complaint.getvalue())) from None


def _one_sentence(box: str) -> str:
    lines = [re.sub(r"[│╭╮╰╯]", "", line).strip() for line in box.splitlines()[1:]]
    # A terminal that has no box characters gets rules of hyphens, one of them under the title.
    sections = [section for section in re.split(r"[─-]{5,}", " ".join(lines)) if section.strip()]
    sentence = re.sub(r"\s+", " ", sections[0]).strip()
    near = re.search(r"Perhaps you meant:\s*(--\S+)", " ".join(sections[1:]))
    hint = f"; perhaps you meant {near[1]}" if near else ""
    return f"{sentence[:1].lower()}{sentence[1:]}{hint}; --help lists all flags"


def _peek(argv: list[str], default: Any) -> tuple[str, str, str]:
    """Preset, data set and protocol, which decide the defaults of the other flags."""
    reader = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    for name in ("preset", "dataset", "protocol"):
        reader.add_argument(f"--{name}", nargs="?", default=getattr(default, name))
    reader.add_argument("--data-dir", "--data_dir", nargs="?", type=Path, default=default.data_dir)
    known, _ = reader.parse_known_args(argv)
    values = [getattr(known, name) or getattr(default, name) for name in ("preset", "dataset", "protocol")]
    data_dir = known.data_dir or default.data_dir
    if values[1] == "auto":
        values[1] = LASTFM if is_at_hand(data_dir) else SYNTHETIC
    elif values[1] not in (LASTFM, SYNTHETIC):
        values[1] = resolve_name(values[1], data_dir)
    return values[0], values[1], values[2]


def preset_values(preset: str, dataset: str, protocol: str, model: str, kind: type, folder: Path = PRESETS) -> Any:
    """A model's settings under a preset: the class's defaults, changed by what presets/ says.

    Read in this order, later ones winning: default.toml, then <dataset>.toml; in each the tables
    [<preset>.<model>], then [<preset>.<model>.<protocol>] (`next` for `next-shuffled` where it has none). A field that
    holds another model's settings bears that model's name and takes that model's values. A table with `base` starts
    from the values of the preset that it names.
    """
    if preset not in (known := known_presets(dataset, folder)):
        raise unknown_name("preset", preset, known)
    parts = setting_parts(kind)
    values: dict[str, Any] = {n: preset_values(preset, dataset, protocol, n, k, folder) for n, k in parts.items()}
    names = {f.name for f in dataclasses.fields(kind)} - parts.keys()
    for path in (folder / "default.toml", folder / f"{dataset}.toml"):
        presets = read_toml(path)
        table = presets.get(preset, {}).get(model, {})
        special = table.get(protocol, table.get("next", {}) if protocol == "next-shuffled" else {})
        found = {k: v for k, v in table.items() if not isinstance(v, dict)} | special
        found.pop("validation", None)
        if base := found.pop("base", None):
            if base == preset:
                raise UserError(f"{path.name}: [{preset}.{model}] base = {base!r}: name another preset")
            started = preset_values(base, dataset, protocol, model, kind, folder)
            values |= {field.name: getattr(started, field.name) for field in dataclasses.fields(kind)}
        for key in found.keys() - names:
            raise UserError(
                f"{path.name}: [{preset}.{model}] has no setting {key!r}; it has {', '.join(sorted(names))}"
            )
        where = f"{path.name}: [{preset}.{model}]"
        found = {key: typed(value, getattr(kind(), key), f"{where} {key}") for key, value in found.items()}
        values |= found
    return kind(**values)


def known_presets(dataset: str, folder: Path = PRESETS) -> list[str]:
    """Names of the presets that a data set has."""
    tables = [read_toml(folder / name) for name in ("default.toml", f"{dataset}.toml")]
    return sorted({"tuned", "classic"}.union(*tables))


def typed(value: Any, default: Any, where: str) -> Any:
    """A preset's value in the type of the setting's default; whole numbers do for numbers."""
    if isinstance(default, float) and type(value) is int:
        return float(value)
    if isinstance(default, tuple) and isinstance(value, list):
        return tuple(value)
    if type(value) is not type(default):
        raise UserError(f"{where} = {value!r}: give a value like {default!r}")
    return value


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file's content, empty where there is none."""
    if not path.exists():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise UserError(f"{path} is not readable TOML ({error}); mend or delete it") from error


def preset_label(preset: str, used: Any, as_preset: Any) -> str:
    """The preset's name, or, where flags changed the model's settings, that name with a hash of them.

    So a trial with other flags never overwrites the preset's own results.
    """
    if used == as_preset:
        return preset
    text = json.dumps(dataclasses.asdict(used), sort_keys=True)
    return f"{preset}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"


def command(main: Callable[[Sequence[str] | None], None]) -> Callable[..., None]:
    """Make `main(argv=None)` a command: messages to the terminal, a user's mistake to one sentence and exit code 2."""

    @functools.wraps(main)
    def guarded(argv: Sequence[str] | None = None) -> None:
        logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout, force=True)
        for chatty in ("wandb", "matplotlib", "PIL", "fontTools", "faiss"):
            logging.getLogger(chatty).setLevel(logging.WARNING)
        try:
            main(argv)
        except UserError as mistake:
            sys.stdout.flush()
            if parallel.is_main():  # several processes would all say the same
                print(f"error: {mistake}", file=sys.stderr)
            raise SystemExit(2) from None
        except BrokenPipeError:  # the reader of our output (head, less) has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SystemExit(141) from None
        except KeyboardInterrupt:
            if not parallel.is_main():
                raise SystemExit(130) from None
            print("\nstopped; what was complete is kept, --resume goes on from there", file=sys.stderr)
            raise SystemExit(130) from None

    return guarded
