"""The leakage report of a split: that which Encore has drawn, or one that came predefined in files."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.data.dataset import Dataset, load_dataset, missing_of
from common.data.matrix_files import is_matrix_folder
from common.data.sources.custom.folder import NEGATIVES
from common.data.sources.custom.raw_rows import RawTable, read_raw
from common.data.sources.registry import SOURCES, SYNTHETIC, resolve_name, without_mark
from common.data.synthetic.settings import SyntheticSettings
from common.evaluation.leakage.findings import LEAK, LOOK, OK, Finding, make_parts, row_of
from common.evaluation.leakage.split_checks import check_parts, repeated
from common.evaluation.leakage.table_checks import check_tables
from common.splits.predefined import SERVED
from common.splits.store import folder_name, load_split
from common.utils.errors import UserError


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


def check_split(
    dataset: str,
    protocol: str,
    split_seed: int,
    data_dir: Path,
    synthetic: SyntheticSettings | None = None,
    missing: str | None = None,
) -> Report:
    """Every check on a split of a data set, or of a folder of one's own; missing: as in `load_dataset`."""
    split = folder_name(protocol, split_seed)
    plain, marked = without_mark(dataset)
    if marked or plain in ("auto", *SOURCES, SYNTHETIC) or is_matrix_folder(Path(plain)):
        return _drawn(load_dataset(dataset, data_dir, synthetic), protocol, split)
    name = resolve_name(dataset, data_dir)  # says so where there is no such folder
    missing = missing_of(dataset, data_dir / name, missing)
    raw = read_raw(Path(dataset), missing)
    if "test" in raw and protocol not in SERVED:
        raise UserError(f"{dataset} has a ready-made split, which serves --protocol listen and next alone")
    parts = make_parts(protocol, raw)
    if "test" not in raw:
        report = _drawn(load_dataset(dataset, data_dir, missing=missing), protocol, split)
        written = [of for of in repeated(parts) if "repeated" in of.check]
        as_read = [dataclasses.replace(of, advice=f"{of.advice}; Encore adds them up") for of in written]
        kept = [of for of in report.findings if "repeated" not in of.check]
        return dataclasses.replace(report, findings=[*as_read, *kept])
    findings, refusal = check_parts(parts), ""
    try:
        findings += check_tables(load_dataset(dataset, data_dir, missing=missing), split)
    except UserError as error:
        if not any(finding.severity == LEAK for finding in findings):
            raise
        refusal = str(error)
    return Report(name, protocol, findings, parts.has_times, refusal)


def _drawn(data: Dataset, protocol: str, split: str) -> Report:
    """The checks of a split that Encore has drawn, rows named by their number in their file."""
    drawn = load_split(data, split)
    frames = {**drawn.parts(), NEGATIVES: drawn.negatives99}
    parts = make_parts(protocol, {name: RawTable(rows, row_of(f"{name}.parquet")) for name, rows in frames.items()})
    return Report(data.name, split, [*check_parts(parts), *check_tables(data, split)], parts.has_times)
