"""The published table: runs what is missing, then writes its JSON file, the pages and the figures.

Runs go side by side, each in a process of its own with one thread, so that none slows another and every fit's seconds
are those of one processor. It may be stopped at any time: what is complete is kept, the next call does the rest.
"""

import json
import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
from tqdm import tqdm

from common.data.dataset import Dataset
from common.data.sources.registry import LASTFM
from common.experiments.flags import command, flags_of, parse
from common.experiments.presets import known_presets, preset_values
from common.experiments.processes.side_by_side import run_side_by_side
from common.experiments.run import PARTS, Run, RunKey, hash_config, run_config
from common.experiments.settings import DataSettings, ModelSettings
from common.experiments.stored.adoption import adopt
from common.models.registry import MODELS, STAGES
from common.reporting.benchmark_plan import PROTOCOLS, Job, jobs, reranking, seeds_of
from common.reporting.leaderboard import text
from common.reporting.markdown_blocks import fill_page, read_page
from common.reporting.merge_results import merged, read_published
from common.reporting.published_figures import draw_figures
from common.reporting.results_json import blocks, gather
from common.reranking.strength_search import METHODS
from common.splits.store import folder_name, load_split
from common.splits.train_view import load_train_view
from common.utils import memory
from common.utils.environment import Seconds, threads
from common.utils.errors import UserError, check_known
from common.utils.io import ROOT, display, write_json
from common.utils.settings import Range, kept_values

