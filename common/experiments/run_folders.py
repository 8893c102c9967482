"""Folders of the runs behind the rows of a leaderboard."""

from pathlib import Path

import pandas as pd

NEEDED = ("metrics.json", "per_user.parquet", "targets.parquet")


def run_folders(folder: Path, rows: pd.DataFrame) -> dict[str, Path]:
    """Folder of the first seed's results of each leaderboard row, all on one part of the split.

    Test, if every row has opened it, else validation for all: a figure never mixes the two.
    """
    found: dict[str, Path] = {}
    for part in ("test", "valid"):
        found = {label(row): path for _, row in rows.iterrows() if (path := _first(folder, row, part))}
        if len(found) == len(rows):
            break
    return found


def _first(folder: Path, row: pd.Series, part: str) -> Path | None:
    results = sorted((folder / row["model"] / row["preset"]).glob(f"seed*/{part}"))
    return next((result for result in results if all((result / name).exists() for name in NEEDED)), None)


def on_part(title: str, results: dict[str, Path]) -> str:
    """A title that says which part of the split its figures come from."""
    return f"{title}, {'test' if next(iter(results.values())).name == 'test' else 'validation'}"


def label(row: pd.Series) -> str:
    """How a row is called in a legend."""
    return row["model"] if row["preset"] == "tuned" else f"{row['model']} ({row['preset']})"
