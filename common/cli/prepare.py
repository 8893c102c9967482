"""Raw listening logs of any size to a data set, in ten steps and bounded memory.

python -m common prepare logs/*.csv.gz --out data/mine --memory 6GB
python -m common prepare logs/*.csv.gz --out /shared/mine --engine spark --master spark://HOST:7077
python 1_knn_baseline.py --dataset data/mine --protocol temporal
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated

import tyro

from common.cluster.settings import SPARK, EngineSettings
from common.data.preparation.pipeline import Engine, LocalEngine, is_up_to_date, prepare
from common.data.preparation.raw_folder import is_raw_folder
from common.data.preparation.settings import RAW_TOML, PreparationSettings
from common.experiments.flags import command, parse_flags
from common.reporting.preparation_report import REPORT, write_report
from common.utils import memory
from common.utils.errors import UserError
from common.utils.io import display

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings(EngineSettings, PreparationSettings):
    """Prepare raw listening logs: ten steps from events to interactions, a cut in time, matrices, a quality report."""

    raw: Annotated[tuple[Path, ...], tyro.conf.Positional] = ()
    """Raw files, or folders of them: CSV, TSV, JSON lines, JSON arrays or Parquet, plain or with .gz or .zst."""
    out: Path | None = None
    """Folder that receives the data set, for --dataset."""
    memory: str = "auto"
    """Memory that this process may take, such as 6GB; auto: 70% of the machine's. It changes no result."""
    keep: bool = False
    """Keep the tables between the steps, too."""


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Prepare, and say where it lies."""
    settings = parse_flags(Settings, argv)
    if not settings.raw:
        raise UserError("no raw files are named; give files or folders, such as logs/*.csv.gz, before the flags")
    for folder in settings.raw:
        if is_raw_folder(folder):
            raise UserError(
                f"{folder} has a {RAW_TOML}, which flags would pass over: run 0_explore.py --dataset {folder}, or name "
                "its files instead of the folder"
            )
    if settings.out is None:
        raise UserError("--out is missing; name the folder that is to hold the data set")
    settings.check_engine()
    memory.use(settings.memory)
    plain = PreparationSettings(**{f.name: getattr(settings, f.name) for f in fields(PreparationSettings)})
    plain.check()
    place = display(settings.out)
    if is_up_to_date(settings.raw, settings.out, plain) and (settings.out / REPORT).exists():
        log.info("%s is up to date: prepared before, from these files and with these settings", place)
        return
    with _engine(settings) as engine:
        prepare(settings.raw, settings.out, plain, settings.keep, engine)
    report = write_report(settings.out)
    log.info("\ndata set: %s\nreport: %s\nuse it: python 0_explore.py --dataset %s", place, display(report), place)


@contextmanager
def _engine(settings: Settings) -> Iterator[Engine]:
    """What runs the steps; a Spark session ends with the block."""
    if settings.engine != SPARK:
        yield LocalEngine()
        return
    from common.cluster.session import spark_session
    from common.data.preparation.spark.engine import SparkEngine

    with spark_session(settings.master, "encore prepare", executor_memory=settings.executor_memory) as session:
        yield SparkEngine(session)


if __name__ == "__main__":
    main()
