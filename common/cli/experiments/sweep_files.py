"""Writes the files that `wandb sweep` takes, with the ranges that the models' settings declare.

    python -m common sweep-files
    python -m common sweep-files --models ials lightgcn --protocol next

One file searches one model, since an agent makes one run of each process that it starts. A run of a sweep stops before
test, and its results lie under outputs/sweeps, where no leaderboard finds them.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.experiments.flags import command, parse_flags
from common.experiments.tracking import PROJECT
from common.experiments.tuning import searchable
from common.models.registry import MODELS, STAGES, stage_of
from common.splits.protocols import PROTOCOLS
from common.utils.errors import UserError, check_known
from common.utils.io import ROOT, display, write_text
from common.utils.settings import SearchRange

METRIC = "ndcg_10"
"""What a sweep maximises: NDCG@10 on validation, as the summary of a run with `--phase select` names it."""
OF_STAGE = {
    "1_knn_baseline": "item_knn",
    "2_als": "als",
    "3_random_forest_rank": "forest",
    "4_sasrec": "sasrec",
    "5_two_tower": "two_tower",
    "6_hybrid_listnet": "hybrid_listnet",
}
"""The model that the file of a stage searches; another model's file has its name at the end."""
FOLDER = ROOT / "sweeps"
HEADER = (
    "# Written by `python -m common sweep-files` from the ranges of the model's settings; change those, not this.\n"
)
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """Write the files that `wandb sweep` takes, one for each model."""

    models: tuple[str, ...] = tuple(OF_STAGE.values())
    """Which models; without it those of the six files in sweeps/."""
    protocol: str = "listen"
    """On which protocol's validation part; the name of another one than listen stands in the file's name."""
    folder: Path = FOLDER
    """Folder that receives the files."""

    def check(self) -> None:
        """Raise a UserError for the first flag that makes no sense."""
        check_known("protocol", PROTOCOLS, self.protocol)
        check_known("model", MODELS, *self.models)
        if fixed := [name for name in self.models if not searchable(MODELS[name].Settings)]:
            raise UserError(f"--models {fixed[0]}: it has no settings to search; leave it out")


def sweep(model: str, protocol: str = "listen") -> dict[str, Any]:
    """What `wandb sweep` is to search: the script of a model's stage, its flags, and their distributions."""
    stage, kind = stage_of(model), MODELS[model].Settings
    words = [f"--models={model}"] if len(STAGES[stage]) > 1 else []
    words += ["--phase=select", f"--protocol={protocol}", "--output-dir=outputs/sweeps", "--artifact-mb=0"]
    start, tried = kind(), searchable(kind)
    return {
        "name": f"{model} {protocol}",
        "project": PROJECT,
        "program": f"{stage}.py",
        "command": ["${env}", "${interpreter}", "${program}", *words, "${args}"],
        "method": "bayes",
        "metric": {"name": METRIC, "goal": "maximize"},
        "parameters": {f"{model}.{name}": distribution(tried[name], getattr(start, name)) for name in tried},
    }


def distribution(tried: SearchRange | tuple[Any, ...], value: Any) -> dict[str, Any]:
    """From what W&B draws a setting, of which `value` is one.

    >>> distribution(SearchRange(5, 2000, log=True), 100)
    {'distribution': 'q_log_uniform_values', 'min': 5, 'max': 2000, 'q': 1}
    >>> distribution(SearchRange(0.0, 1.0), 0.5), distribution(("binary", "log"), "log")
    ({'distribution': 'uniform', 'min': 0.0, 'max': 1.0}, {'values': ['binary', 'log']})
    """
    if not isinstance(tried, SearchRange):
        return {"values": list(tried)}
    if not isinstance(value, int):
        return {"distribution": "log_uniform_values" if tried.log else "uniform", "min": tried.low, "max": tried.high}
    ends = {"min": int(tried.low), "max": int(tried.high)}
    return (
        {"distribution": "int_uniform", **ends}
        if not tried.log
        else {"distribution": "q_log_uniform_values", **ends, "q": 1}
    )


def file_name(model: str, protocol: str = "listen") -> str:
    """Name of a model's file.

    >>> file_name("als"), file_name("ials", "next")
    ('2_als.yaml', '2_als-ials-next.yaml')
    """
    stage = stage_of(model)
    parts = [stage] + [model] * (OF_STAGE[stage] != model) + [protocol] * (protocol != "listen")
    return "-".join(parts) + ".yaml"


def text_of(model: str, protocol: str = "listen") -> str:
    """The whole file of a model."""
    import yaml

    return HEADER + yaml.safe_dump(sweep(model, protocol), sort_keys=False, width=120)


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Write the files."""
    args = parse_flags(Settings, argv)
    args.check()
    for model in args.models:
        path = args.folder / file_name(model, args.protocol)
        write_text(path, text_of(model, args.protocol))
        log.info("%s", display(path))
