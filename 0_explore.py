"""Stage 0: prepare the data, split it, describe it, draw it.

Reads the raw files (or generates a data set), writes the prepared tables and every split that the data allows, and
keeps statistics, a data-quality report and figures under `outputs/<dataset>/explore/`:

    python 0_explore.py
    python 0_explore.py --deduplicate                   # one artist for all spellings of a name
    python 0_explore.py --dataset logs/                 # a folder of raw logs with a raw.toml: docs/guide.md
    python 0_explore.py --dataset synthetic --synthetic.users 500 --synthetic.items 2000
"""

import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from common.data.quality import duplicate_artists, quality_report
from common.experiments import tracking
from common.experiments.flags import command, parse
from common.experiments.settings import DataSettings
from common.reporting.preparation_report import QUALITY, write_report
from common.reporting.stages.explore import (
    draw_dataset,
    print_duplicates,
    print_quality,
    print_splits,
    print_statistics,
)
from common.splits.statistics import describe, describe_splits
from common.utils.io import display, strict, write_json
from common.utils.logs import log_file

STAGE = "0_explore"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings(DataSettings):
    """Stage 0: prepare, split, describe and draw one data set."""


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Run the stage."""
    settings = parse(Settings, argv)
    data = settings.load_data()
    folder = settings.output_dir / data.name / "explore"
    with log_file(folder / "log.txt"):
        statistics = describe(data)
        print_statistics(statistics)
        statistics["splits"] = describe_splits(data, settings.split_seed)
        print_splits(statistics["splits"])
        statistics["quality"] = quality_report(data.shown)
        print_quality(statistics["quality"])
        if data.matrix is None and (duplicates := duplicate_artists(data.tables)):
            statistics["duplicate_artists"], pairs = duplicates
            print_duplicates(statistics["duplicate_artists"], pairs, folder / "near_spellings.parquet")
        write_json(folder / "statistics.json", statistics)
        figures = draw_dataset(data, statistics, folder / "figures")
        identity = tracking.RunIdentity("explore", STAGE, "data", data.name, "data", data.sha256, "select", 0)
        tracker = tracking.start(settings.wandb, settings.output_dir, identity, {"data_sha256": data.sha256})
        tracker.summary(strict(statistics))
        for path in figures:
            tracker.figure(path.stem, path)
        tracker.finish()
        if (data.folder / QUALITY).exists():
            log.info("\nquality report of the logs: %s", display(write_report(data.folder)))
        log.info("\ndata: %s\nstatistics and figures: %s\nW&B: %s", display(data.folder), display(folder), tracker.hint)


if __name__ == "__main__":
    sys.exit(main())
