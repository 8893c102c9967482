"""One size of the benchmark: how many events, in which format, and where everything of it lies."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.utils.errors import UserError
from common.utils.io import free_bytes
from common.utils.memory import readable

BYTES = {"parquet": 24, "csv.gz": 40, "jsonl": 215}
"""Bytes of a raw event at most; large logs are less compressible."""
PREPARED_BYTES = {"parquet": 48, "csv.gz": 100, "jsonl": 100}
"""Bytes of an event in the tables between the steps and in the data set, at most."""
EVENT_BYTES, PAIR_BYTES, MATRIX_BYTES = 40, 6, 9
"""Bytes of an event in the files of the aggregation with all that a contestant writes, in models and lists, and in the
matrix of all pairs while it is made."""


@dataclass(frozen=True)
class Size:
    """A size of the benchmark."""

    events: int
    format: str
    folder: Path
    memory: str = "auto"

    @property
    def name(self) -> str:
        """Its name in the notebook."""
        return f"{self.events} {self.format}"

    @property
    def place(self) -> Path:
        """The folder of this size."""
        return self.folder / self.name.replace(" ", "-")

    @property
    def raw(self) -> Path:
        """The raw files; their ledger lies beside them."""
        return self.place / "raw"

    @property
    def prepared(self) -> Path:
        """The data set that the ten steps make."""
        return self.place / "prepared"

    @property
    def log(self) -> dict[str, Any]:
        """The settings of the generated log."""
        return {"events": self.events, "format": self.format}

    def needed(self, parts: tuple[str, ...]) -> int:
        """Bytes on disk that some parts need at most, what is there already included."""
        per_event = {"generate": BYTES[self.format], "prepare": PREPARED_BYTES[self.format]}
        per_event |= {"aggregate": EVENT_BYTES, "als-pairs": MATRIX_BYTES}
        found = sum(size for part, size in per_event.items() if part in parts)
        if "generate" not in parts and "prepare" in parts:
            found += BYTES[self.format]
        if set(parts) - per_event.keys():
            found += PAIR_BYTES
        return self.events * found

    def check_disk(self, parts: tuple[str, ...]) -> None:
        """Raise a UserError where the disk is too small for some parts."""
        needed, free = self.needed(parts) - size_of(self.place), free_bytes(self.place)
        if needed > free:
            raise UserError(
                f"--events {self.events} needs about {readable(needed)} more below {self.place}, and {readable(free)} "
                "are free; free some space, choose another --folder or give fewer --events"
            )


def size_of(folder: Path) -> int:
    """Bytes of all files below a folder; files that vanish meanwhile count as gone."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:
            continue
    return total
