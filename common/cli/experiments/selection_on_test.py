"""What choosing on test would have claimed: every trial of a search, on a split that served no search.

    python -m common selection-on-test --models als ials graph_filter --protocol listen --split-seed 90

It comes after all choices, on a split seed that serves nothing else: it changes no preset and no run. Every trial that
`python -m common search` has written down is fitted and evaluated on that split, as validation and as test. Each
trial's figures are kept as soon as it ends, so the same command goes on where it was stopped.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any

import pandas as pd

from common.experiments.analysis.selection_on_test import CHOICES, GROWTH, Measured, choices, growth, measure
from common.experiments.analysis.trials import TRIALS, TrialFiles, settings_of
from common.experiments.experiment import Experiment
from common.experiments.flags import command, parse
from common.experiments.presets import preset_values
from common.experiments.settings import DataSettings, ModelSettings, Seed
from common.models.registry import MODELS, stage_of
from common.plots import search as plots
from common.reporting.markdown_blocks import Table, fill_page, read_page
from common.splits.protocols import PROTOCOLS
from common.splits.store import folder_name
from common.utils.errors import UserError, check_known
from common.utils.io import display
from common.utils.settings import Range
from common.utils.terminal import titled

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings(DataSettings):
    """Fit every trial of a search on a split of its own; compare choosing on test with choosing on validation."""

    models: tuple[str, ...] = ("als", "ials", "graph_filter")
    """Which models' trials."""
    protocol: str = "listen"
    """Which protocol they were searched on."""
    split_seed: Seed = 90
    """Seed that draws the split on which they are evaluated; it should serve nothing else."""
    search_seed: Seed = 0
    """Seed of the split on which they were searched."""
    seed: Seed = 0
    """The models' own seed, and that of the search."""
    trials: Annotated[int, Range(0, 10**6)] = 0
    """Only the first so many trials of each model; 0: all."""
    preset: str = "tuned"
    """The preset that gives the values of settings that were not searched."""
    results: Path = TRIALS
    """Folder that holds the trials, as `python -m common search` writes them."""
    page: Path | None = None
    """Markdown page whose block <!-- selection-on-test DATASET SPLIT --> is written anew; the figure lies beside it."""

    def check(self) -> None:
        """Raise a UserError for the first flag that makes no sense."""
        super().check()
        check_known("protocol", PROTOCOLS, self.protocol)
        check_known("model", MODELS, *self.models)
        if len(set(self.models)) < len(self.models) or not self.models:
            raise UserError("--models: name one model or more, each once")
        if self.split_seed == self.search_seed:
            raise UserError(
                f"--split-seed {self.split_seed}: the trials were made on that split; give a seed that served no search"
            )

    def experiment(self, model: str, split_seed: int) -> Experiment:
        """The experiment of a model on a split."""
        shared = {field.name: getattr(self, field.name) for field in fields(DataSettings)} | {"split_seed": split_seed}
        about = ModelSettings(**shared, protocol=self.protocol, seed=self.seed, preset=self.preset)
        return Experiment(about, stage_of(model))


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Read all trials, measure them, print, draw, and fill a page if one is named."""
    settings = parse(Settings, argv)
    name, split = settings.load_data().name, folder_name(settings.protocol, settings.split_seed)
    marker, page = f"selection-on-test {name} {split}", read_page(settings.page) if settings.page else ""
    if settings.page and f"<!-- {marker} -->" not in page:
        raise UserError(f"--page {settings.page} has no line <!-- {marker} -->; add one to fill")
    asked = {model: searched(settings, model) for model in settings.models}
    found: dict[str, Measured] = {}
    for model, (trials, tried) in asked.items():
        with settings.experiment(model, settings.split_seed) as exp:
            found[model] = measure(exp, MODELS[model], trials, tried)
    tables = [Table(list(CHOICES), choices(found), texts=2), Table(list(GROWTH), growth(found), texts=1)]
    for table in tables:
        lines = titled(f"{name} / {split}: choosing on test", [table.header, *table.cells], texts=table.texts)
        log.info("\n%s", "\n".join(lines))
    drawn = draw(found, f"{name}, {split}", settings.output_dir / name / split / "figures" / "selection_on_test.png")
    log.info("\nfigure: %s", display(drawn))
    if settings.page:
        draw(found, f"{name}, {split}", settings.page.parent / f"{name}-{split}-selection-on-test.png")
        fill_page(settings.page, page, {marker: "\n".join(table.markdown() for table in tables)}, name)


def searched(settings: Settings, model: str) -> tuple[pd.DataFrame, list[Any]]:
    """The trials of a model that have a value, as far as they are asked for, and the settings of each."""
    exp, kind = settings.experiment(model, settings.search_seed), MODELS[model]
    start = preset_values(settings.preset, exp.data.presets, settings.protocol, model, kind.Settings)
    files = TrialFiles(settings.results, exp.data.name, exp.split)
    table = files.read(exp.search(kind), start)
    if len(table):
        table = table[table["ndcg_10"].notna()].head(settings.trials or len(table))
    if not len(table):
        raise UserError(
            f"{display(files.path(model))} holds no trials; python -m common search --models {model} makes them"
        )
    return table, settings_of(table, start, display(files.path(model)))


def draw(found: dict[str, Measured], title: str, path: Path) -> Path:
    """The figure of all trials; returns its path."""
    trials = {model: (measured.valid, measured.test) for model, measured in found.items()}
    excess = {model: [measured.excess(n + 1) for n in range(len(measured.valid))] for model, measured in found.items()}
    plots.selection_on_test(trials, excess, title, path)
    return path
