"""Runs side by side: metrics, paired differences, settings and costs.

python -m common compare als ensemble
"""

import difflib
import logging
import shutil
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from common.evaluation.registry import describe, label, shown
from common.experiments.flags import command, parse_flags
from common.experiments.outputs import Outputs, read_results
from common.experiments.run import PART_NAMES, PartResults
from common.experiments.settings import ResultSettings
from common.reporting.comparison import compare, content, differing
from common.utils.errors import UserError, did_you_mean
from common.utils.io import display, write_json
from common.utils.terminal import aligned, headed

METRICS = ("ndcg_10", "hr_10", "recall_20", "hr_5_sampled99", "novelty_10", "ils_tag_10", "coverage_10")
"""What is compared where no --metrics are given, as far as the runs have it."""
COSTS = ("fit_seconds", "recommend_ms_per_user", "model_mb")
LABEL_WIDTH = 28
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings(ResultSettings):
    """Compare runs: metrics, paired differences to the first that is named, what settings differ in, and costs."""

    metrics: tuple[str, ...] = METRICS
    """Metrics as metrics.json names them."""
    json: Path | None = None
    """File that receives all of it, unrounded."""


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Read the runs, compare, print, and write --json."""
    settings = parse_flags(Settings, argv)
    settings.check()
    if len(settings.runs) < 2:
        raise UserError(f"{len(settings.runs)} runs given; a comparison needs two or more, the reference first")
    if not settings.metrics:
        raise UserError("--metrics names none; name at least one, or leave the flag out")
    outputs = Outputs(settings.output_dir)
    runs = read_results(
        [outputs.find(run, settings.dataset, settings.protocol) for run in settings.runs], settings.part
    )
    compared = {metric: compare(runs, metric) for metric in _metrics(settings.metrics, runs)}
    width = shutil.get_terminal_size((80, 24)).columns
    blocks = [heading(runs), *(metric_text(name, rows, width) for name, rows in compared.items()), MARKS]
    blocks += [settings_text(runs, width), costs_text(runs)]
    log.info("%s", "\n\n".join(blocks))
    if settings.json:
        write_json(settings.json, content(runs, compared))
        log.info("\n%s written", display(settings.json))


MARKS = (
    "*    the interval excludes zero, and after Holm's correction for the number\n"
    "     of runs compared the difference is still beyond chance (p < 0.05)\n"
    "(*)  the interval excludes zero, but not beyond chance once corrected\n"
    "No interval: the figure is one of all lists together, not of each user."
)


def _metrics(metrics: Sequence[str], runs: Sequence[PartResults]) -> list[str]:
    """The metrics, made sure of; of the default ones those that the runs have."""
    numbers = [key for key, value in runs[0].metrics.items() if isinstance(value, int | float)]
    known = [key for key in numbers if all(key in run.metrics for run in runs) and key not in ("seed", "split_seed")]
    if tuple(metrics) == METRICS:
        return [metric for metric in metrics if metric in known]
    for metric in metrics:
        if metric not in known:
            near = difflib.get_close_matches(metric, known, n=3)
            hint = f"{did_you_mean(near)} {display(runs[0].folder)}/metrics.json names all".lstrip()
            raise UserError(f"unknown metric {metric!r}: {hint}")
    return list(metrics)


def heading(runs: Sequence[PartResults]) -> str:
    """What is compared, on which users of which split."""
    record, users = runs[0].metrics, runs[0].by_user.index.nunique()
    part = PART_NAMES[runs[0].part]
    return (
        f"{record['dataset']} / {runs[0].split}, {part} (split {record['split_sha256'][:8]})\n"
        f"{len(runs)} runs over {users:,} users; differences to the first, user by user;\n"
        "95% intervals by drawing the users anew"
    )


def metric_text(metric: str, rows: pd.DataFrame, width: int) -> str:
    """One metric of all runs, 80 columns wide; a wider terminal also gets the difference in percent, p, and how many
    users are better and worse off."""
    header = [label(metric).ljust(LABEL_WIDTH), "value", "difference", "95% interval".rjust(18), "   "]
    more = {100: ["in percent", "p (Holm)"], 130: ["users better", "worse"]}
    header += [title for least, titles in more.items() if width >= least for title in titles]
    cells = [header]
    for place, row in enumerate(rows.to_dict("records"), start=1):
        cells.append([f"{place} {_shortened(row['run'])}".ljust(LABEL_WIDTH), *_cells(row)][: len(header)])
    lines = aligned(cells, texts=1)
    return "\n".join([lines[0].rstrip(), "-" * min(width, len(lines[0])), *(line.rstrip() for line in lines[1:])])


def _cells(row: dict[Any, Any]) -> list[str]:
    value = "-" if pd.isna(row["value"]) else f"{row['value']:.4f}"
    if pd.isna(row["difference"]):
        return [value, *[""] * 7]
    interval, p, better, worse = "", "", "", ""
    if pd.notna(row["low"]):
        interval, p = f"{row['low']:+.4f} to {row['high']:+.4f}", f"{row['p_holm']:.4f}"
        better, worse = f"{row['higher']:,.0f}", f"{row['lower']:,.0f}"
    mark = "*" if row["significant"] else "(*)" if row["excludes_zero"] else ""
    base = row["value"] - row["difference"]
    percent = f"{row['difference'] / base:+.1%}" if base else ""
    return [value, f"{row['difference']:+.4f}", interval, mark.ljust(3), percent, p, better, worse]


def _shortened(label: str) -> str:
    return label if len(label) <= LABEL_WIDTH - 2 else label[: LABEL_WIDTH - 3] + "…"


def settings_text(runs: Sequence[PartResults], width: int) -> str:
    """The settings that differ: those that several runs have in columns, those of one run alone by name."""
    found = differing(runs)
    shared = {name: row for name, row in found.items() if sum(value is not None for value in row) > 1}
    lines = [f"{run.label}: config.json tells of other settings than these results" for run in runs if not run.matches]
    if shared:
        header = ["settings that differ", *(str(place) for place in range(1, len(runs) + 1))]
        rows = headed([header, *([name, *map(_shown, row)] for name, row in shared.items())])
        if len(rows[0]) <= width:
            lines += rows
        else:
            texts = (
                f"{name}: {', '.join(f'{n} {_shown(v)}' for n, v in enumerate(row, 1))}" for name, row in shared.items()
            )
            lines += [header[0], "-" * len(header[0]), *(part for text in texts for part in _wrapped(text, width))]
    for place, run in enumerate(runs):
        alone = {name: row[place] for name, row in found.items() if name not in shared and row[place] is not None}
        if alone:
            own = ", ".join(f"{name} {_shown(value)}" for name, value in alone.items())
            lines += _wrapped(f"only {place + 1} {run.label}: {own}", width)
    return "\n".join(lines) if lines else "Settings: the same in all runs"


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, min(width, 120), subsequent_indent="  ", break_on_hyphens=False)


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    return (
        " ".join(map(str, value)) if isinstance(value, list) else f"{value:g}" if type(value) is float else str(value)
    )


def costs_text(runs: Sequence[PartResults]) -> str:
    """What each run cost, and on what: times of different machines or threads say little about the models."""
    header = ["cost".ljust(LABEL_WIDTH), *(describe(key).unit or label(key) for key in COSTS), "threads", "commit"]
    cells = [header]
    for place, run in enumerate(runs, start=1):
        record = run.metrics
        values = [shown(key, record.get(key)) for key in COSTS]
        threads = f"{record.get('device', '')} {record.get('threads', '-')}".strip()
        commit = str(record.get("commit") or "-")[:7] + ("+" if record.get("dirty") else "")
        cells.append([f"{place} {_shortened(run.label)}", *values, threads, commit])
    changed = "\n+ after a commit: with changes that were not committed"
    note = changed if any(run.metrics.get("dirty") for run in runs) else ""
    return "\n".join(headed(cells)) + note
