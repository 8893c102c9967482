"""Recommendations for many users at once: by the index of a two-tower run, or on a Spark cluster.

    python -m common batch-recommend --run outputs/lastfm-2k/listen/two_tower/tuned/seed0 --output lists.parquet
    python -m common batch-recommend --run ... --histories histories.csv -k 50 --output lists.parquet

    python -m common batch-recommend --run .../als/tuned-spark/seed0 --engine spark --master spark://HOST:7077 ...

`histories.csv` (or .tsv, .parquet) holds user_id and item_id: the histories of users whom the model need not know.
Without it every user of the model gets a list. Lists are written batch by batch: memory holds one. A cluster takes runs
of 1_knn_baseline.py and 2_als.py with --engine spark, and writes a folder of parts.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from common.cluster.session import spark_session
from common.cluster.settings import SPARK, EngineSettings
from common.data.dataset import Dataset
from common.data.reading.schema import REFUSE
from common.data.reading.table import SUFFIXES
from common.experiments.flags import command, parse
from common.experiments.run import INDEX, Run
from common.experiments.settings import DataSettings
from common.models.neural.two_tower.model import TwoTower
from common.models.vector_index import Index
from common.serving.batch import read_histories, recommend, train_view_of, write_lists
from common.utils.errors import UserError
from common.utils.io import display
from common.utils.settings import Range

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings(EngineSettings, DataSettings):
    """Write recommendations for many users into a parquet file: user_id, rank, item_id, score."""

    run: Path = Path("outputs/lastfm-2k/listen/two_tower/tuned/seed0")
    """Folder of a finished run of 5_two_tower.py, with model/ and index/; for --engine spark one with spark/."""
    histories: Path | None = None
    """Table of user_id and item_id; without it all users of the model."""
    k: Annotated[int, tyro.conf.arg(aliases=["-k"]), Range(1, 1_000_000)] = 100
    """Length of a list; a catalogue that has fewer new items for a user gives fewer."""
    batch: Annotated[int, Range(1, 1_000_000)] = 4096
    """Users per batch."""
    output: Path = Path("lists.parquet")
    """The file to write, whole or not at all."""

    def check(self) -> None:
        """Raise a UserError for the first flag that makes no sense."""
        super().check()
        self.check_engine()
        if self.engine == SPARK and self.histories is not None:
            raise UserError("--histories is for the vector index: leave out --engine spark, or --histories")
        if self.output.suffix != ".parquet":
            raise UserError(f"--output {self.output}: lists are written as parquet; give a name that ends in .parquet")
        if self.histories is not None and self.histories.suffix not in SUFFIXES:
            raise UserError(f"--histories {self.histories}: give a file that ends in {', '.join(SUFFIXES)}")


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Load, look up, write."""
    settings = parse(Settings, argv)
    data = settings.load_data()
    run = Run(settings.run)
    config = run.config()
    if config.get("dataset") != data.name:
        raise UserError(
            f"{settings.run} is a run on {config.get('dataset')!r}, not on {data.name!r}; name its --dataset"
        )
    if settings.engine == SPARK:
        _on_spark(settings, config, data)
        return
    train = train_view_of(settings.run, config, data)
    model = run.load(TwoTower, train)
    for name in INDEX:
        if wrong := run.unvouched(name):
            raise UserError(wrong)
    index = Index.load(run.index_folder, model.item_vectors())
    if settings.histories is None:
        users, histories = train.users["user_id"].to_numpy(object), None
    else:
        users, histories = read_histories(settings.histories, train, settings.missing or REFUSE)
    start = time.perf_counter()
    rows = write_lists(settings.output, recommend(model, index, users, histories, train, settings.k, settings.batch))
    seconds = time.perf_counter() - start
    written = f"{len(users):,} lists, {rows:,} rows, {len(users) / seconds:.0f} users a second"
    log.info("%s: %s", written, display(settings.output))


def _on_spark(settings: Settings, config: dict[str, Any], data: Dataset) -> None:
    """Let a cluster write the lists."""
    from common.serving import on_spark

    start = time.perf_counter()
    with spark_session(settings.master, executor_memory=settings.executor_memory) as spark:
        rows = on_spark.write_lists(spark, settings.run, config, data, settings.output, settings.k)
    log.info("%s rows in %.0f s: %s", f"{rows:,}", time.perf_counter() - start, display(settings.output))
