"""What was measured so far: a file of JSON lines, so that a benchmark that was stopped goes on."""

import json
from pathlib import Path
from typing import Any


class Notebook:
    """Findings by part and name. A line that a kill has cut off counts as never written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        found = [row for line in text.splitlines() if (row := _row(line))]
        self.findings: dict[tuple[str, str], dict[str, Any]] = {(row["part"], row["name"]): row for row in found}
        self._cut_off = bool(text) and not text.endswith("\n")

    def has(self, part: str, name: str) -> bool:
        """Whether something was measured already."""
        return (part, name) in self.findings

    def note(self, part: str, name: str, **values: Any) -> None:
        """Keep a finding."""
        self.findings[part, name] = {"part": part, "name": name, **values}
        with self.path.open("a", encoding="utf-8") as file:
            file.write("\n" * self._cut_off + json.dumps(self.findings[part, name]) + "\n")
        self._cut_off = False

    def of(self, part: str) -> list[dict[str, Any]]:
        """All findings of a part."""
        return [row for (of, _), row in self.findings.items() if of == part]


def _row(line: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(line)
    except ValueError:
        return None
    return found
