"""What Spark's own event log says that a piece of work took: tasks, CPU, shuffle, spilling, memory."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

SETTINGS = {
    "spark.eventLog.enabled": "true",
    "spark.eventLog.rolling.enabled": "false",
    "spark.eventLog.compress": "false",
}
"""That let a session write one plain log."""
DESCRIPTION = "spark.job.description"
"""By which a session names the jobs that follow: `SparkContext.setJobDescription`."""


def taken(folder: Path) -> dict[str, dict[str, float]]:
    """Figures by description, of the one application in an event log folder, see `_add`."""
    found: dict[str, dict[str, float]] = {}
    for stage, event in _tasks(folder):
        _add(found.setdefault(stage.work, {}), event)
    return found


def shuffles(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """By description the stages that write a shuffle, in their order: its name (`map at ALS.scala:1693`), and bytes
    and records that its tasks have written."""
    found: dict[int, tuple[Stage, dict[str, Any]]] = {}
    for stage, event in _tasks(folder):
        written = (event.get("Task Metrics") or {}).get("Shuffle Write Metrics") or {}
        if size := written.get("Shuffle Bytes Written", 0):
            total = found.setdefault(event["Stage ID"], (stage, {"stage": stage.name, "bytes": 0, "records": 0}))[1]
            total["bytes"] += size
            total["records"] += written["Shuffle Records Written"]
    by_work: dict[str, list[dict[str, Any]]] = {}
    for _, (stage, total) in sorted(found.items(), key=lambda entry: entry[0]):
        by_work.setdefault(stage.work, []).append(total)
    return by_work


class Stage(NamedTuple):
    """What a stage belongs to: the description of its job, and the name that Spark gives it."""

    work: str
    name: str


def _tasks(folder: Path) -> Iterator[tuple[Stage, dict[str, Any]]]:
    """Each task that has ended, and its stage."""
    stages: dict[int, Stage] = {}
    for event in _events(folder):
        if event["Event"] == "SparkListenerStageSubmitted":
            about, properties = event["Stage Info"], event.get("Properties") or {}
            stages[about["Stage ID"]] = Stage(properties.get(DESCRIPTION, ""), about.get("Stage Name", ""))
        elif event["Event"] == "SparkListenerTaskEnd":
            yield stages.get(event["Stage ID"], Stage("", "")), event


def _add(total: dict[str, float], event: dict[str, Any]) -> None:
    """Count a task: tasks, failed, cpu_seconds, gc_seconds, shuffle_mb (written), spilled_mb (to disk), memory_mb (the
    most that one task held in sorts, joins and aggregations)."""
    metrics = event.get("Task Metrics") or {}
    shuffle = (metrics.get("Shuffle Write Metrics") or {}).get("Shuffle Bytes Written", 0)
    added = {
        "tasks": 1,
        "failed": int(event["Task End Reason"]["Reason"] != "Success"),
        "cpu_seconds": metrics.get("Executor CPU Time", 0) / 1e9,
        "task_seconds": metrics.get("Executor Run Time", 0) / 1e3,
        "gc_seconds": metrics.get("JVM GC Time", 0) / 1e3,
        "shuffle_mb": shuffle / 1e6,
        "spilled_mb": metrics.get("Disk Bytes Spilled", 0) / 1e6,
    }
    for name, value in added.items():
        total[name] = total.get(name, 0) + value
    total["memory_mb"] = max(total.get("memory_mb", 0), metrics.get("Peak Execution Memory", 0) / 1e6)


def _events(folder: Path) -> Iterator[dict[str, Any]]:
    """The events of the newest log; a line that a kill has cut off is passed over."""
    newest = max((path for path in folder.iterdir() if path.is_file()), key=lambda path: path.stat().st_mtime)
    with newest.open(encoding="utf-8") as lines:
        for line in lines:
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if isinstance(event, dict) and "Event" in event:
                yield event
