"""`valid/manifest.json` and `test/manifest.json`: every file of a run that the results of a phase come with.

Names are relative to the run's folder: `test/metrics.json`, `config.json`, `curves.json`, `model/model.json`, ...
"""

import hashlib
import json
import os
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from common.utils.errors import UserError
from common.utils.io import display, write_json
from common.utils.manifests import entries, fault, read_manifest, sealed

MANIFEST = "manifest.json"
AGAIN = "run its stage again with --resume, which makes this run anew"
OF_MODEL = ("config.json", "curves.json")
"""Files beside the model; of the newest phase, as the model is."""


class PhaseManifest:
    """What a phase of the run in a folder vouches for."""

    def __init__(self, folder: Path, part: str, content: dict[str, Any]) -> None:
        self.folder, self.part, self.content = folder, part, content
        self.files: dict[str, dict[str, Any]] = content["files"]

    @staticmethod
    def read(folder: Path, part: str) -> "PhaseManifest | None":
        """The manifest of a part; None where there is none. Raises a UserError for a damaged one and another run's."""
        path = folder / part / MANIFEST
        if not path.exists():
            return None
        content = read_manifest(path, AGAIN)
        if (content.get("run"), content.get("part")) != (run_name(folder), part):
            raise UserError(f"{display(path)} is that of {content.get('run')}, {content.get('part')}; {AGAIN}")
        return PhaseManifest(folder, part, content)

    @property
    def config_sha256(self) -> str:
        """Hash of the settings that gave the results."""
        return self.content["config_sha256"]

    def names(self, prefix: str) -> list[str]:
        """The files that it vouches for under a prefix such as `model/`."""
        return [name for name in self.files if name.startswith(prefix)]

    def check(self, names: Collection[str]) -> None:
        """Raise a UserError for the first of some files that is not the one vouched for."""
        for name in names:
            wrong = fault(self.folder / name, self.files[name]) if name in self.files else "is not of this training"
            if wrong:
                raise UserError(f"{display(self.folder / name)} {wrong}; {AGAIN}")

    def add(self, names: Collection[str]) -> None:
        """Vouch for more files, which were written after the results."""
        write_manifest(
            self.folder, self.folder, self.part, self.config_sha256, self.files | entries(self.folder, names)
        )


def write_manifest(place: Path, run: Path, part: str, config_sha256: str, files: dict[str, dict[str, Any]]) -> None:
    """Write the manifest of a part of a run into its folder `place`, which may be one that is still being filled."""
    about = {"run": run_name(run), "part": part, "config_sha256": config_sha256}
    write_json(place / part / MANIFEST, sealed(about | {"files": dict(sorted(files.items()))}))


def place_of(folder: Path) -> Path:
    """The absolute path of a folder. Links are not followed: one to a run is no run of its own name."""
    return Path(os.path.normpath(folder.absolute()))


def run_name(folder: Path) -> str:
    """Data set, split, model, preset and seed of a run's folder, wherever `outputs/` lies."""
    return "/".join(place_of(folder).parts[-5:])


def first_fault(manifests: Iterable[PhaseManifest], names: Iterable[str]) -> str:
    """What is wrong with files for the first of some manifests; empty where one of them vouches for all."""
    names, faulty = list(names), False
    wrong = f"no manifest vouches for {', '.join(names)}; {AGAIN}"
    for manifest in manifests:
        try:
            manifest.check(names)
            return ""
        except UserError as error:
            wrong = wrong if faulty else str(error)
            faulty = True
    return wrong


def hash_config(config: dict[str, Any]) -> str:
    """SHA-256 of a run's settings: results with the same hash come from the same command."""
    return hashlib.sha256(json.dumps(config, sort_keys=True, default=str).encode()).hexdigest()
