"""The ten steps on Apache Spark: the same tables, in the same folders, by the same rules as on one machine."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from common.data.preparation.spark.coding import canonical_ids
from common.data.preparation.spark.events import aggregate_interactions, deduplicate_events, filter_bots
from common.data.preparation.spark.reading import scan, validate
from common.data.preparation.spark.tables import write_tables
from common.data.preparation.spark.workspace import SparkWorkspace
from common.data.preparation.steps.deduplicate_artists import deduplicate_artists
from common.data.preparation.steps.group_work_versions import group_work_versions
from common.data.preparation.steps.normalise_timestamps import normalise_timestamps
from common.data.preparation.workspace import Outcome

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ON_SPARK: Mapping[str, Callable[[SparkWorkspace], Outcome]] = {
    "scan": scan,
    "validate": validate,
    "normalise_timestamps": normalise_timestamps,  # described once, through Narwhals
    "canonical_ids": canonical_ids,
    "deduplicate_events": deduplicate_events,
    "deduplicate_artists": lambda work: work.step_once(deduplicate_artists),
    "group_work_versions": lambda work: work.step_once(group_work_versions),
    "filter_bots": filter_bots,
    "aggregate_interactions": aggregate_interactions,
    "write_tables": write_tables,
}
"""How each step runs on Spark, by its name."""


class SparkEngine:
    """Runs steps in a Spark session, for `prepare(..., engine=SparkEngine(session))`."""

    name = "spark"
    steps = ON_SPARK

    def __init__(self, spark: "SparkSession") -> None:
        self.spark = spark

    def workspace(self, *given: Any) -> SparkWorkspace:
        """The place of work of a step; given: all fields of a `Workspace`, in order."""
        return SparkWorkspace(*(*given, self.spark))
