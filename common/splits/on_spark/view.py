"""What a model may see in a phase, as Spark tables: the files of the split, read by executors, ids as codes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from common.cluster.paths import url
from common.data.dataset import Dataset
from common.splits.protocols import FITTED_ON_TRAIN
from common.splits.store import parse_folder_name
from common.utils.errors import UserError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

WITHOUT_HISTORIES = ("newcomer",)
"""Protocols whose evaluated users are known by what is given of them alone, which no factors of training tell."""


@dataclass(frozen=True)
class SparkView:
    """Tables of a phase: pairs (user, item: int codes, weight: double), which models are fitted on; masked (user,
    item), which no list repeats; users (user, user_id) of the pairs; items (item, item_id) of the catalogue."""

    pairs: "DataFrame"
    masked: "DataFrame"
    users: "DataFrame"
    items: "DataFrame"


def spark_view(spark: "SparkSession", data: Dataset, split: str, phase: str) -> SparkView:
    """The tables of a phase of a split that is drawn; codes are those of `load_train_view` for items, and for users of
    a folder of matrix form."""
    protocol, _ = parse_folder_name(split)
    if protocol in WITHOUT_HISTORIES:
        raise UserError(f"protocol {protocol} is not evaluated by --engine spark: leave out --engine")
    known = ("train",) if phase == "select" else ("train", "valid")
    fitted = known[:1] if protocol in FITTED_ON_TRAIN else known
    read = _of_matrix_form if data.matrix is not None else _of_tables
    return read(spark, data, data.folder / "splits" / split, fitted, known)


def _of_matrix_form(
    spark: "SparkSession", data: Dataset, folder: Path, fitted: Sequence[str], known: Sequence[str]
) -> SparkView:
    """Interactions of a folder that `python -m common prepare` wrote: codes are there already."""
    columns = ["user", "item", "CAST(plays AS DOUBLE) AS weight"]
    pairs = _union(spark, [data.folder / f"interactions_{part}.parquet" for part in fitted]).selectExpr(*columns)
    if len(fitted) > 1:  # where repeats were kept, a pair stands in both parts
        pairs = pairs.groupBy("user", "item").sum("weight").withColumnRenamed("sum(weight)", "weight")
    users = spark.read.parquet(url(data.folder / "users.parquet")).selectExpr("code AS user", "user_id")
    items = spark.read.parquet(url(data.folder / "items.parquet")).selectExpr("code AS item", "item_id")
    masked = _union(spark, [data.folder / f"interactions_{part}.parquet" for part in known]).select("user", "item")
    return SparkView(pairs, masked, users, items)


def _of_tables(
    spark: "SparkSession", data: Dataset, folder: Path, fitted: Sequence[str], known: Sequence[str]
) -> SparkView:
    """Parts of a split as tables of ids: the code of an id is its place in sorted order."""
    everything = _union(spark, [folder / f"{part}.parquet" for part in ("train", "valid", "test")])
    rows, seen = (_union(spark, [folder / f"{part}.parquet" for part in parts]) for parts in (fitted, known))
    users, items = coded(rows, "user_id", "user"), coded(everything, "item_id", "item")

    def codes(frame: "DataFrame") -> "DataFrame":
        return frame.join(users, "user_id").join(items, "item_id")

    return SparkView(codes(rows).select("user", "item", "weight"), codes(seen).select("user", "item"), users, items)


def coded(frame: "DataFrame", column: str, name: str) -> "DataFrame":
    """The distinct ids of a column and the place of each in sorted order, from 0."""
    from pyspark.sql import Window
    from pyspark.sql import functions as f

    place = f.row_number().over(Window.orderBy(column)) - 1
    return frame.select(column).distinct().select(column, place.alias(name))


def _union(spark: "SparkSession", paths: Sequence[Path]) -> "DataFrame":
    return spark.read.parquet(*map(url, paths))
