"""Saved models: where they lie, which are there, and the command that trains one."""

import shlex
from dataclasses import asdict, dataclass
from pathlib import Path

from common.data.sources.registry import resolve_name
from common.data.synthetic.settings import SyntheticSettings
from common.experiments.presets import preset_values
from common.experiments.stored.run_files import RunFiles
from common.models.base import Recommender
from common.models.registry import MODELS, STAGES
from common.models.saved_files import NO_FILE
from common.splits.store import parse_folder_name
from common.utils.errors import UserError, unknown_name
from common.utils.io import ROOT, display


@dataclass(frozen=True)
class ModelStore:
    """Where the models of a data set, a protocol and a preset lie: outputs/<dataset>/<protocol>/<model>/<preset>/..."""

    output_dir: Path
    dataset: str
    protocol: str
    preset: str
    flags: str = ""
    """Further flags of the script that trains them there."""

    @staticmethod
    def of(
        dataset: str, protocol: str, preset: str, data_dir: Path, output_dir: Path, synthetic: SyntheticSettings
    ) -> "ModelStore":
        """The models of a data set, by its flags; `protocol` is a folder such as listen-s2."""
        name = resolve_name(dataset, data_dir, synthetic)
        drawn, seed = parse_folder_name(protocol)
        flags = [f"--dataset {shlex.quote(dataset)} --protocol {drawn}"]
        flags += [f"--split-seed {seed}"] * (seed > 0)
        made = asdict(synthetic).items() - asdict(SyntheticSettings()).items()
        flags += [
            f"--synthetic.{field} {value}" for field, value in asdict(synthetic).items() if (field, value) in made
        ]
        folders = (("--data-dir", data_dir, ROOT / "data"), ("--output-dir", output_dir, ROOT / "outputs"))
        flags += [f"{flag} {shlex.quote(str(folder))}" for flag, folder, default in folders if folder != default]
        return ModelStore(output_dir, name, protocol, preset, " ".join(flags))

    def folder(self, model: str) -> Path:
        """Folder of a saved model."""
        return self.output_dir / self.dataset / self.protocol / model / self.preset / "seed0" / "model"

    def trained(self) -> list[str]:
        """Names of the models that are there, in the order of the stages."""
        return [name for name in MODELS if (self.folder(name) / "model.json").exists()]

    def open(self, name: str, catalogue_sha256: str) -> Recommender:
        """A saved model; the error for one that is not there names the command that trains it."""
        if name not in MODELS:
            raise unknown_name("model", name, [*MODELS, "all"])
        if not (self.folder(name) / "model.json").exists():
            raise UserError(self.untrained(name))
        run = RunFiles(self.folder(name).parent)
        return run.load(MODELS[name], catalogue_sha256=catalogue_sha256, inference_only=True)

    def untrained(self, name: str) -> str:
        """That a model is not there, and the command that trains it; a preset that nobody wrote is a mistake."""
        preset_values(self.preset, self.dataset, parse_folder_name(self.protocol)[0], name, MODELS[name].Settings)
        stage, models = next((stage, models) for stage, models in STAGES.items() if name in models)
        alone = f"--models {name}" if len(models) > 1 else ""
        command = " ".join(
            part for part in (f"python {stage}.py", alone, self.flags, f"--preset {self.preset}") if part
        )
        others = self.trained()
        there = f"; trained here: {', '.join(others)}" if others else ""
        return f"{NO_FILE} of {name} in {display(self.folder(name))}; train it with `{command}`{there}"
