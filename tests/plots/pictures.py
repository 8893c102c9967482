"""Drawing for tests: what a figure shows is told by its texts, and that it shows the data by its pixels."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure


def texts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, draw: Callable[..., Any], *args: Any, **more: Any) -> str:
    """Every text of a figure, each on a line: titles, labels of axes, legends, annotations. `draw` ends with a path."""
    seen: list[str] = []
    save = Figure.savefig

    def noted(self: Figure, *given: Any, **options: Any) -> None:
        save(self, *given, **options)
        found: list[Any] = self.findobj(lambda artist: hasattr(artist, "get_text"))
        seen.extend(artist.get_text() for artist in found)

    monkeypatch.setattr(Figure, "savefig", noted)
    draw(*args, tmp_path / "figure.png", **more)
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
    return "\n".join(seen)


def picture(tmp_path: Path, draw: Callable[..., Any], *args: Any, **more: Any) -> bytes:
    """The file that a drawing function writes."""
    draw(*args, tmp_path / "picture.png", **more)
    return (tmp_path / "picture.png").read_bytes()
