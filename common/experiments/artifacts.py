"""What a run leaves in W&B for others to fetch: the model, and the lists it was evaluated by."""

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from common.experiments.tracking import NullTracker
from common.splits.store import folder_name

LISTS = ("recommendations.parquet", "targets.parquet")
METADATA = ("model", "stage", "preset", "dataset", "protocol", "split_seed", "split_sha256", "phase", "seed", "ndcg_10")
"""What the metadata say, under the keys of metrics.json."""
log = logging.getLogger(__name__)


def keep(tracker: NullTracker, record: dict[str, Any], results: Path, model: Path | None, most_mb: int) -> None:
    """Hand the two artifacts of a run to the tracker, each only if it is no larger than `most_mb` MiB.

    `results` is the folder of the run's last phase, `record` its metrics, `model` the folder of the model that gave
    them, None where a former run's lies there. One project has one name for one thing, whatever its type, so the lists'
    artifact is called after the model's: `<dataset>-<split>-<model>-<preset>` and `...-recommendations`. Seeds and
    repeated runs are versions of it.
    """
    split = folder_name(record["protocol"], record["split_seed"])
    name = f"{record['dataset']}-{split}-{record['model']}-{record['preset']}"
    metadata = {key: record[key] for key in METADATA}
    found = {(f"{name}-recommendations", "recommendations"): [results / file for file in LISTS]}
    if model is not None:
        found[name, "model"] = sorted(path for path in model.iterdir() if path.is_file())
    for (called, kind), files in found.items():
        if fits(files, most_mb):
            tracker.artifact(called, kind, files, metadata)
        elif most_mb:
            log.info("%-14s larger than --artifact-mb %d: not kept in W&B as %s", record["model"], most_mb, kind)


def fits(files: Iterable[Path], most_mb: int) -> bool:
    """Whether files together are no larger than so many MiB; with 0 none are."""
    return most_mb > 0 and sum(file.stat().st_size for file in files) <= most_mb * 2**20
