"""An experiment: the data, the split and the runs of one command. What the stage scripts hold as `exp`."""

import contextlib
import dataclasses
import logging
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self, cast

import pandas as pd

from common.data.dataset import Dataset
from common.evaluation.evaluator import Evaluator, NoEvaluation
from common.evaluation.task import Task
from common.experiments.ensemble_weights import tune_weights
from common.experiments.live_run import LiveRun
from common.experiments.outputs import RowResults, plot, results_of_rows, rows_of
from common.experiments.presets import PRESETS, preset_label, preset_values, read_settings
from common.experiments.processes.together import forget_checkpoints, goes_on, named_models, task_of
from common.experiments.run import PARTS, Run, RunKey, run_config
from common.experiments.settings import ModelSettings, device_for
from common.experiments.stored.adoption import adopt
from common.experiments.stored.kept_tables import write_kept
from common.experiments.tuning import Budget, Found, Report, Search, tune, write_preset
from common.models.base import Recommender
from common.models.ensemble import Ensemble
from common.plots import search as plots
from common.splits.train_view import TrainView
from common.training.context import FitContext
from common.utils import distributed
from common.utils.environment import about_machine
from common.utils.errors import UserError
from common.utils.io import display
from common.utils.logs import log_once
from common.utils.memory import require
from common.utils.settings import NoSettings, setting_parts
from common.utils.temporary import sweep

PREPROCESSING = (
    *("common.features.preprocessing.preprocessor", "common.models.neural.listnet.inputs"),
    "common.models.knn.content_knn",
)
"""Loggers that would say the same for every phase."""
log = logging.getLogger(__name__)


