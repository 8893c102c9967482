"""A log of twelve rows on its way through the ten steps of preparation, as docs/guide.md shows it.

python -m examples.ten_steps
"""

import tempfile
from pathlib import Path

import polars as pl

from common.data.preparation.pipeline import TEN_STEPS, prepare

LOG = """\
user_id,track,artist,album,timestamp
anna,Lanterns,The Night Owl Club,Dusk,2024-03-01T10:00:00Z
anna,Lanterns,The Night Owl Club,Dusk,2024-03-01T10:00:00Z
anna,lanterns,night owl club,Dusk,2024-03-02T21:30:00Z
anna,Lanterns - Live,Night Owl Club feat. Ada,Dusk,2024-03-03T09:00:00Z
ben,Lanterns,The Night Owl Club,Dusk,2024-03-03T12:00:00+02:00
ben,Lanterns,The Nigth Owl Club,Dusk,2024-03-04T12:00:00Z
ben,Harbour,Café Tide,Salt,2024-03-05T08:00:00Z
,Harbour,Café Tide,Salt,2024-03-05T08:04:00Z
anna,Harbour,Cafe Tide,Salt,yesterday
ben,Lanterns - Live,The Night Owl Club,Dusk,2024-03-06T08:00:00Z
anna,Harbour,Café Tide,Salt,2024-03-07T08:00:00Z
ben,Dunes,Café Tide,Salt,2024-03-08T08:00:00Z
"""
SHOWN = {
    "scan": ("events", ["row", "user_id", "track", "artist", "time_text"]),
    "validate": ("dropped", ["row", "user_id", "time_text", "rule"]),
    "normalise_timestamps": ("events", ["user_id", "track", "timestamp", "part"]),
    "canonical_ids": ("tracks", ["item_id", "name", "featured", "plays"]),
    "deduplicate_events": ("events", ["user", "track", "timestamp", "part"]),
    "deduplicate_artists": ("near_spellings", ["artist", "near", "score", "merged"]),
    "group_work_versions": ("tracks", ["item_id", "track_group_id"]),
    "filter_bots": ("left_out", ["kind", "code", "rule"]),
    "aggregate_interactions": ("interactions", ["user", "item", "part", "plays", "first", "last"]),
}


def main() -> None:
    """Print what each step has written, and the data set at the end."""
    pl.Config(tbl_formatting="ASCII_MARKDOWN", tbl_hide_column_data_types=True, tbl_hide_dataframe_shape=True)
    pl.Config(tbl_rows=20, fmt_str_lengths=60, tbl_width_chars=110)
    with tempfile.TemporaryDirectory() as folder:
        raw, out = Path(folder) / "log.csv", Path(folder) / "out"
        raw.write_text(LOG, encoding="utf-8")
        steps = prepare([raw], out, keep=True)["steps"]
        for number, (step, said) in enumerate(zip(TEN_STEPS, steps, strict=True), 1):
            before, after = (
                f"{said[f'rows_{way}']} {unit}" for way, unit in zip(("in", "out"), step.units, strict=True)
            )
            print(f"\n{number} {step.name}: {before} -> {after} {said['dropped'] or ''}".rstrip())
            if step.name in SHOWN:
                table, columns = SHOWN[step.name]
                files = sorted((out / "steps" / f"{number:02}_{step.name}" / table).rglob("*.parquet"))
                print(pl.read_parquet(files, hive_partitioning=False).select(columns))
        print(pl.read_parquet(out / "items.parquet").select("code", "item_id", "name", "artist", "track_group_id"))
        print(pl.read_parquet(out / "interactions_train.parquet"))


if __name__ == "__main__":
    main()
