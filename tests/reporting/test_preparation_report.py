import re

import pytest

from common.data.preparation.pipeline import prepare
from common.reporting.preparation_report import write_report
from common.utils.io import read_json

LOG = "user_id,track,artist,timestamp\n" + "".join(
    f"u{n % 4},title {n % 7},{'A<b>' if n % 2 else 'Be'},2024-01-{n + 1:02}\n" for n in range(28)
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    raw = tmp_path_factory.mktemp("raw") / "log.csv"
    raw.write_text(f"{LOG}u1,,,2024-01-09\n", encoding="utf-8")
    out = raw.parent / "mine"
    prepare([raw], out)
    return out


def test_the_page_holds_the_figures_of_the_report(folder):
    page, quality = write_report(folder).read_text(encoding="utf-8"), read_json(folder / "quality.json")
    rows = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL)]
    for part, figures in quality["parts"].items():
        assert [part, *(f"{figures[key]:,}" for key in ("events", "pairs", "new_users", "new_items"))] in rows
    assert ["scan", "29 rows", "29 rows"] in [row[:3] for row in rows]
    assert ["validate", "29 rows", "28 events"] in [row[:3] for row in rows]
    assert "track missing 1" in [row[-1] for row in rows if row]
    assert "data:image/png;base64," in page


def test_the_page_loads_nothing_and_runs_nothing(folder):
    page = write_report(folder).read_text(encoding="utf-8")
    assert "<script" not in page
    assert not re.search(r"(src|href)=\"(?!data:)", page)
