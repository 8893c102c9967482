"""Runs of an earlier version, which have no manifest: checked as far as their files allow, then vouched for.

Such a run is taken over whole or not at all. Its model and settings are those of its test results, and where these are
not sound nobody knows whether the model is one that may be shown beside validation.
"""

import logging
from typing import Any

from common.experiments.stored import checks
from common.experiments.stored.phase_manifest import AGAIN, OF_MODEL, hash_config, write_manifest
from common.experiments.stored.run_files import PARTS, RESULTS, RunFiles, tell
from common.models.base import Recommender
from common.models.saved_files import ABOUT
from common.utils.errors import UserError
from common.utils.io import display
from common.utils.manifests import entries

log = logging.getLogger(__name__)


def adopt(run: RunFiles, model: type[Recommender]) -> None:
    """Vouch for the files of an earlier version once all parts agree with one another; tell what does not."""
    checked: dict[str, tuple[str, dict[str, Any]]] = {}
    faults = []
    for part in reversed(PARTS.values()):
        try:
            if run.exists(part) and run.manifest(part) is None:
                checked[part] = _checked(run, part, model)
        except UserError as error:
            faults.append(str(error))
    for fault in faults:
        tell(f"not taken over: {fault}")
    for part, (config_sha256, files) in ({} if faults else checked).items():
        write_manifest(run.folder, run.folder, part, config_sha256, files)
        log.info("%s: checked, and now vouched for", display(run.folder / part))


def _checked(run: RunFiles, part: str, model: type[Recommender]) -> tuple[str, dict[str, Any]]:
    """Hash of the settings of a part and what a manifest says of its files, the newest part's with the model."""
    run.check_structure(part)
    checks.agree(run.folder / part)
    names = [f"{part}/{name}" for name in RESULTS]
    record = checks.check_record(run.folder / part / "metrics.json")
    if part == run.newest:
        if hash_config(run.read_config()) != record["config_sha256"]:
            raise UserError(f"{display(run.folder / 'config.json')} tells of other settings; {AGAIN}")
        run.check_model()
        if (run.model_folder / ABOUT).exists():
            model.load(run.model_folder)
            names += [path.relative_to(run.folder).as_posix() for path in sorted(run.model_folder.iterdir())]
        names += [name for name in OF_MODEL if (run.folder / name).exists()]
    return record["config_sha256"], entries(run.folder, names)
