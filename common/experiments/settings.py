"""The flags that every script has, as frozen dataclasses, and the device that they mean."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from common.cluster.settings import SPARK, EngineSettings
from common.data.dataset import Dataset, load_dataset
from common.data.reading.schema import MISSING_CHOICES
from common.data.synthetic.settings import SyntheticSettings
from common.splits.protocols import PROTOCOLS
from common.splits.store import folder_name
from common.splits.train_view import PHASES
from common.utils.device import choose_device, choose_torch_device
from common.utils.errors import LARGEST, check_known
from common.utils.io import ROOT
from common.utils.settings import Range, check_ranges

if TYPE_CHECKING:
    from common.models.base import Recommender

Seed = Annotated[int, Range(0, LARGEST)]


@dataclass(frozen=True)
class DataSettings:
    """Flags that every stage has: which data, where files lie, how the run is tracked."""

    dataset: str = "auto"
    """lastfm-2k, lastfm-360k, lastfm-1k, yambda-50m, yambda-500m, synthetic, the path of a folder of your own, or auto:
    lastfm-2k if it can be had, else synthetic."""
    download: bool = True
    """Download the files of a data set where they are missing; --no-download never asks the network for data,
    nor do several processes under torchrun."""
    split_seed: Seed = 0
    """Seed that draws the split; 0 is the published one."""
    missing: str | None = None
    """Rows of your own tables that lack an id (empty, NA, NULL, ...): refuse, drop or keep (as names); without it as
    the tables were prepared before, at first refuse."""
    deduplicate: bool = False
    """Make the spellings of each artist one (case, accents and punctuation aside, or nearly the same and much rarer);
    the data set is then called NAME-deduplicated, has results of its own, and is another value of --dataset."""
    wandb: str = "auto"
    """auto, online, offline or disabled; auto: WANDB_MODE, else online if a key is configured, else offline."""
    data_dir: Path = ROOT / "data"
    """Folder of raw files (raw/) and prepared data."""
    output_dir: Path = ROOT / "outputs"
    """Folder that receives every result."""
    memory: str = "auto"
    """Memory that this process may take, such as 6GB; auto: 70% of the machine's, or of what its container is allowed.
    Large work is cut into blocks that fit, and what cannot be cut is refused. It changes no result."""
    test_users: Annotated[int | None, Range(1, LARGEST)] = None
    """Of a folder that `python -m common prepare` wrote, evaluate at most so many users, drawn by the split seed;
    without it as many as before, at first 100,000. It is part of the split: other users, another hash."""
    verify: bool = False
    """Check stored files of 64 MB and more by their hash, too, not by size and time alone."""
    synthetic: SyntheticSettings = field(default_factory=SyntheticSettings)
    """Size and seed of the generated data set."""

    def check(self) -> None:
        """Raise a UserError for the first flag that makes no sense."""
        if self.missing is not None:
            check_known("value of --missing", MISSING_CHOICES, self.missing)
        check_known("value of --wandb", ("auto", "online", "offline", "disabled"), self.wandb)
        check_ranges("", self)

    def load_data(self) -> Dataset:
        """The data set that the flags name, prepared first where it is not."""
        return load_dataset(self.dataset, self.data_dir, self.synthetic, self.missing, self.test_users)


@dataclass(frozen=True)
class ResultSettings:
    """Flags of commands that read finished runs."""

    runs: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    """Folders outputs/DATASET/PROTOCOL/MODEL/PRESET/seedK, or MODEL, MODEL/PRESET, MODEL/PRESET/seedK of --dataset and
    --protocol."""
    dataset: str = "auto"
    """Folder under outputs/; auto: lastfm-2k if it has results, else the only one that has any."""
    protocol: str = "listen"
    """Folder of the protocol, such as listen, next or listen-s2."""
    part: str = "auto"
    """test, valid, or auto: test if every run has opened it, else valid."""
    output_dir: Path = ROOT / "outputs"
    """Folder that holds the results."""
    verify: bool = False
    """Check stored files of 64 MB and more by their hash, too, not by size and time alone."""

    def check(self) -> None:
        """Raise a UserError for a part that there is not."""
        check_known("value of --part", ("auto", "test", "valid"), self.part)


@dataclass(frozen=True)
class ModelSettings(DataSettings):
    """Flags that every stage with models has."""

    protocol: str = "listen"
    """listen, listen-stratified, next, next-shuffled, newcomer, temporal, random-8020 or random-811: what is held out
    and predicted."""
    seed: Seed = 0
    """The model's own seed; it does not touch the split."""
    preset: str = "tuned"
    """tuned (chosen on validation), classic (the textbook's settings), or a name from presets/."""
    phase: str = "final"
    """final: choose on validation, then refit and score test. select: stop before test."""
    device: str = "auto"
    """auto, cpu or cuda."""
    tune: Annotated[int, Range(0, 1_000_000)] = 0
    """Search this many settings on validation and write the best into the preset; 0 does not search."""
    artifact_mb: Annotated[int, Range(0, 1_000_000)] = 100
    """Models and lists of up to this many MiB each are kept in W&B, too, as artifacts; 0 keeps none."""
    resume: bool = False
    """Skip models whose results for these very settings are complete; go on with a training that was stopped."""
    compare: bool = True
    """At the end draw the figures that compare all rows of the split; --no-compare leaves that to
    `python -m common report`."""

    def check(self) -> None:
        """Raise a UserError for the first flag that makes no sense."""
        super().check()
        check_known("phase", PHASES, self.phase)
        check_known("protocol", PROTOCOLS, self.protocol)
        check_known("device", ("auto", "cpu", "cuda"), self.device)

    @property
    def on_spark(self) -> bool:
        """Whether a cluster fits the models."""
        return False

    def of_engine(self, preset: str) -> str:
        """What a row of a preset is called: after its engine, where that is not the local one."""
        return f"{preset}-{SPARK}" if self.on_spark and SPARK not in preset.split("-") else preset

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of the split that this run scores."""
        return ("valid",) if self.phase == "select" else ("valid", "test")

    @property
    def split_folder(self) -> str:
        """Folder name of the split: protocol and split seed."""
        return folder_name(self.protocol, self.split_seed)


@dataclass(frozen=True)
class SparkModelSettings(EngineSettings, ModelSettings):
    """Flags of stages with models that Spark can fit."""

    def check(self) -> None:
        """Raise a UserError for the first flag that makes no sense."""
        super().check()
        self.check_engine()

    @property
    def on_spark(self) -> bool:
        """Whether a cluster fits the models."""
        return self.engine == SPARK


def device_for(args: ModelSettings, models: "Sequence[type[Recommender]]") -> tuple[str, str]:
    """The device that `--device` means for a stage's models, and how a log line tells of it.

    Raises a UserError for a device that is not there, and for a precision that it lacks.
    """
    from common.models.linear.als import ALS, devices
    from common.models.neural.base import Neural

    networks = [model for model in models if issubclass(model, Neural)]
    if not networks:
        device = choose_device(args.device, devices() if ALS in models else ("cpu",)).name
        return device, device
    from common.training.precision import precision_of

    chosen = choose_torch_device(args.device)
    precisions = {precision_of(chosen.name, getattr(args, model.name).precision) for model in networks}
    return chosen.name, f"{chosen.name} ({chosen.reason}), {', '.join(sorted(precisions))}"
