"""A trained model as ONNX files, with a manifest of inputs, shapes and ids.

    python -m common export sasrec --protocol next --out sasrec-onnx
    python -m common export two_tower --quantise int8 --out towers-int8
    python -m common export outputs/lastfm-2k/listen/hybrid_listnet/tuned/seed0 --out hybrid-onnx

sasrec, two_tower (both towers), hybrid_listnet (its ranker), forest and hist_gradient can be exported. The graphs'
scores are compared with the model's before anything is written: docs/export.md. Needs requirements-export.txt.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from common.experiments.flags import command, parse
from common.experiments.outputs import Outputs
from common.experiments.settings import DataSettings
from common.models.inference.onnx_graph import onnx
from common.models.inference.onnx_runtime import runtime
from common.models.registry import MODELS
from common.serving.batch import train_view_of
from common.serving.export import MANIFEST, export
from common.utils.errors import UserError, check_known
from common.utils.io import display

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings(DataSettings):
    """Write a run's model as ONNX files."""

    run: Annotated[str, tyro.conf.Positional] = ""
    """The run: a folder outputs/DATASET/PROTOCOL/MODEL/PRESET/seedK, or MODEL, MODEL/PRESET, MODEL/PRESET/seedK."""
    protocol: str = "listen"
    """Folder of the protocol where the run is named by its model, such as listen, next or listen-s2."""
    format: str = "onnx"
    """onnx, the only one."""
    quantise: str = "none"
    """none, or int8: weights of networks and tables as int8, a quarter of the size, for a little accuracy."""
    out: Path = Path("export")
    """Folder that receives the files, all or none; one that is new, empty, or of an earlier export."""

    def check(self) -> None:
        """Raise a UserError for the first flag that makes no sense."""
        super().check()
        if not self.run:
            raise UserError("name the run to export, such as sasrec or outputs/lastfm-2k/next/sasrec/tuned/seed0")
        check_known("value of --format", ("onnx",), self.format)
        check_known("value of --quantise", ("none", "int8"), self.quantise)


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Load the run's model and write it."""
    settings = parse(Settings, argv)
    onnx(), runtime()  # before anything is read
    run = Outputs(settings.output_dir).find(settings.run, settings.dataset, settings.protocol)
    config = run.config()
    data = settings.load_data()
    if config["dataset"] != data.name:
        raise UserError(
            f"{display(run.folder)} is a run on {config['dataset']!r}, not on {data.name!r}; name its --dataset"
        )
    train = train_view_of(run.folder, config, data)
    model = run.load(MODELS[config["model"]], train, inference_only=True)
    made = export(run, model, train, settings.out, settings.quantise == "int8")
    for name, entry in made["files"].items():
        log.info("%12s bytes  %s", f"{entry['size']:,}", name)
    log.info(
        "scores differ from the model's by at most %.2g; %s says what goes in and out",
        made["largest_difference"],
        display(settings.out / MANIFEST),
    )
