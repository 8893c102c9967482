"""The files of a run's folder: which results are there, and which files a manifest vouches for."""

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

from common.experiments.stored import checks
from common.experiments.stored.phase_manifest import (
    AGAIN,
    MANIFEST,
    OF_MODEL,
    PhaseManifest,
    first_fault,
    hash_config,
    place_of,
    run_name,
)
from common.models.base import Recommender
from common.models.saved_files import ABOUT
from common.splits.train_view import TrainView
from common.utils.errors import UserError
from common.utils.io import display, read_json
from common.utils.manifests import read_together

PARTS = {"select": "valid", "final": "test"}
"""The folder that holds a phase's results: the part of the split it was scored on."""
RESULTS = ("metrics.json", "per_user.parquet", "recommendations.parquet", "targets.parquet")
R = TypeVar("R", bound=Recommender)
log = logging.getLogger(__name__)
_told: set[str] = set()
"""Warnings that were given already."""


class RunFiles:
    """What lies in a run's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def model_folder(self) -> Path:
        """Folder of the saved model."""
        return self.folder / "model"

    def exists(self, part: str) -> bool:
        """Whether there is anything of results on `valid` or `test`, sound or not."""
        return any((self.folder / part / name).exists() for name in (MANIFEST, "metrics.json"))

    def has(self, part: str) -> bool:
        """Whether there are sound results on `valid` or `test`; what is wrong with others is told once."""
        if not self.exists(part):
            return False
        if wrong := self.fault(part):
            tell(f"left out: {wrong}")
        return not wrong

    def fault(self, part: str) -> str:
        """What is wrong with the results on a part, in a sentence with the remedy; empty where nothing is."""
        try:
            read_together(self.folder / part / MANIFEST, lambda: self._check(part))
        except UserError as error:
            return str(error)
        return ""

    def _check(self, part: str) -> None:
        manifest = self.manifest(part)
        if manifest is None:
            self.check_structure(part)
            return
        of_model = [name for name in self._of_model(part) if name in manifest.files]
        manifest.check([*(f"{part}/{name}" for name in RESULTS), *of_model])

    def _of_model(self, part: str) -> tuple[str, ...]:
        """The files beside the model without which a part cannot be read."""
        if part == self.newest:
            return OF_MODEL
        return () if self.has("test") else OF_MODEL[:1]

    def check_structure(self, part: str) -> None:
        """Raise a UserError for what is wrong with the structure of a part that has no manifest."""
        folder = place_of(self.folder)
        checks.check_part(folder / part, run_name(folder))
        of_model = self._of_model(part)
        if "config.json" in of_model:
            checks.check_place(folder / "config.json", checks.check_config(folder / "config.json"), run_name(folder))
        if "curves.json" in of_model and (folder / "curves.json").exists():
            checks.check_curves(folder / "curves.json")
        tell(
            f"{display(folder.parents[2])}: runs of an earlier version, such as {'/'.join(folder.parts[-3:])}, have no "
            "manifest that vouches for their files; --resume checks them once for all, and makes unsound ones anew"
        )

    def manifest(self, part: str) -> PhaseManifest | None:
        """What vouches for the results on a part; None where an earlier version wrote them."""
        return PhaseManifest.read(self.folder, part)

    def is_newest(self, part: str) -> bool:
        """Whether the model of a part is the one to keep: that of test stays beside the test results it gave."""
        return part == "test" or not self.has("test")

    @property
    def newest(self) -> str:
        """The part whose model is kept: test, once there is anything on it."""
        return "test" if self.exists("test") else "valid"

    def is_vouched(self, name: str) -> bool:
        """Whether a file is there and may be read; of a damaged one a warning tells."""
        if not (self.folder / name).exists():
            return False
        wrong = self.unvouched(name)
        if wrong:
            tell(f"left out: {wrong}")
        return not wrong

    def unvouched(self, name: str) -> str:
        """Why a file is not to be read, in a sentence; empty where a manifest vouches for it, or none was written."""
        if self.has_manifest:
            return first_fault(self._manifests(), [name])
        faults = [self.fault(part) for part in reversed(PARTS.values()) if self.exists(part)]
        return faults[0] if faults and all(faults) else ""

    @property
    def has_manifest(self) -> bool:
        """Whether a manifest has to vouch for what lies beside the parts.

        None does so in a run of an earlier version, and where such a version's test results are sound: the model and
        its settings are theirs then, even if validation has been made anew.
        """
        found = [part for part in PARTS.values() if (self.folder / part / MANIFEST).exists()]
        return bool(found) and ("test" in found or not self.has("test"))

    def _manifests(self) -> list[PhaseManifest]:
        """The manifests that can be read, the newest phase's first."""
        found = []
        for part in reversed(PARTS.values()):
            try:
                found.append(self.manifest(part))
            except UserError as error:
                tell(f"left out: {error}")
        return [manifest for manifest in found if manifest is not None]

    def vouch(self, names: Iterable[str], config: dict[str, Any]) -> None:
        """Let a manifest vouch for files that came after its results: the newest one of the settings they come from.

        Results of other settings, such as those of a test run before the preset changed, do not speak for them.
        """
        names, manifests = list(names), self._manifests()
        own = [manifest for manifest in manifests if manifest.config_sha256 == hash_config(config)]
        if own:
            own[0].add(names)
        elif manifests:
            tell(f"{display(self.folder / names[0])} is of other settings than all results beside it; {AGAIN}")

    def load(self, model: type[R], train: TrainView | None = None, **how: Any) -> R:
        """The run's saved model; see `Recommender.load`. Raises a UserError where it is not that of the results."""

        def read() -> R:
            self.check_model()
            return model.load(self.model_folder, train, **how)

        made_of = "valid" if self.has_manifest and not (self.folder / "test" / MANIFEST).exists() else self.newest
        return read_together(self.folder / made_of / MANIFEST, read)

    def check_model(self) -> None:
        """Raise a UserError for a saved model that is not the one of the results; one without results passes.

        Beside sound test results the model is theirs alone: validation's manifest speaks of one fitted on less.
        """
        manifests = self._manifests()
        if self.has("test") and (self.folder / "test" / MANIFEST).exists():
            manifests = manifests[:1]
        if self.has_manifest and (self.model_folder / ABOUT).exists():
            files = [manifest.names("model/") or [f"model/{ABOUT}"] for manifest in manifests]
            faults = [first_fault([manifest], names) for manifest, names in zip(manifests, files, strict=True)]
            if all(faults):
                raise UserError(faults[0] if faults else self.fault(self.newest))
        elif any(map(self.exists, PARTS.values())) and (self.model_folder / ABOUT).exists():
            about, config = read_json(self.model_folder / ABOUT), self.read_config()
            if not isinstance(about, dict) or any(about.get(name) != config[name] for name in ("settings", "seed")):
                raise UserError(
                    f"{display(self.model_folder)} is not of the training that config.json tells of; {AGAIN}"
                )

    def read_config(self) -> dict[str, Any]:
        """`config.json`. Raises a UserError for one that no manifest speaks for, and that is another run's."""
        config = checks.check_config(self.folder / "config.json")
        if not self.has_manifest and any(map(self.exists, PARTS.values())):
            checks.check_place(self.folder / "config.json", config, run_name(self.folder))
        return config

    def kept(self, part: str, config_sha256: str) -> dict[str, Any]:
        """What a manifest of the same settings vouches for beside a part's own files."""
        try:
            manifest = self.manifest(part)
        except UserError:
            return {}
        if manifest is None or manifest.config_sha256 != config_sha256:
            return {}
        others = {name: entry for name, entry in manifest.files.items() if not name.startswith(f"{part}/")}
        return {name: entry for name, entry in others.items() if name not in OF_MODEL}


def tell(message: str) -> None:
    """Warn, once for each message."""
    if message not in _told:
        _told.add(message)
        log.warning("%s", message)
