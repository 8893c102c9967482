"""Figures of tasks by the name of their work, from a log as Spark writes it."""

import json

from benchmarks.cluster.event_log import shuffles, taken


def task(stage, reason="Success", **metrics):
    return {"Event": "SparkListenerTaskEnd", "Stage ID": stage, "Task End Reason": {"Reason": reason}} | metrics


def test_tasks_are_counted_by_description(tmp_path):
    metrics = {
        "Executor CPU Time": 2e9,
        "Executor Run Time": 3000,
        "JVM GC Time": 500,
        "Peak Execution Memory": 7_000_000,
        "Disk Bytes Spilled": 1_000_000,
        "Shuffle Write Metrics": {"Shuffle Bytes Written": 4_000_000, "Shuffle Records Written": 5},
    }
    events = [
        {"Event": "SparkListenerStageSubmitted", "Stage Info": {"Stage ID": 0}, "Properties": None},
        {
            "Event": "SparkListenerStageSubmitted",
            "Stage Info": {"Stage ID": 1, "Stage Name": "map at A.scala:1"},
            "Properties": {"spark.job.description": "als"},
        },
        task(0),
        task(1, **{"Task Metrics": metrics}),
        task(1, "ExecutorLostFailure", **{"Task Metrics": metrics | {"Peak Execution Memory": 1}}),
    ]
    lines = "\n".join(map(json.dumps, events)) + '\n{"Event": "SparkListenerTaskEn'
    (tmp_path / "app-1").write_text(lines, encoding="utf-8")
    found = taken(tmp_path)
    assert found[""]["tasks"] == 1
    assert found["als"] == {
        "tasks": 2,
        "failed": 1,
        "cpu_seconds": 4,
        "task_seconds": 6,
        "gc_seconds": 1,
        "shuffle_mb": 8,
        "spilled_mb": 2,
        "memory_mb": 7,
    }
    assert shuffles(tmp_path) == {"als": [{"stage": "map at A.scala:1", "bytes": 8_000_000, "records": 10}]}
