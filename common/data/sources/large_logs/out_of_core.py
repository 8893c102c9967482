"""A public log as a prepared folder of matrix form, by the ten steps of preparation."""

import dataclasses
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.data.sources.large_logs.raw_log import RawLog
from common.utils.errors import UserError
from common.utils.io import read_json, write_json

if TYPE_CHECKING:
    from common.data.preparation.settings import PreparationSettings

NOTED = "log.json"
"""What was noted while the events were read, beside them."""

log = logging.getLogger(__name__)


def prepare_log(stage: Callable[[Path], RawLog], fingerprint: str, out: Path, settings: "PreparationSettings") -> None:
    """Stage the events of a log and take the ten steps from them; a start after a kill goes on where that was.

    stage: writes `events.parquet` to the folder that it is given. fingerprint: changes when the log's files do. What
    was repaired while reading, and the counts of the files, are added to the manifest.
    """
    from common.data.preparation.pipeline import prepare

    raw = staged(out)
    noted = _noted(raw, fingerprint)
    if noted is None:
        shutil.rmtree(raw, ignore_errors=True)
        raw.mkdir(parents=True)
        found = stage(raw)
        for warning in found.warnings:
            log.warning("%s", warning)
        repairs = [dataclasses.asdict(repair) for repair in found.repairs]
        noted = {"source": fingerprint, "repairs": repairs, "notes": found.notes()}
        write_json(raw / NOTED, noted)
    prepare([raw / "events.parquet"], out, settings)
    manifest = read_json(out / "manifest.json")
    manifest["repairs"] = [*noted["repairs"], *manifest["repairs"]]
    manifest["notes"] = noted["notes"] | manifest["notes"]
    write_json(out / "manifest.json", manifest)
    shutil.rmtree(raw)


def staged(out: Path) -> Path:
    """The folder of the events between reading and the end of the last step: beside that of the data set."""
    return out.with_name(f"{out.name}-events")


def _noted(raw: Path, fingerprint: str) -> dict[str, Any] | None:
    """What was noted of events that lie there and are of these files."""
    try:
        noted = read_json(raw / NOTED)
    except UserError:
        return None
    return noted if noted["source"] == fingerprint and (raw / "events.parquet").exists() else None


def is_prepared(folder: Path) -> bool:
    """Whether a folder was prepared to the end."""
    return (folder / "manifest.json").exists() and not staged(folder).exists()
