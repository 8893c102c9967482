"""Time of a process, of those below it, and of those that have ended."""

import subprocess
import sys

from benchmarks.cluster.processes import tree_cpu_seconds

BURN = "import time; start = time.process_time()\nwhile time.process_time() - start < 0.3: pass"
PARENT = f"""
import subprocess, sys
subprocess.run([sys.executable, "-c", {BURN!r}])
running = subprocess.Popen([sys.executable, "-c", {BURN!r} + "\\nprint(flush=True); input()"], stdin=subprocess.PIPE)
input()
running.communicate(b"\\n")
"""


def test_children_and_children_that_ended_count():
    before = tree_cpu_seconds()
    with subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()  # both have burnt their time, and one of them waits
        assert 0.6 <= tree_cpu_seconds(process.pid) < 60
        process.communicate(b"\n")
    assert tree_cpu_seconds() - before >= 0.6
