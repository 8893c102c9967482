"""Searches several models' settings with the same CPU seconds each, and writes every trial down.

    python -m common search --models als ials graph_filter --protocol listen --cpu-seconds 600

The first model is the reference: another one whose best trial is below the reference's best after a third of its
seconds ends there. Studies are kept under outputs/ and gone on with: the same command with more seconds adds trials.
Where a study is gone, the search goes on from the trials that were written down.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any

import pandas as pd

from common.experiments.analysis.trials import HEADER, TRIALS, TrialFiles, summary
from common.experiments.experiment import Experiment
from common.experiments.flags import command, parse
from common.experiments.presets import PRESETS, preset_values
from common.experiments.settings import DataSettings, ModelSettings, Seed
from common.experiments.tuning import Budget, Found, Search, searchable, tune, write_preset
from common.models.base import Recommender
from common.models.registry import MODELS, stage_of
from common.reporting.markdown_blocks import Table, fill_page, read_page
from common.splits.protocols import PROTOCOLS
from common.utils.errors import UserError, check_known
from common.utils.io import display
from common.utils.settings import Range
from common.utils.terminal import titled

PAGE = "README.md"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings(DataSettings):
    """Search several models' settings on validation, with the same CPU seconds each; write every trial down."""

    models: tuple[str, ...] = ("als", "ials", "graph_filter")
    """Which models; the first is the reference that the others must reach after a third of their seconds."""
    protocol: str = "listen"
    """On which protocol's validation part."""
    seed: Seed = 0
    """The models' own seed, and that of the search."""
    cpu_seconds: Annotated[float, Range(0.0, 1e7)] = 600.0
    """What all trials of a model may take; a trial that has begun is not broken off. 0 only writes what is there."""
    start: str = "tuned"
    """The preset whose settings are the first trial."""
    start_protocol: str | None = None
    """The protocol whose settings of that preset are the first trial; without it the protocol's own."""
    preset: str = "tuned"
    """The preset that receives the best settings, in presets/<dataset>.toml; only where split seed is 0."""
    presets: Path = PRESETS
    """Folder of the presets."""
    results: Path = TRIALS
    """Folder that receives the trials and the figure, and whose README.md has a block <!-- trials DATASET SPLIT -->.
    Trials that it holds of the same search are gone on with."""

    def check(self) -> None:
        """Raise a UserError for the first flag that makes no sense."""
        super().check()
        check_known("protocol", PROTOCOLS, self.protocol, *filter(None, [self.start_protocol]))
        check_known("model", MODELS, *self.models)
        if len(set(self.models)) < len(self.models) or not self.models:
            raise UserError("--models: name one model or more, each once, the reference first")
        if fixed := [name for name in self.models if not searchable(MODELS[name].Settings)]:
            raise UserError(f"--models {fixed[0]}: it has no settings to search; leave it out")

    def experiment(self, model: str) -> Experiment:
        """The experiment that searches a model's settings; it never opens test."""
        shared = {field.name: getattr(self, field.name) for field in fields(DataSettings)}
        about = ModelSettings(**shared, protocol=self.protocol, seed=self.seed, preset=self.start, phase="select")
        return Experiment(about, stage_of(model))

    def files(self, exp: Experiment) -> TrialFiles:
        """Where the trials are written down."""
        return TrialFiles(self.results, exp.data.name, exp.split)

    def first(self, exp: Experiment, kind: type[Recommender]) -> Any:
        """A model's settings in the first trial."""
        protocol = self.start_protocol or self.protocol
        return preset_values(self.start, exp.data.presets, protocol, kind.name, kind.Settings)


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Search each model, write its preset, then what all of them tried."""
    settings = parse(Settings, argv)
    trials: dict[str, pd.DataFrame] = {}
    studies: dict[str, str] = {}
    to_beat = 0.0
    for model in settings.models:
        with settings.experiment(model) as exp:
            search, start = exp.search(MODELS[model]), settings.first(exp, MODELS[model])
            settings.files(exp).go_on(search, start)
            if settings.cpu_seconds:
                _search(exp, search, start, settings, to_beat)
            if len(table := search.every_trial(start)):
                trials[model], studies[model] = table, search.name(start)
                to_beat = to_beat or float(table["ndcg_10"].max())
    if not trials:
        raise UserError(f"no trials of {', '.join(settings.models)} on {exp.split}; give --cpu-seconds to search")
    _conclude(trials, studies, exp, settings)


def _search(exp: Experiment, search: Search, start: Any, settings: Settings, to_beat: float) -> None:
    """Search one model's settings and write its preset."""
    found = tune(search, start, Budget(cpu_seconds=settings.cpu_seconds, to_beat=to_beat))
    if found.ndcg < to_beat and found.cpu_seconds < settings.cpu_seconds:
        log.info("%s: below the reference after a third of its seconds, stopped there", search.model)
    _keep(exp, search.model, found, settings)


def _keep(exp: Experiment, model: str, found: Found, settings: Settings) -> None:
    if settings.split_seed:
        log.info("not written to presets/: validation pairs of one split are test pairs of another")
        return
    path = settings.presets / f"{exp.data.presets}.toml"
    write_preset(path, model, settings.protocol, found, settings.preset)


def _conclude(trials: dict[str, pd.DataFrame], studies: dict[str, str], exp: Experiment, settings: Settings) -> None:
    """Print, write and draw what was tried, and fill the page where it has a block for it."""
    table = Table(list(HEADER), summary(trials), texts=1)
    log.info(
        "\n%s", "\n".join(titled(f"{exp.data.name} / {exp.split}: searches", [table.header, *table.cells], texts=1))
    )
    written = settings.files(exp).write(trials, studies)
    log.info("trials: %s", ", ".join(map(display, written)))
    marker, page = f"trials {exp.data.name} {exp.split}", settings.results / PAGE
    if page.exists() and f"<!-- {marker} -->" in (content := read_page(page)):
        fill_page(page, content, {marker: table.markdown()}, exp.data.name)
