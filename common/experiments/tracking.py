"""Weights & Biases, or nothing: the only module that knows it. A stage calls the same four methods either way."""

import logging
import netrc
import os
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pandas as pd

from common.utils.io import display
from common.utils.terminal import visible

PROJECT = "encore"
"""The project of all runs, where nothing names another."""
log = logging.getLogger(__name__)
_failed: list[str] = []
"""What has failed in this process: the next run does not wait for the network again."""


class NullTracker:
    """Tracks nothing: `outputs/` is complete without it."""

    hint = "tracking is off"
    is_on = False

    def log(self, values: dict[str, float], epoch: int) -> None:
        """Curves: values at an epoch."""

    def summary(self, values: dict[str, Any]) -> None:
        """Final values."""

    def figure(self, name: str, path: Path) -> None:
        """A picture."""

    def table(self, name: str, frame: pd.DataFrame) -> None:
        """A table."""

    def artifact(self, name: str, kind: str, files: Iterable[Path], metadata: dict[str, Any]) -> None:
        """Files that others may want to fetch."""

    def finish(self) -> None:
        """The end of the run."""


class WandbTracker(NullTracker):
    """One W&B run."""

    is_on = True

    def __init__(self, run: Any) -> None:
        self.run = run
        self.hint = how_to_see(Path(run.settings.sync_dir)) if run.offline else run.url
        run.define_metric("epoch")
        for curve in ("train/*", "val/*", "refit/*"):
            run.define_metric(curve, step_metric="epoch")

    def _send(self, send: Callable[[], object]) -> None:
        """Whatever goes wrong in a tracker must not cost a training run."""
        try:
            send()
        except Exception as error:
            log.warning("W&B: %s: %s", type(error).__name__, error)

    def log(self, values: dict[str, float], epoch: int) -> None:
        """Curves: `train/loss`, `val/ndcg_10`, ... against `epoch`."""
        self._send(lambda: self.run.log({"epoch": epoch, **_known(values)}))

    def summary(self, values: dict[str, Any]) -> None:
        """Final values, written to the summary under their own names; None is left out, as W&B does itself."""
        self._send(lambda: self.run.summary.update(_known(values)))

    def figure(self, name: str, path: Path) -> None:
        """A picture from a file."""
        import wandb

        self._send(lambda: self.run.log({f"figures/{name}": wandb.Image(str(path))}))

    def table(self, name: str, frame: pd.DataFrame) -> None:
        """A table, its strings as plain objects, in which no character steers the page that shows them."""
        import wandb

        plain = frame.astype({c: object for c in frame if not pd.api.types.is_numeric_dtype(frame[c])})
        plain = plain.map(_shown).rename(columns=_shown)
        self._send(lambda: self.run.log({f"tables/{name}": wandb.Table(dataframe=plain)}))

    def artifact(self, name: str, kind: str, files: Iterable[Path], metadata: dict[str, Any]) -> None:
        """A version of an artifact. Its files are copied at once, so that a later run may replace them; an offline run
        sends the copies when it is synchronised."""
        import wandb

        def send() -> None:
            artifact = wandb.Artifact(artifact_name(name), type=kind, metadata=metadata)
            for file in files:
                artifact.add_file(str(file), name=file.name, skip_cache=True)
            self.run.log_artifact(artifact)

        self._send(send)

    def finish(self) -> None:
        """Close the run; everything is on disk when this returns."""
        self._send(lambda: self.run.finish())


def _shown(cell: Any) -> Any:
    return visible(cell) if isinstance(cell, str) else cell


def _known(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def how_to_see(run: Path) -> str:
    """The two commands that an offline run is looked at and sent with, as they work from the working folder.

    `leet` gets the folder of all runs, where they can be compared; `sync` gets this one.
    """
    beside = Path(sys.executable).parent / "wandb"
    wandb = "wandb" if shutil.which("wandb") or not beside.exists() else shlex.quote(display(beside))
    folder, run_folder = (shlex.quote(display(path)) for path in (run.parent, run))
    return f"{wandb} leet {folder}   or   {wandb} sync {run_folder}"


def artifact_name(name: str) -> str:
    """A name as W&B allows it for an artifact.

    >>> artifact_name("my data-listen-als-tuned")
    'my-data-listen-als-tuned'
    """
    return re.sub(r"[^A-Za-z0-9_.-]", "-", name)[:128]


@dataclass(frozen=True)
class RunIdentity:
    """What makes a run comparable with others: one group per split, one run per model, preset and seed."""

    model: str
    stage: str
    preset: str
    dataset: str
    split_folder: str
    split_sha256: str
    phase: str
    seed: int


def resolve_mode(requested: str) -> str:
    """online, offline or disabled. `auto`: WANDB_MODE, else online if a key is configured, else offline."""
    if requested != "auto":
        return requested
    named = os.environ.get("WANDB_MODE", "").lower()
    if named in ("online", "offline", "disabled"):
        return named
    return "online" if has_key() else "offline"


def has_key() -> bool:
    """Whether a key is configured: WANDB_API_KEY, or ~/.netrc for the host of WANDB_BASE_URL."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urlsplit(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or ""
    path = Path(os.environ.get("NETRC", Path.home() / ".netrc"))
    try:
        return netrc.netrc(path).authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False


def project() -> str:
    """The project of all runs: WANDB_PROJECT, else encore."""
    return os.environ.get("WANDB_PROJECT") or PROJECT


def start(requested: str, output_dir: Path, identity: RunIdentity, config: dict[str, Any]) -> NullTracker:
    """Start tracking one run under `<output_dir>/wandb`. Never prompts, never fails: at worst nothing is tracked."""
    mode = resolve_mode(requested)
    if mode == "disabled":
        return NullTracker()
    for attempt in ["offline"] if mode == "offline" or _failed else [mode, "offline"]:
        try:
            _make_folders(output_dir)
            return WandbTracker(_init(attempt, identity, config))
        except Exception as error:  # whatever goes wrong in a tracker must not cost a training run
            _failed.append(attempt)
            log.warning("W&B %s: %s", attempt, str(error).splitlines()[0] if str(error) else type(error).__name__)
    return NullTracker()


def _make_folders(output_dir: Path) -> None:
    for variable, folder in (("WANDB_DIR", output_dir), ("WANDB_DATA_DIR", output_dir / "wandb-data")):
        os.environ.setdefault(variable, str(folder.resolve()))
        Path(os.environ[variable]).mkdir(parents=True, exist_ok=True)


def _init(mode: Any, identity: RunIdentity, config: dict[str, Any]) -> Any:
    import wandb

    split = f"{identity.dataset}-{identity.split_folder}-{identity.split_sha256[:8]}"
    return wandb.init(
        project=project(),
        mode=mode,
        name=f"{identity.model}-{identity.preset}-seed{identity.seed}",
        group=split,
        job_type=identity.stage,
        tags=[identity.preset, identity.phase],
        config=config,
        reinit="create_new",
        settings=wandb.Settings(console="off", silent=True, init_timeout=10, x_disable_stats=True),
    )