class Experiment(contextlib.AbstractContextManager):
    """What the models of one command share. Used in a `with` block, which under torchrun joins the other processes.

    args: the command's flags. models: the stage's models; `--device auto` means the best device that all of them can
    use, and a precision that this device lacks is refused before anything is read.
    """

    def __init__(self, args: ModelSettings, stage: str, models: Sequence[type[Recommender]] = ()) -> None:
        self.args, self.stage, self.split, self.models = args, stage, args.split_folder, models
        self.part = PARTS[args.phase]
        """The last part of the split that this command scores: `valid` with `--phase select`, else `test`."""
        self.is_main = distributed.is_main()
        """Whether this process writes and reports; the others of torchrun only help to train."""
        self.device, self.device_note = device_for(args, models)
        self.machine = about_machine(self.device)
        self.settings = {m.name: getattr(args, m.name) for m in models if m.Settings is not NoSettings}
        self.resume = goes_on(args.resume)
        self.shared: dict[Any, Any] = {}
        """What a fit leaves for the next: cross-fitted training data."""
        self.hint = ""
        self._stack, self._run, self._group = (contextlib.ExitStack() for _ in range(3))

    def __enter__(self) -> Self:
        """Join the other processes, and say what the experiment is about."""
        self._stack.enter_context(self._group)
        self._group.enter_context(distributed.group(self.device))
        self._stack.enter_context(log_once(*PREPROCESSING))
        with distributed.main_first():
            for folder in (self.folder, self.data.folder) if self.is_main else ():
                sweep(folder)
        train = self.valid.train
        sizes = (f"{n:,}" for n in (train.n_users, train.n_items, len(train.histories.items)))
        about = "%s | %s | %s users x %s items, %s visible interactions | %s"
        log.info(about, self.data.name, self.split, *sizes, self.device_note)
        return self

    def __exit__(self, *_: object) -> None:
        """Close the run that an error has interrupted, and leave the other processes."""
        self._run.close()
        self._stack.close()

    # Data

    @cached_property
    def data(self) -> Dataset:
        """The prepared data set."""
        return self.args.load_data()

    @cached_property
    def task(self) -> Task:
        """The train views and evaluators of the split, each made when first used."""
        return task_of(self.data, self.split, named_models(self.args, self.models))

    @property
    def train(self) -> TrainView:
        """Train alone: what choices are made on."""
        return self.task.train

    @property
    def valid(self) -> Evaluator:
        """The evaluator on validation."""
        return self.task.valid if self.is_main else cast(Any, NoEvaluation(self.train))

    @property
    def train_valid(self) -> TrainView:
        """Train and validation: what the final model is fitted on."""
        return self.task.train_valid

    @property
    def test(self) -> Evaluator:
        """The evaluator on test."""
        return self.task.test if self.is_main else cast(Any, NoEvaluation(self.train_valid))

    @property
    def evaluator(self) -> Evaluator:
        """The evaluator on `part`."""
        return self.valid if self.part == "valid" else self.test

    @property
    def shown(self) -> TrainView:
        """What the last model was fitted on."""
        return self.evaluator.train

    # Runs

    @property
    def folder(self) -> Path:
        """Folder of this data set's and split's results."""
        return self.args.output_dir / self.data.name / self.split

    def runs(self, *models: type[Recommender]) -> Iterator[tuple[Recommender, LiveRun]]:
        """Each chosen model, new and unfitted, with the run that keeps its results.

        Left out are models that `--models` does not name, those that need times where there are none, and with
        `--resume` those whose results are complete. With `--tune` the settings are searched first. A model made of
        others takes the settings that the others have in this command. After the last one the processes part.
        """
        chosen = self._chosen(models)
        forget_checkpoints(map(self.run_of, chosen), self.resume)
        for model in chosen:
            settings = self.settings_of(model)
            if self.args.tune and model.name in self.settings:
                settings = self.settings[model.name] = self.tune(model, settings, self.args.tune)
            run = self._live_run(model, settings)
            if self.args.resume:
                self._adopt(run, model)
            if self.args.resume and run.is_complete(run.new_config, self.args.parts, model.files):
                log.info("%-14s complete already, skipped", model.name)
                if self.is_main:
                    run.write_measures()  # a kill may have come between the results and this summary of them
                continue
            with self._run as running:
                if self.is_main:
                    running.enter_context(run.opened(self.args.wandb, self.args.output_dir, self.args.phase))
                yield model(settings, seed=self.args.seed, device=self.device), run
            self.hint = run.tracker.hint
        self._group.close()

    def _adopt(self, run: Run, model: type[Recommender]) -> None:
        with distributed.main_first():
            if self.is_main:
                adopt(run, model)

    def _chosen(self, models: Sequence[type[Recommender]]) -> list[type[Recommender]]:
        chosen = named_models(self.args, models)
        has_times = self.train.histories.timestamps is not None
        for model in chosen:
            if model.needs_times and not has_times:
                log.info("%s is left out: nothing has a time here", model.name)
        timely = [model for model in chosen if has_times or not model.needs_times]
        return [model for model in timely if distributed.share(self._fits(model), self.device)]

    def _fits(self, model: type[Recommender]) -> bool:
        """Whether there is memory for a model; a UserError for one that was asked for by hand."""
        if self.args.on_spark:
            return True
        try:
            unfitted = model(self.settings_of(model), seed=self.args.seed, device=self.device)
            require(model.name, *unfitted.needed_memory(self.train))
        except UserError as error:
            if getattr(self.args, "models", ()) != getattr(type(self.args), "models", None):
                raise
            log.info("%s is left out: %s", model.name, error)
            return False
        return True

    def settings_of(self, model: type[Recommender]) -> Any:
        """A model's settings: the preset's, changed by flags and by what was searched in this command; its parts' too.

        A part that neither has changed stays as the whole's preset has it, which may start from another one.
        """
        settings = self.settings.get(model.name)
        if settings is None:
            settings = self._preset(model.name, model.Settings)
        parts = {name: kind for name, kind in setting_parts(type(settings)).items() if name in self.settings}
        changed = {name: self.settings[name] for name, kind in parts.items() if self._is_changed(name, kind)}
        return dataclasses.replace(settings, **changed)

    def _is_changed(self, name: str, kind: type) -> bool:
        given = getattr(self.args, name)  # a search puts its own in place, and may write them into the preset
        return self.settings[name] is not given or given != self._preset(name, kind)

    def run_of(self, model: type[Recommender]) -> Run:
        """The run of a model with its settings in this command, whether it is there or not."""
        return Run.at(self.args.output_dir, self._key(model, self.settings_of(model)))

    def config_of(self, model: type[Recommender]) -> dict[str, Any]:
        """Everything that a model's run depends on with its settings in this command."""
        return self._config(model, self.settings_of(model))

    def _config(self, model: type[Recommender], settings: Any) -> dict[str, Any]:
        about = (self.stage, self.args.protocol, self.args.split_seed, settings)
        return run_config(self._key(model, settings), *about, self.data.sha256, self.train.split_sha256)

    def _key(self, model: type[Recommender], settings: Any) -> RunKey:
        preset = self.args.of_engine(preset_label(self.args.preset, settings, self._preset(model.name, model.Settings)))
        return RunKey(self.data.name, self.split, model.name, preset, self.args.seed)

    def _preset(self, name: str, kind: type) -> Any:
        return preset_values(self.args.preset, self.data.presets, self.args.protocol, name, kind)

    def _live_run(self, model: type[Recommender], settings: Any) -> LiveRun:
        key, args, config = self._key(model, settings), self.args, self._config(model, settings)
        context = dataclasses.replace(self.context(), resume=self.resume)
        return LiveRun(args.output_dir, key, config, self.part, context, self.machine, args.artifact_mb)

    def load(self, model: type[Recommender]) -> Any:
        """The model that its run has kept; None where there is none, and where it knows more than is to be scored."""
        run = self.run_of(model)
        if self.part == "valid" and run.has("test"):
            log.info("\n%s: the saved model of an earlier final run knows validation; not shown", model.name)
            return None
        return run.load(model, self.shown) if run.parts else None

    def load_all(self, models: Sequence[type[Recommender]]) -> list[Any]:
        """The models that are kept, of those that `--models` names."""
        loaded = [self.load(model) for model in self._chosen(models)]
        return [model for model in loaded if model is not None]

    def context(self) -> FitContext:
        """For fits that no run keeps: studies of a model. Training data is shared with the runs'."""
        return FitContext(data_sha256=self.data.sha256, shared=self.shared, kept=self.folder / "cross_fits")

    # Settings

    def tune(self, model: type[Recommender], start: Any, trials: int, presets: Path = PRESETS) -> Any:
        """The best of `trials` settings by validation NDCG@10, written into `presets/<dataset>.toml`.

        Validation pairs of one split are test pairs of another: only the published split's choice is written.
        """
        file = presets / f"{self.data.presets}.toml"
        read_settings(file, "tuned", model.name, self.args.protocol)  # a broken file is refused first
        found = self._weights(start, trials) if model is Ensemble else self._searched(self.search(model), start, trials)
        if found is None:
            return start
        if self.args.split_seed:
            log.info("not written to presets/: validation pairs of one split are test pairs of another")
        else:
            write_preset(file, model.name, self.args.protocol, found)
        return found.settings

    def _weights(self, start: Any, trials: int) -> Found | None:
        found = tune_weights(self.data, self.args.split_seed, start, trials, self.args.seed, self.device)
        if found is None:
            return None
        made_of = {"data_sha256": self.data.sha256, "split_seed": self.args.split_seed, "seed": self.args.seed}
        write_kept(self.folder / "ensemble" / "weights.parquet", found.table, made_of)
        values = (found.table, found.by_length)
        path = self.plot("ensemble_tuning", plots.ensemble_weights, *values, part="valid", about="ensemble")
        log.info("what the weights do: %s", display(path))
        return Found(*found[:3])

    def _searched(self, search: Search, start: Any, trials: int) -> Found:
        found = tune(search, start, Budget(trials))
        if values := search.importance(start):
            path = self.plot(f"{search.model}_tuning", plots.search, *values, part="valid", about=search.model)
            log.info("importance of settings: %s", display(path))
        return found

    def search(self, model: type[Recommender]) -> Search:
        """What a search of a model's settings on this split needs."""

        def score(settings: Any, report: Report | None) -> float:
            return self.valid(self.fit(model(settings, seed=self.args.seed, device=self.device), report))

        study = self.folder / model.name / "study.jsonl"
        return Search(model.name, score, study, self.train.split_sha256, self.args.seed)

    def fit(self, model: Recommender, report: Report | None = None) -> Recommender:
        """Fit a model that no run keeps on train, validation watching."""
        return model.fit(self.train, self.valid, dataclasses.replace(self.context(), report=report))

    # Reports

    def plot(
        self, name: str, draw: Callable[..., Any], *values: Any, part: str = "", about: str = "", **named: Any
    ) -> Path:
        """Draw a figure of this split under `figures/`: `draw(*values, title, path)`; returns its path."""
        return plot(self.folder, self.data.name, name, draw, *values, part=part, about=about, **named)

    def rows(self) -> pd.DataFrame:
        """Validation NDCG@10 of every model and preset with results on this split: stage, model, preset, ndcg_10."""
        return rows_of(self.folder, self.train.split_sha256)

    def best_rows(self, beside: type[Recommender], n: int) -> RowResults:
        """The first seed's results of a model's rows and of the `n` rows of others that did best on validation."""
        rows = self.rows()
        own = rows["model"] == beside.name
        return results_of_rows(self.folder, pd.concat([rows[~own].nlargest(n, "ndcg_10"), rows[own]]))

    def all_rows(self) -> RowResults:
        """The first seed's results of every row, all on one part of the split."""
        return results_of_rows(self.folder, self.rows())
