"""Runs of an earlier version, which have no manifest: checked as far as their files allow, then vouched for."""

import logging

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
    """Vouch for the files of an earlier version once they agree with one another; tell what does not."""
    try:
        for part in reversed(PARTS.values()):
            if run.exists(part) and run.manifest(part) is None:
                _adopt(run, part, model)
    except UserError as error:
        tell(f"not taken over: {error}")


def _adopt(run: RunFiles, part: str, model: type[Recommender]) -> None:
    newest = run.is_newest(part)
    run.check_structure(part)
    checks.agree(run.folder / part)
    names = [f"{part}/{name}" for name in RESULTS]
    record = checks.check_record(run.folder / part / "metrics.json")
    if newest:
        if hash_config(checks.check_config(run.folder / "config.json")) != record["config_sha256"]:
            raise UserError(f"{display(run.folder / 'config.json')} tells of other settings; {AGAIN}")
        run.check_model()
        if (run.model_folder / ABOUT).exists():
            model.load(run.model_folder)
            names += [path.relative_to(run.folder).as_posix() for path in sorted(run.model_folder.iterdir())]
        names += [name for name in OF_MODEL if (run.folder / name).exists()]
    write_manifest(run.folder, run.folder, part, record["config_sha256"], entries(run.folder, names))
    log.info("%s: checked, and now vouched for", display(run.folder / part))
