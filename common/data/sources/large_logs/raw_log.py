"""A public log of events in the standard columns of raw files, which both its tables and the ten steps begin from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from common.data.tables import Repair

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class RawLog:
    """Events that were read and checked, and what was found on the way.

    `events` is a scan of a Parquet file: user_id, timestamp (int64 seconds), track_id (null where the source has
    none), and, as far as known, track, artist_id, artist, duration_seconds, played_ratio_pct, is_organic, and `part`
    (train, valid, test) where the authors of the data fix the cut.
    """

    path: Path
    events: "pl.LazyFrame"
    repairs: list[Repair]
    counts: Mapping[str, Mapping[str, int]]
    """By file, what was counted in it."""
    warnings: list[str]
    users: pd.DataFrame | None = None
    """Profiles: user_id, age, gender, country, registered."""
    cut: Mapping[str, int] = field(default_factory=dict)
    """The cut in seconds: train_until, valid_from, valid_until, test_from."""

    def notes(self) -> dict[str, object]:
        """What the manifest says of it."""
        notes: dict[str, object] = {"sources": dict(self.counts), "warnings": self.warnings}
        return notes | ({"cut": dict(self.cut)} if self.cut else {})
