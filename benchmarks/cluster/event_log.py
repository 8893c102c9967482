"""What Spark's own event log says that a piece of work took: tasks, CPU, shuffle, spilling, memory."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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
    names: dict[int, str] = {}
    for event in _events(folder):
        if event["Event"] == "SparkListenerStageSubmitted":
            properties = event.get("Properties") or {}
            names[event["Stage Info"]["Stage ID"]] = properties.get(DESCRIPTION, "")
        elif event["Event"] == "SparkListenerTaskEnd":
            _add(found.setdefault(names.get(event["Stage ID"], ""), {}), event)
    return found


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
