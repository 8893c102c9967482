"""Recommendations for all users of a data set by a model that a Spark cluster has fitted, made on the cluster."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.cluster.paths import url
from common.cluster.settings import SPARK
from common.data.dataset import Dataset
from common.experiments.on_spark.stage import ITEMS, recommend
from common.splits.on_spark.view import spark_view
from common.splits.store import folder_name, load_split
from common.utils.errors import UserError
from common.utils.temporary import swapped_in

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

log = logging.getLogger(__name__)


def fitted_folder(run: Path) -> Path:
    """Where the newest model of a run lies that a cluster has fitted: `spark/final`, else `spark/select`."""
    for phase in ("final", "select"):
        if (run / SPARK / phase / ITEMS).exists():
            return run / SPARK / phase
    raise UserError(f"{run} was not fitted by Spark; name a run of 1_knn_baseline.py or 2_als.py with --engine spark")


def write_lists(
    spark: "SparkSession", run: Path, config: dict[str, Any], data: Dataset, output: Path, depth: int
) -> int:
    """Let executors write lists of `depth` items for every user of the model into a folder of Parquet parts, whole or
    not at all; returns the rows. Raises a UserError where data or split are no longer those of the run."""
    if output.is_file():
        raise UserError(f"--output {output} is a file, and a cluster writes a folder of parts; give another name")
    folder, split = fitted_folder(run), folder_name(config["protocol"], config["split_seed"])
    now = {"data_sha256": data.sha256, "split_sha256": load_split(data, split).info["split_sha256"]}
    if any(config.get(name) != value for name, value in now.items()):
        raise UserError(f"{run} was fitted on other data than {data.name!r} holds now; run its stage again")
    view = spark_view(spark, data, split, folder.name)
    floor = data.next_core if config["protocol"].startswith("next") else 1
    asked = view.pairs.select("user").distinct().join(view.users, "user").select("user_id")
    with swapped_in(output.parent) as fresh:
        recommend(spark, view, asked, folder, floor, depth).write.parquet(url(fresh / output.name))
    return spark.read.parquet(url(output)).count()
