"""Results of several data sets and protocols, and their page, for the tests of what it shows."""

import dataclasses
from html.parser import HTMLParser

import pandas as pd
import pytest

from common.cli.page import main
from common.data.sources.registry import SYNTHETIC
from common.experiments.settings import ModelSettings
from common.models import ALS, ItemKNN, Popularity, Random, TagKNN
from tests.conftest import SMALL
from tests.data.worlds import sized
from tests.runs import finish

NAMES = (
    "<script>document.title = 'stolen'</script>",
    "\"Quoted\" & 'single' <b>bold</b>",
    "Beyoncé 🎧🔥",
    "فيروز (Fairuz)",
    "</script><img src=x onerror=alert(1)>",
    "{{ 7 * 7 }} ${7 * 7}",
)
STRANGER = "<i>u00</i> & co"


@pytest.fixture(scope="session")
def world(small_data_dir, tmp_path_factory):
    """Results of two data sets and two protocols, one of them with names that no page should take for tags."""
    root = tmp_path_factory.mktemp("page")
    settings = ModelSettings(
        dataset=SYNTHETIC, synthetic=SMALL, data_dir=small_data_dir, output_dir=root / "out", wandb="disabled"
    )
    finish(settings, [Random, Popularity, ItemKNN, ALS], als={"factors": 8, "iterations": 3})
    finish(dataclasses.replace(settings, phase="select"), [TagKNN])
    finish(dataclasses.replace(settings, protocol="next"), [Popularity, ItemKNN])
    folder = root / "mine"
    folder.mkdir()
    rows = sized({STRANGER: 9} | {f"u{u:02}": 6 + u % 5 for u in range(1, 30)}, 40)[["user_id", "item_id"]]
    rows.to_csv(folder / "interactions.csv", index=False)
    items = rows["item_id"].drop_duplicates().sort_values().tolist()
    named = [NAMES[place % len(NAMES)] + f" {place}" for place in range(len(items))]
    pd.DataFrame({"item_id": items, "name": named}).to_csv(folder / "items.csv", index=False)
    finish(dataclasses.replace(settings, dataset=str(folder)), [Popularity, ItemKNN])
    return root / "out", small_data_dir


@pytest.fixture(scope="session")
def flags(world):
    return ["--output-dir", str(world[0]), "--data-dir", str(world[1])]


@pytest.fixture(scope="session")
def page(world, flags):
    main(flags)
    return world[0] / "index.html"


class Parts(HTMLParser):
    """Elements with their attributes, and the texts of the visible ones."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.within = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.within = tag

    def handle_data(self, data):
        if self.within not in ("script", "style") and data.strip():
            self.texts.append(data.strip())


@pytest.fixture(scope="session")
def parts(page):
    return Parts(page.read_text(encoding="utf-8"))
