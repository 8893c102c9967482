"""The run that a command is at: results, model and curves go to disk and to the tracker as they come."""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from common.evaluation.curves import curves
from common.evaluation.recommendations import Evaluation
from common.experiments import artifacts, tracking
from common.experiments.run import PARTS, Run, RunKey, hash_config
from common.models.base import Recommender
from common.plots import model_comparison as plots
from common.splits.train_view import TrainView
from common.training.context import FitContext
from common.utils.environment import peak_rss_mb
from common.utils.io import strict
from common.utils.logs import log_file

USERS = 3
"""Users whose top lists go to the tracker."""
LOGGED = ("ndcg_10", "recall_20", "hr_5_sampled99", "coverage_10")
ABOUT = ("model", "stage", "preset", "dataset", "protocol", "split_seed", "seed", "split_sha256")
"""What metrics.json repeats of config.json."""
PHASES = {part: phase for phase, part in PARTS.items()}
log = logging.getLogger(__name__)


class LiveRun(Run):
    """A run that is being made. In a process that only helps to train it keeps nothing.

    new_config: what `config.json` will hold. last: the last part that the command scores. fit_context: what every fit
    is given, here without a folder and a report. machine: where it runs, for `metrics.json`.
    """

    def __init__(
        self,
        root: Path,
        key: RunKey,
        new_config: dict[str, Any],
        last: str,
        fit_context: FitContext,
        machine: dict[str, Any],
        artifact_mb: int,
    ) -> None:
        super().__init__(Run.at(root, key).folder)
        self.new_config, self.last, self.fit_context = new_config, last, fit_context
        self.machine, self.artifact_mb = machine, artifact_mb
        self.tracker = tracking.NullTracker()
        self.noted: dict[str, list[float]] = {}
        """Curves of all parts so far."""
        self.summary: dict[str, Any] = {}
        self.reported = False

    @contextmanager
    def opened(self, wandb: str, output_dir: Path, phase: str) -> Iterator[None]:
        """Track the run and log into its folder while the block runs."""
        with tracked(self, self.new_config, wandb, output_dir, phase) as self.tracker:
            yield

    def context(self, part: str) -> FitContext:
        """What a fit is given whose model is scored on a part: where checkpoints lie, and where curves go."""
        self.reported = False

        def report(values: dict[str, float], epoch: int) -> None:
            self.reported = True
            self.tracker.log(strict({curve_name(name, part): value for name, value in values.items()}), epoch)

        return replace(self.fit_context, checkpoints=self.checkpoints(part), report=report)

    def save(self, model: Recommender, evaluation: Evaluation | None) -> None:
        """Keep what was scored on a part with settings and curves; after the last part also the model and a figure.

        A final model, its settings and curves stay beside the test results they gave.
        """
        if evaluation is None:
            return
        part = evaluation.part
        record = evaluation.metrics | self._costs(model, evaluation) | about(self.new_config, part) | self.machine
        self._note_curves(model, part)
        self.write(part, evaluation, record, self.new_config, model if part == self.last else None, self.noted)
        figures = "  ".join(f"{key} {record[key]:.4f}" for key in LOGGED)
        log.info("%-14s %-6s %s  (fit %.1f s)", model.name, PHASES[part], figures, record["fit_seconds"])
        # The summary's own keys are those of the last part's metrics.json; validation stays beside them.
        self.summary = {
            f"valid/{key}": value for key, value in self.summary.items() if isinstance(value, float)
        } | record
        if part == self.last:
            self._finish(model, evaluation, record)

    def _costs(self, model: Recommender, evaluation: Evaluation) -> dict[str, float]:
        first = {name: model.costs[name] for name in ("fit_seconds", "fit_cpu_seconds")} | evaluation.costs
        return first | {"model_mb": model.nbytes() / 2**20, "peak_rss_mb": peak_rss_mb()} | model.costs

    def _note_curves(self, model: Recommender, part: str) -> None:
        own = {curve_name(name, part): values for name, values in model.curves.items()}
        self.noted |= own
        if not self.reported:  # a network has reported as it went
            for epoch, values in enumerate(zip(*own.values(), strict=True), start=1):
                self.tracker.log(dict(zip(own, values, strict=True)), epoch)

    def _finish(self, model: Recommender, evaluation: Evaluation, record: dict[str, Any]) -> None:
        parts = [part for part in self.parts if part in ("valid", self.last)]
        self.tracker.figure("accuracy_by_k", draw_accuracy(self, parts))
        self.tracker.summary(strict(self.summary))
        assert model.train_view is not None
        self.tracker.table("top10", top_ten(evaluation.recommendations, model.train_view))
        if self.tracker.is_on:  # copying is not free
            model_folder = self.model_folder if self.is_newest(evaluation.part) else None
            artifacts.keep(self.tracker, record, self.results(self.last).folder, model_folder, self.artifact_mb)


@contextmanager
def tracked(
    run: Run, config: dict[str, Any], wandb: str, output_dir: Path, phase: str
) -> Iterator[tracking.NullTracker]:
    """A tracker for a run, and a log in its folder, while the block runs."""
    identity = tracking.RunIdentity(
        **{name: config[name] for name in ("model", "stage", "preset", "dataset", "split_sha256", "seed")},
        split_folder=run.key.split,
        phase=phase,
    )
    tracker = tracking.start(wandb, output_dir, identity, config)
    try:
        with log_file(run.folder / "log.txt"):
            yield tracker
    finally:
        tracker.finish()


def about(config: dict[str, Any], part: str) -> dict[str, Any]:
    """What `metrics.json` says of the run beside metrics, costs and the machine."""
    return {key: config[key] for key in ABOUT} | {"phase": PHASES[part], "config_sha256": hash_config(config)}


def draw_accuracy(run: Run, parts: Iterable[str]) -> Path:
    """NDCG and recall of one run against k, on each part of the split."""
    path = run.folder / "figures" / "accuracy_by_k.png"
    title = ", ".join((run.key.model, run.key.dataset, run.key.split))
    plots.metrics_by_cutoff({part: curves(run.results(part).targets) for part in parts}, title, path)
    return path


def curve_name(name: str, part: str) -> str:
    """What a curve is called: that of the refit, where nothing is chosen any more, beside that of the first fit.

    >>> curve_name("train/loss", "valid"), curve_name("train/loss", "test")
    ('train/loss', 'refit/loss')
    """
    return name if part == "valid" else "refit/" + name.split("/")[-1]


def top_ten(recommendations: pd.DataFrame, train: TrainView) -> pd.DataFrame:
    """The ten best items of the first few users, by name."""
    users = recommendations["user_id"].astype(object).drop_duplicates().iloc[:USERS]
    top = recommendations[recommendations["user_id"].isin(users) & (recommendations["rank"] <= 10)]
    named = top.assign(user_id=top["user_id"].astype(object), item_id=top["item_id"].astype(object))
    names = train.labels.set_axis(train.items["item_id"].astype(object))
    return named.assign(name=named["item_id"].map(names))
