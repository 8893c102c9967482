"""A leakage check of a split, of a data set or of a folder of your own.

Exit code 0 where no check finds a leak, 1 where one does, 2 for a mistake in the command or in a file.
"""

import dataclasses
import logging
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.data.dataset import load_dataset
from common.data.sources.custom.folder import INTERACTIONS, NEGATIVES, PARTS
from common.data.sources.custom.raw_rows import RawTable, read_raw
from common.data.sources.registry import LASTFM, SYNTHETIC, resolve_name
from common.evaluation.leakage.findings import LEAK, LOOK, OK, Finding, Parts, make_parts
from common.evaluation.leakage.split_checks import check_parts, repeated
from common.evaluation.leakage.table_checks import check_tables
from common.experiments.flags import command, parse
from common.experiments.settings import DataSettings
from common.splits.predefined import SERVED
from common.splits.protocols import PROTOCOLS
from common.splits.split import Split
from common.splits.store import folder_name, load_split
from common.utils.errors import UserError, unknown_name
from common.utils.io import write_json
from common.utils.terminal import aligned

WIDTH = 80
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings(DataSettings):
    """Look into a split for what gives held-out pairs away, and say what each finding means."""

    protocol: str = "listen"
    """listen, next, next-shuffled, newcomer or temporal; a ready-made split is checked as listen or next."""
    json: Path | None = None
    """File that receives the findings as JSON."""

    def check(self) -> None:
        """Raise a UserError for the first flag that makes no sense."""
        super().check()
        if self.protocol not in PROTOCOLS:
            raise unknown_name("protocol", self.protocol, PROTOCOLS)


@dataclass(frozen=True)
class Report:
    """The findings on a split; `refusal` is why Encore would not take the folder as it is."""

    dataset: str
    split: str
    findings: list[Finding]
    times: bool
    refusal: str = ""

    def count(self, severity: str) -> int:
        """How many checks ended so."""
        return sum(finding.severity == severity for finding in self.findings)


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Check, print, write; exit code 1 if there is a leak."""
    settings = parse(Settings, argv)
    report = check_split(settings)
    log.info("%s", text(report))
    if settings.json:
        write_json(settings.json, as_json(report))
        log.info("\nfindings: %s", settings.json)
    if report.count(LEAK):
        raise SystemExit(1)


def check_split(settings: Settings) -> Report:
    """Every check on the split that the settings name."""
    if settings.dataset in ("auto", LASTFM, SYNTHETIC):
        return _check_drawn(settings)
    resolve_name(settings.dataset, settings.data_dir)  # says so where there is no such folder
    raw = read_raw(Path(settings.dataset))
    if "test" in raw:
        return _check_ready_made(settings, raw)
    rows = raw[INTERACTIONS]
    written = repeated(make_parts(settings.protocol, {INTERACTIONS: (rows.rows, rows.where)}))
    report = _check_drawn(settings)
    kept = [finding for finding in report.findings if "repeated" not in finding.check]
    as_read = [dataclasses.replace(finding, advice=f"{finding.advice}; Encore adds them up") for finding in written]
    renamed = [finding for finding in as_read if "repeated" in finding.check]
    return dataclasses.replace(report, findings=[*renamed, *kept])


def _check_drawn(settings: Settings) -> Report:
    """A split that Encore has drawn."""
    data = load_dataset(settings.dataset, settings.data_dir, settings.synthetic)
    name = folder_name(settings.protocol, settings.split_seed)
    parts = drawn_parts(load_split(data, name), settings.protocol)
    return Report(data.name, name, [*check_parts(parts), *check_tables(data, name)], parts.has_times)


def drawn_parts(split: Split, protocol: str) -> Parts:
    """The parts of a split on disk, rows named by their number in their file."""
    frames = {name: (frame, _row_of(name)) for name, frame in split.parts().items()}
    return make_parts(protocol, frames, (split.negatives99, _row_of(NEGATIVES)))


def _row_of(name: str) -> Any:
    return lambda row: f"{name}.parquet, row {row + 1}"


def _check_ready_made(settings: Settings, raw: dict[str, RawTable]) -> Report:
    """A split that came in files: as the files are, then as Encore takes it, if it does."""
    if settings.protocol not in SERVED:
        raise UserError(f"{settings.dataset} has a ready-made split, which serves --protocol listen and next alone")
    frames = {name: (raw[name].rows, raw[name].where) for name in PARTS if name in raw}
    negatives = (raw[NEGATIVES].rows, raw[NEGATIVES].where) if NEGATIVES in raw else None
    parts = make_parts(settings.protocol, frames, negatives)
    findings, refusal, name = check_parts(parts), "", resolve_name(settings.dataset, settings.data_dir)
    try:
        data = load_dataset(settings.dataset, settings.data_dir)
        findings += check_tables(data, folder_name(settings.protocol, settings.split_seed))
    except UserError as error:
        if not any(finding.severity == LEAK for finding in findings):
            raise
        refusal = str(error)
    return Report(name, settings.protocol, findings, parts.has_times, refusal)


def text(report: Report) -> str:
    """The findings within the width of a terminal: a table, then a sentence for each that is not ok."""
    cells = [["check", "", "found"], *([f.check, f.severity, f.found] for f in report.findings)]
    lines = aligned(cells, texts=2)
    rule = "-" * len(lines[0])
    shown = [f"{report.dataset} / {report.split}: leakage check", rule, lines[0], rule, *lines[1:], rule]
    for severity in (LEAK, LOOK):
        for found in (finding for finding in report.findings if finding.severity == severity):
            first = f" (first: {found.example})" if found.example else ""
            shown += ["", *_wrapped(f"{severity}: {found.check}, {found.found}{first}. {_sentence(found.advice)}")]
    if not report.times:
        shown += ["", *_wrapped("No times here, so nothing was checked that needs them: future events, tied dates.")]
    if report.refusal:
        shown += ["", *_wrapped(f"The stages refuse this folder as it is: {report.refusal}. Tables: not checked.")]
    verdict = f"{report.count(LEAK)} leak, {report.count(LOOK)} look, {report.count(OK)} ok"
    return "\n".join([*shown, "", verdict])


def _sentence(advice: str) -> str:
    return f"{advice[:1].upper()}{advice[1:]}."


def _wrapped(sentence: str) -> list[str]:
    return textwrap.wrap(sentence, WIDTH, break_long_words=False, break_on_hyphens=False)


def as_json(report: Report) -> dict[str, Any]:
    """The report for programs."""
    return {
        "dataset": report.dataset,
        "split": report.split,
        "counts": {severity: report.count(severity) for severity in (LEAK, LOOK, OK)},
        "refusal": report.refusal,
        "findings": [dataclasses.asdict(finding) for finding in report.findings],
    }
