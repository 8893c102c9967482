"""What was measured so far: a file of JSON lines, so that a benchmark that was stopped goes on."""

import json
from pathlib import Path
from typing import Any


class Notebook:
    """Findings by part and name."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        found = [json.loads(line) for line in lines if line.endswith("}")]
        self.findings: dict[tuple[str, str], dict[str, Any]] = {(row["part"], row["name"]): row for row in found}

    def has(self, part: str, name: str) -> bool:
        """Whether something was measured already."""
        return (part, name) in self.findings

    def note(self, part: str, name: str, **values: Any) -> None:
        """Keep a finding."""
        self.findings[part, name] = {"part": part, "name": name, **values}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(self.findings[part, name]) + "\n")

    def of(self, part: str) -> list[dict[str, Any]]:
        """All findings of a part."""
        return [row for (of, _), row in self.findings.items() if of == part]
