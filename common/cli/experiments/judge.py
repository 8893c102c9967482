"""Evaluates lists that any other program has made, and puts them on the leaderboard.

    python -m common judge recommendations.parquet --dataset lastfm-2k --protocol listen --name their_model
    python -m common judge lists.csv --protocol next --part valid

The file holds user_id, item_id, and rank (1 is best) or score (higher is better). It is checked first, and what was
found is said with counts. What no list may hold ends the command, or with --faulty drop is left out.
"""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

from common.data.dataset import Dataset
from common.data.reading.parts import SUFFIXES
from common.data.reading.schema import REFUSE
from common.evaluation.evaluator import Evaluator
from common.evaluation.outside.findings import Finding, check_catalogue, check_ranks, faults, remarks
from common.evaluation.outside.lists import Lists, ranking_of, read_lists
from common.evaluation.task import Task
from common.experiments.flags import command, parse
from common.experiments.live_run import about
from common.experiments.run import OUTSIDE, Run, RunKey, run_config
from common.experiments.settings import DataSettings
from common.reporting.leaderboard import text, write_leaderboard
from common.splits.protocols import PROTOCOLS
from common.splits.store import folder_name
from common.utils.environment import about_machine
from common.utils.errors import UserError, check_known, short
from common.utils.io import display, sha256_file

NAME = r"[A-Za-z0-9][A-Za-z0-9._+-]{0,60}"
FAULTY = DROP, REFUSE_ALL = "drop", "refuse"
SHOWN = ("ndcg_10", "recall_20", "hr_10", "coverage_10")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings(DataSettings):
    """Check lists that another program has made, evaluate them, and put their row on the leaderboard."""

    lists: tyro.conf.Positional[Path] = Path("recommendations.parquet")
    """File of user_id, item_id and rank or score; of newcomers also given."""
    protocol: str = "listen"
    """Which protocol the lists are for; the split is that of --split-seed."""
    part: str = "test"
    """test: made from train and validation. valid: made from train alone."""
    name: str = ""
    """What the row is called; the file's name without it."""
    faulty: str = REFUSE_ALL
    """refuse: end where the file holds what no list may hold. drop: leave those rows out and say how many."""

    def check(self) -> None:
        """Raise a UserError for the first flag that makes no sense."""
        super().check()
        check_known("protocol", PROTOCOLS, self.protocol)
        check_known("value of --part", ("valid", "test"), self.part)
        check_known("value of --faulty", FAULTY, self.faulty)
        if self.lists.suffix not in SUFFIXES:
            raise UserError(f"{self.lists}: give a file that ends in {', '.join(SUFFIXES)}")
        if not re.fullmatch(NAME, self.row):
            raise UserError(f"--name {short(self.row)}: give a name of letters, digits, dots, hyphens and underscores")

    @property
    def row(self) -> str:
        """What the row is called."""
        return self.name or self.lists.stem


@dataclass(frozen=True)
class Outside:
    """What the config of such a run holds as its settings: the file, how it was read, what was found in it."""

    file: str
    sha256: str
    by: str
    faulty: str
    found: dict[str, int]


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Check, evaluate, write the run, print the leaderboard."""
    settings = parse(Settings, argv)
    data, split = settings.load_data(), folder_name(settings.protocol, settings.split_seed)
    evaluator: Evaluator = getattr(Task(data, split), settings.part)
    lists = read_lists(settings.lists, evaluator, settings.missing or REFUSE)
    check_catalogue(lists, evaluator, data.name)
    lists, found = examined(lists, evaluator, data, settings)
    evaluation = evaluator.evaluate_ranking(ranking_of(lists, evaluator))
    key = RunKey(data.name, split, settings.row, OUTSIDE, 0)
    outside = Outside(settings.lists.name, sha256_of(settings.lists), lists.by, settings.faulty, found)
    sha256 = evaluator.train.split_sha256
    config = run_config(key, OUTSIDE, settings.protocol, settings.split_seed, outside, data.sha256, sha256)
    run = Run.at(settings.output_dir, key)
    record = evaluation.metrics | about(config, settings.part) | about_machine("cpu")
    run.write(settings.part, evaluation, record, config)
    shown = "  ".join(f"{name} {record[name]:.4f}" for name in SHOWN if name in record)
    log.info("%s on %s: %s", settings.row, settings.part, shown)
    table = write_leaderboard(run.split_folder, data.name, split, sha256)
    log.info("\n%s\n\nresults: %s", text(table, data.name, split), display(run.folder))


def examined(lists: Lists, evaluator: Evaluator, data: Dataset, settings: Settings) -> tuple[Lists, dict[str, int]]:
    """The lists without what is not evaluated and, where that is asked for, without what is at fault; and the counts
    of all that was found. Raises a UserError for faults."""
    log.info("%s: %s rows, in order of %s", settings.lists, f"{len(lists.rows):,}", lists.by)
    for repair in lists.repairs:
        log.info("  read otherwise: %s rows, %s", f"{repair.rows:,}", repair.what)
    users = (data.tables if data.matrix is None else data.matrix).users["user_id"]
    wrong = [finding for finding in faults(lists, evaluator, users) if finding.count]
    if wrong and settings.faulty == REFUSE_ALL:
        said = "; ".join(map(str, wrong))
        raise UserError(f"{settings.lists}: {said}; correct the file, or leave those rows out with --faulty drop")
    for finding in wrong:
        assert finding.rows is not None
        log.info("  left out: %s", finding)
    at_fault = [finding.rows for finding in wrong if finding.rows is not None]
    kept = lists.keep(~np.any([np.zeros(len(lists.rows), bool), *at_fault], axis=0))
    check_ranks(kept)
    told = [finding for finding in remarks(kept, evaluator) if finding.count]
    for finding in told:
        log.info("  %s", finding)
    if not wrong and not told:
        log.info("  nothing is odd about it")
    return kept.keep(kept.rows >= 0), counts([*wrong, *told])


def counts(findings: Sequence[Finding]) -> dict[str, int]:
    """How many there are of each kind."""
    return {finding.key: finding.count for finding in findings}


def sha256_of(path: Path) -> str:
    """Hash of a file, of a folder of parts those of its files together."""
    if path.is_file():
        return sha256_file(path)
    return ",".join(sha256_file(part)[:16] for part in sorted(path.iterdir()) if part.is_file())
