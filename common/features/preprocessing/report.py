"""What was done to how many rows: the preprocessor's report and its messages."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import pandas as pd

UNSEEN = "unseen categories"
CHECKS = ("infinite values", "impossible values", "time signatures", "rows dropped")
STEPS = (
    "column names",
    "types",
    *CHECKS[:2],
    "release dates",
    *CHECKS[2:],
    "missing values",
    "outliers",
    "music age",
    "numbers",
    "binary",
    "categories",
    UNSEEN,
    "texts",
)
"""The steps in the order of the report."""
ALWAYS = (*CHECKS, "missing values", "outliers")
"""Steps that the report names even where they touched nothing."""


@dataclass
class Notes:
    """Steps as they are done."""

    rows: list[tuple[str, str, int, str]] = field(default_factory=list)
    """(step, column, rows touched, what was done)."""
    read_from: dict[str, str] = field(default_factory=dict)
    """Columns of the frame by the standard names that they are read under, which messages go by."""

    def add(self, step: str, column: str, rows: int, what: str) -> None:
        """Note a step unless it touched nothing."""
        if rows:
            self.rows.append((step, column, int(rows), what))

    def report(self) -> pd.DataFrame:
        """A row per step and column: step, column, rows, what; steps that touched nothing say so.

        >>> Notes([("missing values", "age", 2, "imputed")]).report().query("rows > 0")["column"].tolist()
        ['age']
        """
        done = {step for step, *_ in self.rows}
        rows = [*self.rows, *((step, "", 0, "none") for step in ALWAYS if step not in done)]
        rows.sort(key=lambda row: STEPS.index(row[0]))
        return pd.DataFrame(rows, columns=["step", "column", "rows", "what"])

    def oddities(self) -> str:
        """What was unusual, in one line, "" for nothing."""
        return "; ".join(
            f"{step}: {column} {rows:,} ({what})" for step, column, rows, what in self.rows if step in (*CHECKS, UNSEEN)
        )


def summary(report: pd.DataFrame, left_out: dict[str, str]) -> str:
    """A line per step of a report, and one per reason for which columns are left out."""
    lines = []
    for step, about in report.groupby("step", sort=False):
        by_rows = about.groupby("rows", sort=False)["column"]
        lines.append(line(str(step), (f"{', '.join(names)} {rows:,}".strip() for rows, names in by_rows)))
    reasons = pd.Series(left_out, dtype=object)
    for reason, columns in reasons.groupby(reasons, sort=False):
        lines.append(line("left out", [f"{', '.join(columns.index)}: {reason}"]))
    return "\n".join(lines)


def line(step: str, parts: Iterable[str]) -> str:
    """One line of the summary, the steps' names in a column of their own."""
    return f"  {step:<18} {'; '.join(parts)}"
