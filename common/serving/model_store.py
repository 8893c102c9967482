"""Saved models: where they lie, which are there, and the command that trains one."""

from dataclasses import dataclass
from pathlib import Path

from common.experiments.presets import preset_values
from common.models.base import NO_FILE, Recommender
from common.models.registry import MODELS, STAGES
from common.splits.store import parse_folder_name
from common.utils.errors import UserError, unknown_name
from common.utils.io import display


@dataclass(frozen=True)
class ModelStore:
    """Where the models of a data set, a protocol and a preset lie: outputs/<dataset>/<protocol>/<model>/<preset>/..."""

    output_dir: Path
    dataset: str
    protocol: str
    preset: str
    flags: str = ""
    """What a stage has to be told beside that to train them there."""

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
        return MODELS[name].load(self.folder(name), catalogue_sha256, light=True)

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
