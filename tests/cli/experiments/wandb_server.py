"""The part of W&B's server that a sweep and its agent talk to, on this machine: it hands out the runs it is given."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import yaml

from tests.data.sources.local_server import running

PLACE = {"name": "encore", "id": "UHJvamVjdA==", "entity": {"id": "RW50aXR5", "name": "somebody"}}
VIEWER = {"id": "VXNlcg==", "entity": "somebody", "username": "somebody", "email": "", "name": "", "admin": False}


class Server(ThreadingHTTPServer):
    """What the client has sent, and what the agent is told.

    config: the sweep as the client sent it, parsed. words: put before the parameters of its command. runs: parameters
    of the runs that the agent is to start, by the run's id.
    """

    daemon_threads = True

    def __init__(self, words: list[str], runs: dict[str, dict[str, Any]]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.words, self.runs = words, runs
        self.config: dict[str, Any] = {}
        self.asked: list[str] = []
        self.states: list[dict[str, bool]] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def answer(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        """The data of one GraphQL operation; {} for one that a sweep does without."""
        found = re.search(r"(?:query|mutation)\s+(\w+)", query)
        name = found[1] if found else ""
        self.asked.append(name)
        return {
            "Viewer": self.viewer,
            "UpsertSweep": self.upsert_sweep,
            "SweepWithRuns": self.sweep_with_runs,
            "CreateAgent": self.create_agent,
            "Heartbeat": self.heartbeat,
        }.get(name, self.viewer)(variables)

    def viewer(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"viewer": VIEWER}

    def upsert_sweep(self, variables: dict[str, Any]) -> dict[str, Any]:
        self.config = yaml.safe_load(variables["config"])
        assert variables["projectName"] == PLACE["name"]
        made = {"name": "sweep123", "project": PLACE}
        return {"upsertSweep": {"sweep": made, "configValidationWarnings": []}}

    def sweep_with_runs(self, variables: dict[str, Any]) -> dict[str, Any]:
        *before, last = self.config["command"]
        config = yaml.safe_dump(self.config | {"command": [*before, *self.words, last]})
        sweep = {"id": "U3dlZXA=", "name": variables["sweep"], "config": config, "state": "RUNNING"}
        return {"project": {"sweep": sweep | {"runs": {"edges": []}}}}

    def create_agent(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"createAgent": {"agent": {"id": "QWdlbnQ="}}}

    def heartbeat(self, variables: dict[str, Any]) -> dict[str, Any]:
        running = json.loads(variables["runState"])
        self.states.append(running)
        commands = [] if running else [self.next_command()]
        return {"agentHeartbeat": {"agent": {"id": "QWdlbnQ="}, "commands": json.dumps(commands)}}

    def next_command(self) -> dict[str, Any]:
        if not self.runs:
            return {"type": "exit"}
        run_id = next(iter(self.runs))
        values = {name: {"value": value} for name, value in self.runs.pop(run_id).items()}
        return {"type": "run", "run_id": run_id, "program": self.config["program"], "args": values}


class Handler(BaseHTTPRequestHandler):
    """GraphQL over HTTP."""

    server: Server

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        body = json.dumps({"data": self.server.answer(asked["query"], asked.get("variables") or {})}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def serving(words: list[str], runs: dict[str, dict[str, Any]]) -> Iterator[Server]:
    """The server while the block runs."""
    with running(Server(words, runs)) as server:
        yield server
