"""The leakage report of a split: that which Encore has drawn, or one that came predefined in files."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common.data.dataset import load_dataset
from common.data.sources.custom.folder import INTERACTIONS, NEGATIVES, PARTS
from common.data.sources.custom.raw_rows import RawTable, read_raw
from common.data.sources.registry import LASTFM, SYNTHETIC, resolve_name
from common.data.synthetic.generator import SyntheticSettings
from common.evaluation.leakage.findings import LEAK, LOOK, OK, Finding, Parts, make_parts
from common.evaluation.leakage.split_checks import check_parts, repeated
from common.evaluation.leakage.table_checks import check_tables
from common.splits.predefined import SERVED
from common.splits.split import Split
from common.splits.store import folder_name, load_split
from common.utils.errors import UserError
from common.utils.io import ROOT


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

    def as_json(self) -> dict[str, Any]:
        """The report for programs."""
        return {
            "dataset": self.dataset,
            "split": self.split,
            "counts": {severity: self.count(severity) for severity in (LEAK, LOOK, OK)},
            "refusal": self.refusal,
            "findings": [dataclasses.asdict(finding) for finding in self.findings],
        }


@dataclass(frozen=True)
class LeakageCheck:
    """Which split of which data set or folder is checked."""

    dataset: str
    protocol: str
    split_seed: int = 0
    data_dir: Path = ROOT / "data"
    synthetic: SyntheticSettings = field(default_factory=SyntheticSettings)

    @property
    def folder(self) -> str:
        """Folder name of the split."""
        return folder_name(self.protocol, self.split_seed)

    def report(self) -> Report:
        """Every check on the split."""
        if self.dataset in ("auto", LASTFM, SYNTHETIC):
            return self._drawn()
        resolve_name(self.dataset, self.data_dir)  # says so where there is no such folder
        raw = read_raw(Path(self.dataset))
        if "test" in raw:
            return self._predefined(raw)
        rows = raw[INTERACTIONS]
        written = repeated(make_parts(self.protocol, {INTERACTIONS: (rows.rows, rows.where)}))
        report = self._drawn()
        kept = [finding for finding in report.findings if "repeated" not in finding.check]
        as_read = [dataclasses.replace(finding, advice=f"{finding.advice}; Encore adds them up") for finding in written]
        renamed = [finding for finding in as_read if "repeated" in finding.check]
        return dataclasses.replace(report, findings=[*renamed, *kept])

    def _drawn(self) -> Report:
        """A split that Encore has drawn."""
        data = load_dataset(self.dataset, self.data_dir, self.synthetic)
        name = self.folder
        parts = drawn_parts(load_split(data, name), self.protocol)
        return Report(data.name, name, [*check_parts(parts), *check_tables(data, name)], parts.has_times)

    def _predefined(self, raw: dict[str, RawTable]) -> Report:
        """A split that came in files: as the files are, then as Encore takes it, if it does."""
        if self.protocol not in SERVED:
            raise UserError(f"{self.dataset} has a ready-made split, which serves --protocol listen and next alone")
        frames = {name: (raw[name].rows, raw[name].where) for name in PARTS if name in raw}
        negatives = (raw[NEGATIVES].rows, raw[NEGATIVES].where) if NEGATIVES in raw else None
        parts = make_parts(self.protocol, frames, negatives)
        findings, refusal, name = check_parts(parts), "", resolve_name(self.dataset, self.data_dir)
        try:
            data = load_dataset(self.dataset, self.data_dir)
            findings += check_tables(data, self.folder)
        except UserError as error:
            if not any(finding.severity == LEAK for finding in findings):
                raise
            refusal = str(error)
        return Report(name, self.protocol, findings, parts.has_times, refusal)


def drawn_parts(split: Split, protocol: str) -> Parts:
    """The parts of a split on disk, rows named by their number in their file."""
    frames = {name: (frame, _row_of(name)) for name, frame in split.parts().items()}
    return make_parts(protocol, frames, (split.negatives99, _row_of(NEGATIVES)))


def _row_of(name: str) -> Any:
    return lambda row: f"{name}.parquet, row {row + 1}"