RESULTS = ROOT / "docs" / "results"
PAGES = (
    *(ROOT / "README.md", ROOT / "docs" / "core-metrics.md"),
    *(RESULTS / f"{name}.md" for name in ("listen", "next", "newcomer", "ablations", "plays")),
)
"""Pages with blocks of results."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings(DataSettings):
    """Run what the published table lacks, then write its JSON file, the pages' blocks and the figures."""

    protocols: tuple[str, ...] = PROTOCOLS
    """Which protocols are run; the pages show all that is there."""
    models: tuple[str, ...] = ()
    """Which models are run; all of them if none are named."""
    workers: Annotated[int, Range(0, 1024)] = 0
    """How many runs at a time, each with one thread; 0: one for each processor."""
    run: bool = True
    """Run what is missing; --no-run writes what is there, and names what is missing."""
    published: bool = False
    """Count rows as there that the JSON file has with all their seeds, so that a table is finished in parts, on several
    machines; without it, what is not under outputs/ is run again."""
    results: Path = RESULTS
    """Folder of the JSON file."""
    pages: tuple[Path, ...] = PAGES
    """Pages whose blocks are written anew, those of them that exist."""
    figures: Path | None = None
    """Folder of the figures; docs/figures for lastfm-2k, which the pages show, else outputs/<dataset>/figures."""

    def check(self) -> None:
        """Raise a UserError for the first flag that makes no sense."""
        super().check()
        check_known("protocol", PROTOCOLS, *self.protocols)
        check_known("model", MODELS, *self.models)


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Run what is missing and write what pages show."""
    settings = parse(Settings, argv)
    data = settings.load_data()
    planned = [job for protocol in settings.protocols for job in planned_jobs(data, protocol, settings)]
    missing = sorted((job for job in planned if not is_done(job, data, settings)), key=lambda job: job.turn)
    if settings.published:
        path = settings.results / f"{data.name}.json"
        known = read_published(path)
        missing = [job for job in missing if not is_published(job, data, settings, known)]
    log.info("%s: %d of %d runs are there", data.name, len(planned) - len(missing), len(planned))
    failed = run_all(missing, settings) if settings.run else []
    after = [job for protocol in settings.protocols for job in reranking(protocol, METHODS, settings.models)]
    after = [job for job in after if not is_reranked(job, data, settings)]
    failed += run_all(after, settings) if settings.run and not failed else []
    if failed:
        raise UserError(f"{len(failed)} runs failed, nothing was written: {'; '.join(failed)}; the rest is kept")
    for job in [] if settings.run else [*missing, *after]:
        log.info("missing: python %s", " ".join(job.words))
    shown = [job for protocol in PROTOCOLS for job in (*jobs(protocol, has_times=True), *reranking(protocol, METHODS))]
    write(shown, data, settings)


def planned_jobs(data: Dataset, protocol: str, settings: Settings) -> Iterator[Job]:
    """The runs of the chosen models on a protocol of these data, on presets that they have."""
    known = known_presets(data.presets)
    train = load_train_view(data, folder_name(protocol, settings.split_seed), "select")
    has_times = train.histories.timestamps is not None
    return (job for job in jobs(protocol, has_times, settings.models) if job.preset in known)


def is_done(job: Job, data: Dataset, settings: Settings) -> bool:
    """Whether the results of every model of a job are there, made with the very settings of its preset."""
    flags = ModelSettings(protocol=job.protocol, split_seed=settings.split_seed, seed=job.seed, preset=job.preset)
    sha256 = load_split(data, flags.split_folder).info["split_sha256"]
    for model in job.models:
        kind = MODELS[model]
        chosen = preset_values(job.preset, data.presets, job.protocol, model, kind.Settings)
        key = RunKey(data.name, flags.split_folder, model, job.preset, job.seed)
        config = run_config(key, job.stage, job.protocol, settings.split_seed, chosen, data.sha256, sha256)
        found = Run.at(settings.output_dir, key)
        adopt(found, kind)
        if not found.is_complete(config, flags.parts, kind.files):
            return False
    return True


def is_published(job: Job, data: Dataset, settings: Settings, known: dict[str, Any]) -> bool:
    """Whether published results hold every model of a job with the settings of its preset and all planned seeds."""
    found = known.get("protocols", {}).get(folder_name(job.protocol, settings.split_seed))
    if not found or known["data_sha256"] != data.sha256:
        return False
    rows = {row["model"]: row for row in found["rows"] if row["preset"] == job.preset}
    sha256 = load_split(data, folder_name(job.protocol, settings.split_seed)).info["split_sha256"]
    for model in job.models:
        chosen = preset_values(job.preset, data.presets, job.protocol, model, MODELS[model].Settings)
        chosen_json = json.loads(json.dumps(kept_values(chosen)))
        planned = seeds_of(model, job.preset, job.protocol)
        if model not in rows or rows[model]["settings"] != chosen_json or rows[model]["seeds"] < planned:
            return False
    return bool(found["split_sha256"] == sha256)


def is_reranked(job: Job, data: Dataset, settings: Settings) -> bool:
    """Whether every re-ranked row of a job is there, made of the lists of its run as it is now."""
    split = folder_name(job.protocol, settings.split_seed)

    def run_of(model: str) -> Run:
        return Run.at(settings.output_dir, RunKey(data.name, split, model, job.preset, job.seed))

    source = run_of(job.models[0].split("+")[0])
    if not source.parts:
        return settings.published  # its rows are kept as they were published
    lists = hash_config(source.config())
    reranked = [run_of(model) for model in job.models]
    return all(run.parts == list(PARTS.values()) and run.config().get("lists_of") == lists for run in reranked)


def run_all(missing: Sequence[Job], settings: Settings) -> list[str]:
    """Run jobs side by side; returns a line for each that failed. A stop ends all that run."""
    flags = data_flags(settings)
    words = {str(job): [*job.words, *flags, *(["--no-compare"] if job.stage in STAGES else [])] for job in missing}
    runs = run_side_by_side(words, settings.output_dir / "table", settings.workers or threads())
    failed: list[str] = []
    with closing(runs):
        for run in tqdm(runs, "runs", len(words), disable=not sys.stderr.isatty()):
            log.info("%5.0f s  %s%s", run.seconds, run.name, f"  FAILED, see {display(run.log)}" if run.code else "")
            failed += [f"{run.name} ({display(run.log)})"] if run.code else []
    if missing:
        log.info("%.0f minutes of one processor so far", Seconds.of_children().cpu / 60)
    return failed


def data_flags(settings: Settings) -> list[str]:
    """The flags that say which data, and where."""
    names = ("dataset", "split_seed", "test_users", "wandb", "data_dir", "output_dir", "synthetic")
    shared = max(memory.LEAST, memory.limit() // (settings.workers or threads()))
    return [*flags_of(settings, names), "--no-download", "--memory", f"{shared // 10**6}MB"]


def write(planned: Sequence[Job], data: Dataset, settings: Settings) -> None:
    """Write the JSON file, the blocks of the pages and the figures."""
    rows: dict[str, set[tuple[str, str]]] = {protocol: set() for protocol in PROTOCOLS}
    for job in planned:
        rows[job.protocol] |= {(model, job.preset) for model in job.models}
    path = settings.results / f"{data.name}.json"
    found = gather(settings.output_dir / data.name, data, rows, settings.split_seed)
    results = merged(read_published(path), found, rows)
    if not results["protocols"]:
        raise UserError(f"no results under {settings.output_dir / data.name}; leave --no-run out, or run a stage first")
    write_json(path, results)
    log.info("%s", display(path))
    for protocol, of in results["protocols"].items():
        log.info("\n%s", text(pd.DataFrame(of["rows"]), data.name, protocol))
    made = blocks(results)
    for page in settings.pages:
        if page.exists() and any(f"<!-- {marker} -->" in (content := read_page(page)) for marker in made):
            fill_page(page, content, made, data.name)
    folder = ROOT / "docs" / "figures" if data.name == LASTFM else settings.output_dir / data.name / "figures"
    for drawn in draw_figures(results, settings.output_dir / data.name, data, settings.figures or folder):
        log.info("%s", display(drawn))
