"""The core metrics of runs, and sanity checks of them.

Each run's `measures.json` is written anew from its `metrics.json`. How to read each metric: docs/core-metrics.md.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from common.evaluation.core_metrics import core_metrics, oddities
from common.evaluation.registry import CORE
from common.experiments.flags import command, parse_flags
from common.experiments.outputs import Outputs, no_results, read_results, runs_in
from common.experiments.run import PART_NAMES, Run, row_name
from common.experiments.settings import ResultSettings
from common.utils.io import display
from common.utils.terminal import aligned

NAME_WIDTH = 17
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings(ResultSettings):
    """The core metrics at 10 of runs, of all of the protocol if none is named: a table, and measures.json in each."""


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Write measures.json of every run that is asked for, print them as a table, and what is odd."""
    settings = parse_flags(Settings, argv)
    settings.check()
    runs = named_runs(settings)
    part = read_results(runs, settings.part)[0].part
    found = [run.write_measures() for run in runs]
    log.info("%s", table_text(found, part))
    odd = [line for run, values in zip(runs, found, strict=True) for line in odd_lines(run, values, part)]
    log.info("\n%s", "\n".join(odd) or "nothing odd")
    log.info("\n%d measures.json written, such as %s", len(runs), display(runs[0].folder / "measures.json"))


def named_runs(settings: Settings) -> list[Run]:
    """The runs that are named, or all runs of the protocol, the first seed of each row."""
    outputs = Outputs(settings.output_dir)
    if settings.runs:
        return [outputs.find(run, settings.dataset, settings.protocol) for run in settings.runs]
    folder = settings.output_dir / outputs.choose_dataset(settings.dataset) / settings.protocol
    rows = {run.folder.parent: run for run in reversed(runs_in(folder))}
    if not rows:
        raise no_results(folder)
    return sorted(rows.values(), key=lambda run: run.folder)


def table_text(found: Sequence[Mapping[str, Any]], part: str) -> str:
    """The core metrics of every run, 80 columns wide, by NDCG@10; a long name stands on a line of its own."""
    split = f"{found[0]['dataset']} / {found[0]['protocol']}, {PART_NAMES[part]}"
    names, cells = [""], [["".ljust(NAME_WIDTH), *(metric.heading for metric in CORE.values())]]
    for run in sorted(found, key=lambda run: run[part]["ndcg"] or 0.0):
        values = {
            name: value if name == "novelty" or value is None else 100 * value for name, value in run[part].items()
        }
        names.append(row_name(run))
        short = names[-1] if len(names[-1]) <= NAME_WIDTH else ""
        cells.append([short, *("-" if values[name] is None else f"{values[name]:.2f}" for name in CORE)])
    rows = zip(names, cells, aligned(cells, texts=1), strict=True)
    lines = [line if cell[0] or not name else f"{name}\n{line}" for name, cell, line in rows]
    head = f"{split}, first {found[0]['k']} places\nin percent, novelty in bits"
    return "\n".join([head, *lines])


def odd_lines(run: Run, values: Mapping[str, Any], part: str) -> list[str]:
    """What is odd about a run beside all others of its split, a line each."""
    if values["model"] in ("random", "popularity"):  # which are the measure of the others
        return []
    records = [other.results(part).metrics for other in runs_in(run.split_folder, part)]
    others = [of for of in records if of["split_sha256"] == values["split_sha256"] and family(of) != family(values)]
    compared = {of["model"]: core_metrics(of, values["k"]) for of in others}
    return [f"{row_name(values)}: {odd}" for odd in oddities(values[part], compared)]


def family(run: Mapping[str, Any]) -> str:
    """The model whose lists a run has, re-ranked or not."""
    return str(run["model"]).split("+")[0]
