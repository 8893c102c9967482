"""docs/figures/serving.png: the page of the service, with the models of a smoke run on generated data.

python 1_knn_baseline.py --dataset synthetic --preset smoke     (and the other stages)
python -m examples.serving_picture                              (needs Chromium and requirements-serve.txt)

Only generated names are on it: those of a real data set must not be published.
"""

import contextlib
import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.experiments.flags import command, parse_flags
from common.reporting.html.screenshot import screenshot
from common.utils.errors import UserError
from common.utils.io import ROOT

PATIENCE = 300
"""Seconds until the service must be ready."""
LIKED = (1, 4)
"""Places in the popular list of the items that are liked, from 0."""


@dataclass(frozen=True)
class Settings:
    """Take a picture of the page of `python -m common serve`."""

    preset: str = "smoke"
    """Preset that the models were trained with."""
    data_dir: Path = ROOT / "data"
    """Folder of prepared data."""
    output_dir: Path = ROOT / "outputs"
    """Folder of trained models."""
    picture: Path = ROOT / "docs" / "figures" / "serving.png"
    """File that receives the picture."""
    height: int = 860
    """Its height in pixels; it is 1280 wide."""


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Serve, like two popular items by a link, take the picture."""
    settings = parse_flags(Settings, argv)
    with served(settings) as address:
        popular = answer(f"{address}/v1/recommend", {"k": 10})["lists"][0]["items"]
        likes = "&".join(f"like={popular[place]['item_id']}" for place in LIKED)
        screenshot(f"{address}/#{likes}", settings.picture, height=settings.height)


@contextlib.contextmanager
def served(settings: Settings) -> Iterator[str]:
    """The address of a service that runs in a process of its own, once it is ready."""
    flags = ["--dataset", "synthetic", "--preset", settings.preset, "--port", "0"]
    flags += ["--data-dir", str(settings.data_dir), "--output-dir", str(settings.output_dir)]
    running = subprocess.Popen([sys.executable, "-m", "common", "serve", *flags], stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    try:
        line = next((line for line in running.stdout if "http://" in line), "")
        if not line:
            raise UserError("the service did not start; see what it says above")
        yield _ready("http://" + line.split("http://")[1].split()[0])
    finally:
        running.terminate()
        running.communicate()


def _ready(address: str) -> str:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with contextlib.suppress(urllib.error.URLError):
            answer(f"{address}/readyz")
            return address
        time.sleep(0.5)
    raise UserError(f"{address} did not get ready in {PATIENCE} seconds; train a model first")


def answer(address: str, content: Any = None) -> Any:
    """What a route answers, to a body where one is given."""
    body = None if content is None else json.dumps(content).encode()
    request = urllib.request.Request(address, body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)


if __name__ == "__main__":
    main()
