"""Finished runs for the tests that read results, without the figures that a stage draws beside them."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common.experiments import live_run
from common.experiments.experiment import Experiment
from common.experiments.run import Run
from common.experiments.settings import ModelSettings
from common.experiments.stored.phase_manifest import PhaseManifest, write_manifest
from common.models.base import Recommender
from common.utils.io import read_json, write_json
from common.utils.manifests import entries

STAGE = "1_knn_baseline"


def run_through(exp: Experiment, *models: type[Recommender]) -> None:
    """What a stage does with its models: fit, evaluate, and with `--phase final` refit and test."""
    for model, run in exp.runs(*models):
        model.fit(exp.train, validation=exp.valid, context=run.context("valid"))
        run.save(model, exp.valid.evaluate(model))
        if exp.part == "test":
            model.refit(exp.train_valid, context=run.context("test"))
            run.save(model, exp.test.evaluate(model))


def rewrite(path: Path, **changes: Any) -> None:
    """Change values of a run's JSON file as if the run had written them: its manifest vouches for them."""
    write_json(path, read_json(path) | changes)
    folder = path.parent if path.name == "config.json" else path.parents[1]
    for part in ("valid", "test"):
        manifest = PhaseManifest.read(folder, part)
        name = path.relative_to(folder).as_posix()
        if manifest is not None and name in manifest.files:
            manifest.add([name])


def moved(folder: Path, **changes: Any) -> None:
    """Make a run that was renamed one of its new name: values of both records, and whom the manifests speak for."""
    for part in ("valid", "test"):
        files = read_json(folder / part / "manifest.json")["files"]
        record = read_json(folder / part / "metrics.json") | changes
        write_json(folder / part / "metrics.json", record)
        files |= entries(folder, [f"{part}/metrics.json"])
        write_manifest(folder, folder, part, record["config_sha256"], files)


def forget(folder: Path) -> None:
    """Turn a run into one of an earlier version, without a manifest and hashes in `model.json`."""
    for part in ("valid", "test"):
        (folder / part / "manifest.json").unlink(missing_ok=True)
    if (path := folder / "model" / "model.json").exists():
        unsealed(path)


def unsealed(path: Path) -> None:
    """Take what an earlier version did not have out of a `model.json`."""
    write_json(path, {key: value for key, value in read_json(path).items() if key not in ("files", "seal", "format")})


def finish(
    settings: ModelSettings, models: Sequence[type[Recommender]], stage: str = STAGE, **changed: Any
) -> list[Run]:
    """Run models on the tuned preset, each changed by its own entry in `changed`, and leave what a stage leaves."""
    drawn = live_run.draw_accuracy
    live_run.draw_accuracy = lambda run, parts: Path("not drawn")
    try:
        exp = Experiment(settings, stage)
        for model in models:
            exp.settings[model.name] = dataclasses.replace(exp.settings_of(model), **changed.get(model.name, {}))
        run_through(exp, *models)
    finally:
        live_run.draw_accuracy = drawn
    return [exp.run_of(model) for model in models]
