"""One model through both phases: fit, rank, measure, write, track. Every stage with models calls this."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from common.data.dataset import Dataset, load_dataset
from common.evaluation.core_metrics import write_core_metrics
from common.evaluation.evaluator import Evaluator
from common.evaluation.recommendations import Evaluation
from common.evaluation.task import Task
from common.experiments import artifacts, tracking
from common.experiments.presets import preset_label, preset_values
from common.experiments.run import PARTS, hash_config, is_complete, run_config, write_results
from common.experiments.settings import ModelSettings
from common.models.base import Recommender
from common.plots.model_comparison import draw_accuracy
from common.splits.train_view import TrainView
from common.training.context import FitContext
from common.utils import distributed as parallel
from common.utils import environment as machine
from common.utils.io import strict, write_json
from common.utils.logs import log_file

log = logging.getLogger(__name__)


PROBES = 3


Report = Callable[[dict[str, float], int], None]


Curves = dict[str, list[float]]


class Experiment:
    """The data, the split and the scorers that the models of one command share."""

    def __init__(self, settings: ModelSettings, stage: str, device: str = "cpu") -> None:
        self.settings, self.stage, self.device = settings, stage, device
        self.machine = machine.about_machine(device)
        self.train: dict[str, TrainView] = {}
        self.evaluators: dict[str, Evaluator] = {}
        with parallel.main_first():
            self.data: Dataset = load_dataset(settings.dataset, settings.data_dir, settings.synthetic)
            task = Task(self.data, settings.split_folder)
            for phase in settings.phases:
                self.evaluators[phase] = task.valid if phase == "select" else task.test
                self.train[phase] = self.evaluators[phase].train
        self.hint = ""
        log.info(
            "%s | %s | %s users x %s items, %s visible interactions | %s",
            self.data.name,
            settings.split_folder,
            *(f"{n:,}" for n in (self.select.n_users, self.select.n_items, len(self.select.interactions))),
            device,
        )

    @property
    def select(self) -> TrainView:
        """What the select phase shows: the data of every choice."""
        return self.train["select"]

    @property
    def folder(self) -> Path:
        """Folder of this data set's and split's results."""
        return self.settings.output_dir / self.data.name / self.settings.split_folder

    @property
    def has_times(self) -> bool:
        """Whether the interactions of this protocol carry times."""
        return "timestamp" in self.select.interactions

    def preset(self, kind: type[Recommender], settings: Any) -> str:
        """Name of the preset folder: the preset's own, or a derived one where flags changed the settings."""
        flags = self.settings
        as_preset = preset_values(flags.preset, self.data.presets, flags.protocol, kind.name, kind.Settings)
        return preset_label(flags.preset, settings, as_preset)

    def run_folder(self, kind: type[Recommender], settings: Any) -> Path:
        """Folder of one model's run."""
        return self.folder / kind.name / self.preset(kind, settings) / f"seed{self.settings.seed}"

    def load(self, kind: type[Recommender], settings: Any) -> Recommender:
        """The model that `run` has kept."""
        return kind.load(self.run_folder(kind, settings) / "model", self.select)

    def run(self, kind: type[Recommender], settings: Any) -> None:
        """Fit and score a model in every phase, and keep all of it under `outputs/`."""
        flags, preset = self.settings, self.preset(kind, settings)
        folder = self.run_folder(kind, settings)
        config = run_config(flags, self.stage, kind, settings, preset, self.data, self.select.split_sha256)
        if flags.resume and is_complete(folder, kind, config, flags.phases):
            log.info("%-14s complete already, skipped", kind.name)
            return
        if not parallel.is_main():  # helps to train; the first process does all else
            self._train_along(kind, settings, folder)
            return
        identity = tracking.RunIdentity(
            model=kind.name,
            stage=self.stage,
            preset=preset,
            dataset=self.data.name,
            split_folder=flags.split_folder,
            split_sha256=self.select.split_sha256,
            phase=flags.phase,
            seed=flags.seed,
        )
        tracker = tracking.start(flags.wandb, flags.output_dir, identity, config)
        try:
            with log_file(folder / "log.txt"):
                model = kind(settings, seed=flags.seed, device=self.device)
                self._phases(model, folder, config, tracker)
        finally:
            tracker.finish()
        self.hint = tracker.hint

    def fit(self, model: Recommender, phase: str, folder: Path | None = None, report: Report | None = None) -> None:
        """Fit a model on what a phase shows. One that is trained in epochs is judged on validation in `select`, and
        keeps its checkpoints under `folder`."""
        checkpoints = None if folder is None else folder / "training" / phase
        context = FitContext(checkpoints, self.settings.resume, report, self.data.sha256)
        if phase == "select":
            model.fit(self.train[phase], self.evaluators[phase], context)
        else:
            model.refit(self.train[phase], context)

    def _train_along(self, kind: type[Recommender], settings: Any, folder: Path) -> None:
        model = kind(settings, seed=self.settings.seed, device=self.device)
        for phase in self.settings.phases:
            self.fit(model, phase, folder)

    def _phases(self, model: Recommender, folder: Path, config: dict, tracker: tracking.NullTracker) -> None:
        summary: dict[str, Any] = {}
        curves: Curves = {}
        for phase in self.settings.phases:

            def report(values: dict[str, float], epoch: int, phase: str = phase) -> None:
                tracker.log(strict({curve_name(name, phase): value for name, value in values.items()}), epoch)

            evaluation, costs = self._fit_and_score(model, phase, folder, report)
            curves |= {curve_name(name, phase): values for name, values in model.curves.items()}
            record = evaluation.metrics | costs | self._about(config, phase)
            write_results(folder / PARTS[phase], evaluation, record)
            write_core_metrics(folder)
            shown = ("ndcg_10", "recall_20", "hr_5_sampled99", "coverage_10")
            figures = "  ".join(f"{key} {record[key]:.4f}" for key in shown)
            log.info("%-14s %-6s %s  (fit %.1f s)", model.name, phase, figures, record["fit_seconds"])
            # The summary's own keys are those of the last phase's metrics.json; validation stays beside them.
            summary = {f"valid/{key}": value for key, value in summary.items() if isinstance(value, float)} | record
        newest = phase == "final" or not (folder / "test").exists()
        if newest:  # a final model stays beside the test results it gave
            write_json(folder / "config.json", config)
            model.save(folder / "model")
        title = f"{model.name}, {self.data.name}, {self.settings.split_folder}"
        parts = [PARTS[phase] for phase in self.settings.phases]
        tracker.figure("accuracy_by_k", draw_accuracy(folder, parts, title))
        if curves:
            write_json(folder / "curves.json", curves)
        tracker.summary(strict(summary))
        tracker.table("top10", top_ten(evaluation.recommendations, self.train[phase]))
        if tracker.is_on:  # copying is not free
            model_folder = folder / "model" if newest else None
            artifacts.keep(tracker, record, folder / PARTS[phase], model_folder, self.settings.artifact_mb)

    def _fit_and_score(
        self, model: Recommender, phase: str, folder: Path, report: Report
    ) -> tuple[Evaluation, dict[str, float]]:
        evaluator = self.evaluators[phase]
        self.fit(model, phase, folder, report)
        evaluation = evaluator.evaluate(model)
        costs = {
            **evaluation.costs,
            "model_mb": model.nbytes() / 2**20,
            "peak_rss_mb": machine.peak_rss_mb(),
            **model.costs,
        }
        return evaluation, costs

    def _about(self, config: dict[str, Any], phase: str) -> dict[str, Any]:
        kept = ("model", "stage", "preset", "dataset", "protocol", "split_seed", "seed", "split_sha256")
        return {key: config[key] for key in kept} | {
            "phase": phase,
            "config_sha256": hash_config(config),
            **self.machine,
        }


def curve_name(name: str, phase: str) -> str:
    """What a curve is called: that of `final`, where nothing is chosen any more, beside that of `select`.

    >>> curve_name("train/loss", "select"), curve_name("train/loss", "final")
    ('train/loss', 'refit/loss')
    """
    return name if phase == "select" else "refit/" + name.split("/")[-1]


def top_ten(recommendations: pd.DataFrame, train: TrainView) -> pd.DataFrame:
    """The ten best items of the first few users, by name."""
    users = recommendations["user_id"].astype(object).drop_duplicates().iloc[:PROBES]
    top = recommendations[recommendations["user_id"].isin(users) & (recommendations["rank"] <= 10)]
    named = top.assign(user_id=top["user_id"].astype(object), item_id=top["item_id"].astype(object))
    if "name" not in train.items:
        return named.assign(name=named["item_id"])
    names = train.items.set_index("item_id")["name"].astype(object)
    return named.assign(name=named["item_id"].map(names).fillna(named["item_id"]))
