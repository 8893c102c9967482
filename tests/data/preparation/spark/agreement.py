"""What two engines have made of one log, compared table by table and file by file."""

from pathlib import Path

import polars as pl

UNCOMPARED = ("manifest.json", "steps.json", "quality.json")
"""Files that hold hashes of the tables, times of the run, or floating-point sums."""


def table(folder: Path) -> pl.DataFrame:
    """All rows of a table, or of its part files."""
    files = sorted(folder.glob("*.parquet")) if folder.is_dir() else [folder]
    return pl.concat([pl.read_parquet(file, hive_partitioning=False) for file in files])


def differing_tables(one: Path, other: Path) -> list[str]:
    """Tables between the steps, kept below both folders, that differ in columns, types or, once sorted, any row."""
    names = sorted({path.relative_to(out).as_posix() for out in (one, other) for path in out.glob("steps/*/*")})
    assert len(names) >= 15, "the tables between the steps were not kept"
    return [name for name in names if not _same(one / name, other / name)]


def _same(one: Path, other: Path) -> bool:
    if not (one.is_dir() and other.is_dir()):
        return False
    first, second = table(one), table(other)
    return first.schema == second.schema and first.sort(first.columns).equals(second.sort(second.columns))


def differing_files(one: Path, other: Path) -> list[str]:
    """Files of two data sets that differ in any byte; tables of interactions in any row, or in their order."""
    of_both = [
        {
            path.relative_to(out).parts[0]
            if path.relative_to(out).parts[0].startswith("interactions_")
            else path.relative_to(out).as_posix()
            for path in out.rglob("*")
            if path.is_file() and path.relative_to(out).parts[0] not in (*UNCOMPARED, "steps")
        }
        for out in (one, other)
    ]
    names = sorted(of_both[0] | of_both[1])
    assert len(names) >= 20, names
    return [name for name in names if not _same_content(one / name, other / name)]


def _same_content(one: Path, other: Path) -> bool:
    if not (one.exists() and other.exists()):
        return False
    if one.name.startswith("interactions_"):
        return table(one).equals(table(other))
    return one.read_bytes() == other.read_bytes()
