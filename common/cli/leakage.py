"""A leakage check of a split, of a data set or of a folder of your own.

Exit code 0 where no check finds a leak, 1 where one does, 2 for a mistake in the command or in a file.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from common.evaluation.leakage.findings import LEAK, LOOK, OK
from common.evaluation.leakage.report import Report, check_split
from common.experiments.flags import command, parse
from common.experiments.settings import DataSettings
from common.splits.protocols import PROTOCOLS
from common.utils.errors import check_known
from common.utils.io import write_json
from common.utils.terminal import paragraph, titled

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings(DataSettings):
    """Look into a split for what gives held-out pairs away, and say what each finding means."""

    protocol: str = "listen"
    """listen, listen-stratified, next, next-shuffled, newcomer, temporal, random-8020, random-811; ready-made splits as
    listen or next."""
    json: Path | None = None
    """File that receives the findings as JSON."""

    def check(self) -> None:
        """Raise a UserError for the first flag that makes no sense."""
        super().check()
        check_known("protocol", PROTOCOLS, self.protocol)


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Check, print, write; exit code 1 if there is a leak."""
    settings = parse(Settings, argv)
    report = check_split(
        *(settings.dataset, settings.protocol, settings.split_seed, settings.data_dir, settings.synthetic),
        missing=settings.missing,
    )
    log.info("%s", text(report))
    if settings.json:
        write_json(settings.json, report.as_json())
        log.info("\nfindings: %s", settings.json)
    if report.count(LEAK):
        raise SystemExit(1)


def text(report: Report) -> str:
    """The findings within the width of a terminal: a table, then a sentence for each that is not ok."""
    cells = [["check", "", "found"], *([f.check, f.severity, f.found] for f in report.findings)]
    shown = titled(f"{report.dataset} / {report.split}: leakage check", cells, texts=2)
    for severity in (LEAK, LOOK):
        for found in (finding for finding in report.findings if finding.severity == severity):
            first = f" (first: {found.example})" if found.example else ""
            shown += ["", *paragraph(f"{severity}: {found.check}, {found.found}{first}. {_sentence(found.advice)}")]
    if not report.times:
        shown += ["", *paragraph("No times here, so nothing was checked that needs them: future events, tied dates.")]
    if report.refusal:
        shown += ["", *paragraph(f"The stages refuse this folder as it is: {report.refusal}. Tables: not checked.")]
    verdict = f"{report.count(LEAK)} leak, {report.count(LOOK)} look, {report.count(OK)} ok"
    return "\n".join([*shown, "", verdict])


def _sentence(advice: str) -> str:
    return f"{advice[:1].upper()}{advice[1:]}."
