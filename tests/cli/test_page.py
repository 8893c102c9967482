"""The page of all results: complete, escaped, self-contained; and, in a real browser, that it does what it says."""

import dataclasses
import html
import json
import re
from html.parser import HTMLParser

import pandas as pd
import pytest

from common.cli.page import main
from common.data.sources.registry import SYNTHETIC
from common.experiments.settings import ModelSettings
from common.models.baselines import Popularity, Random
from common.models.knn.content_knn import TagKNN
from common.models.knn.item_knn import ItemKNN
from common.models.linear.als import ALS
from common.reporting.html.charts import COLOURS
from common.reporting.html.screenshot import find_chromium
from common.utils.io import read_json, read_parquet, write_json
from tests.conftest import SMALL
from tests.data.worlds import sized
from tests.runs import finish
from tests.stages import complaint

NAMES = (
    "<script>document.title = 'stolen'</script>",
    "\"Quoted\" & 'single' <b>bold</b>",
    "Beyoncé 🎧🔥",
    "فيروز (Fairuz)",
    "</script><img src=x onerror=alert(1)>",
    "{{ 7 * 7 }} ${7 * 7}",
)
STRANGER = "<i>u00</i> & co"
needs_browser = [
    pytest.mark.browser,
    pytest.mark.skipif(find_chromium() is None, reason="no Chromium is installed: apt-get install chromium"),
]


@pytest.fixture(scope="module")
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


@pytest.fixture(scope="module")
def flags(world):
    return ["--output-dir", str(world[0]), "--data-dir", str(world[1])]


@pytest.fixture(scope="module")
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


@pytest.fixture(scope="module")
def parts(page):
    return Parts(page.read_text(encoding="utf-8"))


def keys(parts) -> list[str]:
    return [attributes["data-key"] for tag, attributes in parts.elements if tag == "article"]


def test_every_data_set_protocol_and_row_is_there(world, parts, page):
    folders = {path.parents[4] for path in world[0].glob("*/*/*/*/seed0/valid/metrics.json")}
    assert sorted(keys(parts)) == sorted(f"{path.parent.name}/{path.name}" for path in folders)
    assert len(folders) == 3
    text = page.read_text(encoding="utf-8")
    for folder in folders:
        for run in folder.glob("*/*/seed0"):
            valid = read_json(run / "valid" / "metrics.json")
            assert valid["split_sha256"][:8] in text
            assert f">{valid['ndcg_10']:.4f}<" in text
            if (run / "test").exists():
                record = read_json(run / "test" / "metrics.json")
                for key in (
                    "hr_5",
                    "ndcg_5",
                    "hr_10",
                    "ndcg_10",
                    "precision_10",
                    "recall_20",
                    "coverage_10",
                    "novelty_10",
                ):
                    assert f">{record[key]:.4f}<" in text
                assert f">{record['hr_5_sampled99']:.4f}<" in text
    for title in (
        "HR@5",
        "NDCG@10",
        "HR@5 sampled",
        "NDCG@5 sampled",
        "Coverage",
        "ILS tags",
        "Novelty",
        "ms per user",
    ):
        assert title in parts.texts
    assert "Test figures chose nothing" in text
    assert str(read_json(run / "valid" / "metrics.json")["commit"])[:8] in text


def test_a_run_without_test_figures_has_dashes_and_is_said_to(parts, page):
    text = page.read_text(encoding="utf-8")
    row = next(row for row in re.findall(r"<tr><td.*?</tr>", text) if ">tag_knn<" in row)
    assert row.count("–") > 5
    assert "nan" not in re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL).lower().split()
    assert any("Not scored on test yet" in text and "tag_knn" in text for text in parts.texts)


def test_nothing_is_loaded_from_anywhere(parts, page):
    for tag, attributes in parts.elements:
        for name in ("src", "href", "srcset", "action", "data"):
            value = attributes.get(name) or ""
            assert value.startswith(("#", "data:")) or not value, f"<{tag} {name}={value}>"
        assert tag not in ("iframe", "object", "embed", "base")
    styles = " ".join(re.findall(r"<style>(.*?)</style>", page.read_text(encoding="utf-8"), flags=re.DOTALL))
    assert "@import" not in styles
    assert not re.search(r"url\((?!data:)", styles)
    policy = next(a["content"] for tag, a in parts.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in (policy or "")
    assert page.stat().st_size < 8 * 2**20


def test_names_are_shown_as_they_are_spelled(world, page, flags, tmp_path):
    main([*flags, "--users", STRANGER, "--page", str(tmp_path / "p.html")])
    text = (tmp_path / "p.html").read_text(encoding="utf-8")
    assert html.escape(STRANGER) in text
    outside = re.sub(r"<(script|style).*?</\1>", "", text, flags=re.DOTALL)
    shown = [name for name in NAMES if name in html.unescape(outside)]
    assert len(shown) == len(NAMES)
    for name in ("<script>document", "<img", "onerror=alert(1)>\n", STRANGER, "<b>bold"):
        assert name not in outside
    assert len(Parts(text).elements) > 100
    assert {tag for tag, _ in Parts(text).elements if tag in ("img", "i")} <= {"i"}


def test_lists_hidden_hits_and_overlaps_are_those_of_the_files(world, flags, tmp_path):
    mine = next(path for path in world[0].glob("mine-*")) / "listen"
    main([*flags, "--users", STRANGER, "--page", str(tmp_path / "p.html")])
    text = (tmp_path / "p.html").read_text(encoding="utf-8")
    [person] = re.findall(r'<div class="card person">.*?</table>', text, flags=re.DOTALL)
    tops, hidden = {}, set()
    for model in ("popularity", "item_knn"):
        lists = read_parquet(mine / model / "tuned/seed0/test/recommendations.parquet").astype({"item_id": object})
        own = lists[(lists["user_id"] == STRANGER) & (lists["rank"] <= 10)]
        tops[model] = own.sort_values("rank")["item_id"].tolist()
        targets = read_parquet(mine / model / "tuned/seed0/test/targets.parquet").astype({"item_id": object})
        hidden = set(targets[targets["user_id"] == STRANGER]["item_id"])
    cells = re.findall(r'<td data-item="([^"]+)" class="(hit)?">(.*?)</td>', person)
    assert sorted(item for item, _, _ in cells) == sorted(tops["popularity"] + tops["item_knn"])
    both = set(tops["popularity"]) & set(tops["item_knn"])
    assert both
    for item, hit, cell in cells:
        assert (item in hidden) == bool(hit) == ("★" in cell)
        assert (item in both) == ('class="votes"' in cell)
    history = re.search(r"Visible history: (\d+) items", person)
    assert history
    assert int(history[1]) + len(hidden) == 9


def test_without_the_data_items_go_by_their_ids(world, tmp_path):
    main(["--output-dir", str(world[0]), "--data-dir", str(tmp_path), "--page", str(tmp_path / "p.html")])
    text = (tmp_path / "p.html").read_text(encoding="utf-8")
    assert "go by their ids" in text
    assert "Visible history" not in text


def test_validation_stands_in_for_test_only_where_no_run_has_opened_it(small_settings, tmp_path):
    finish(dataclasses.replace(small_settings, phase="select"), [Popularity, ItemKNN])
    out = small_settings.output_dir
    main(["--output-dir", str(out), "--data-dir", str(small_settings.data_dir)])
    text = (out / "index.html").read_text(encoding="utf-8")
    record = read_json(next(out.glob("*/listen/item_knn/tuned/seed0/valid/metrics.json")))
    assert "No run has opened test here" in text
    assert f">{record['hr_5']:.4f}<" in text


def test_the_same_model_has_one_colour_in_every_chart(page):
    text = page.read_text(encoding="utf-8")
    figures = json.loads(re.search(r'<script id="figures" type="application/json">(.*?)</script>', text)[1])  # type: ignore[index]
    colours: dict[str, set[str]] = {}
    for board in figures.values():
        for drawn in board.values():
            for trace in (trace for figure in drawn for trace in figure["data"] if "meta" in trace):
                own = {trace.get("line", {}).get("color"), trace["marker"]["color"]} - {None}
                colours.setdefault(trace["meta"].split(" ")[0], set()).update(own)
    assert len(colours) >= 3
    assert {len(own) for own in colours.values()} == {1}
    assert len(set.union(*colours.values())) == len(colours)
    assert "random" not in colours
    assert len(set(COLOURS)) == len(COLOURS)


def test_mistakes_end_in_one_sentence(flags, tmp_path, capsys, monkeypatch):
    nothing = ["--output-dir", str(tmp_path / "none")]
    assert "no results under" in complaint(capsys, main, *nothing)
    assert not (tmp_path / "none").exists()
    kept = ["--page", str(tmp_path / "p.html")]
    assert "nobody of that id" in complaint(capsys, main, *flags, *kept, "--users", "nobody-here")
    assert not (tmp_path / "p.html").exists()
    assert "--user" in complaint(capsys, main, *flags, "--user-s", "1")
    monkeypatch.setattr("common.reporting.html.screenshot.shutil.which", lambda _: None)
    assert "needs Chromium" in complaint(capsys, main, *flags, *kept, "--screenshot", str(tmp_path / "p.png"))
    assert not (tmp_path / "p.png").exists()


def test_runs_on_another_split_are_left_out(small_settings):
    finish(small_settings, [Popularity, ItemKNN])
    out = small_settings.output_dir
    for path in out.glob("*/listen/popularity/tuned/seed0/*/metrics.json"):
        write_json(path, read_json(path) | {"split_sha256": "0" * 64})
    main(["--output-dir", str(out), "--data-dir", str(small_settings.data_dir)])
    rows = re.findall(r'<tr><td class="model">.*?</tr>', (out / "index.html").read_text(encoding="utf-8"))
    assert len(rows) == 1
    assert "item_knn" in rows[0]


@pytest.fixture(scope="module")
def chromium():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def tab(chromium, page):
    """The page in a browser, opened once, with all that the console says and all that is asked of a network."""
    tab = chromium.new_page()
    heard: list[str] = []
    tab.on("console", lambda message: heard.append(message.text))
    tab.on("pageerror", lambda error: heard.append(str(error)))
    tab.on("request", lambda request: heard.append(request.url))
    tab.goto(page.as_uri())
    tab.wait_for_selector("html[data-ready]")
    return tab, heard


@pytest.fixture
def shown(tab, page):
    """The open page at 1280 pixels, made sure of: nothing on the console and no request when a test is done."""
    tab[0].set_viewport_size({"width": 1280, "height": 900})
    tab[0].select_option("#dataset", index=0)
    yield tab[0]
    assert [told for told in tab[1] if told != page.as_uri() and not told.startswith(("data:", "blob:"))] == []


def column(tab, title: str) -> list[str]:
    table = tab.locator(".board:not([hidden]) table.leaderboard")
    titles = table.locator("thead tr:last-child th").all_inner_texts()
    place = next(place for place, text in enumerate(titles) if text.strip() == title)
    return table.locator(f"tbody tr td:nth-child({place + 1})").all_inner_texts()


def sort_by(tab, title: str) -> None:
    tab.locator(".board:not([hidden]) table.leaderboard thead tr:last-child th").get_by_text(title, exact=True).click()


@pytest.mark.parametrize("mark", [pytest.param(None, marks=needs_browser)], ids=["chromium"])
class TestInABrowser:
    def test_rows_are_sorted_with_the_missing_last(self, shown, mark):
        shown.select_option("#dataset", index=1)
        first = column(shown, "NDCG@10")
        numbers = [float(text) for text in first if text != "–"]
        assert numbers == sorted(numbers, reverse=True)
        assert first[len(numbers) :] == ["–"]
        sort_by(shown, "Fit, s")
        costs = [float(text) for text in column(shown, "Fit, s") if text != "–"]
        assert costs == sorted(costs, reverse=True)
        sort_by(shown, "Model")
        models = column(shown, "Model")
        assert models == sorted(models)

    def test_typing_filters_the_rows(self, shown, mark):
        shown.select_option("#dataset", index=1)
        every = column(shown, "Model")
        shown.locator(".board:not([hidden]) .dt-search input").fill("item")
        assert set(column(shown, "Model")) == {"item_knn"}
        shown.locator(".board:not([hidden]) .dt-search input").fill("")
        assert column(shown, "Model") == every

    def test_another_protocol_shows_its_own_figures(self, shown, mark, world):
        shown.select_option("#dataset", index=1)
        shown.select_option("#protocol", "next")
        assert shown.locator(".board:not([hidden])").count() == 1
        folder = next(world[0].glob("synthetic-*")) / "next"
        values = [read_json(path)["ndcg_10"] for path in folder.glob("*/tuned/seed0/test/metrics.json")]
        assert column(shown, "NDCG@10") == [f"{value:.4f}" for value in sorted(values, reverse=True)]
        assert shown.locator(".board:not([hidden]) .chart .main-svg").count() > 0

    def test_hovering_tells_the_model_and_the_figure(self, shown, mark):
        shown.select_option("#dataset", index=1)
        chart = shown.locator('.board:not([hidden]) .chart[data-chart="pareto"]').first
        chart.scroll_into_view_if_needed()
        point = chart.locator(".scatterlayer .points path").first
        point.wait_for(state="attached")
        box = point.bounding_box()
        shown.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=4)
        label = chart.locator(".hoverlayer .hovertext")
        label.wait_for()
        assert "NDCG@10" in label.text_content()

    def test_no_button_hands_a_chart_to_a_server(self, shown, mark):
        titles = shown.locator(".modebar-btn").evaluate_all("all => all.map((one) => one.dataset.title)")
        assert set(titles) == {"Download plot as a PNG", "Zoom", "Pan", "Reset axes"}

    def test_a_name_hides_its_lines_in_every_chart(self, shown, mark):
        shown.select_option("#dataset", index=1)
        board = shown.locator(".board:not([hidden])")
        chart = board.locator('.chart[data-chart="length"]').first
        before = chart.locator(".scatterlayer .trace").count()
        board.locator('.chip[data-label="item_knn"]').click()
        assert chart.locator(".scatterlayer .trace").count() == before - 1
        board.locator(".chip.all").click()
        board.locator(".chip.all").click()

    def test_an_item_lights_up_in_all_lists(self, shown, mark):
        person = shown.locator(".board:not([hidden]) .person").first
        cell = person.locator("td[data-item]:has(.votes)").first
        cell.hover()
        same = person.locator("td.same")
        assert same.count() == int(cell.locator(".votes").inner_text())

    def test_hostile_names_are_only_text(self, shown, mark):
        assert shown.title() == "Encore: results"
        assert shown.locator(".board:not([hidden]) .person img").count() == 0
        told = shown.locator(".board:not([hidden]) [data-section=people]").inner_text()
        assert "فيروز" in told
        assert "🎧" in told
        assert "{{ 7 * 7 }}" in told

    @pytest.mark.parametrize("width", [1280, 390])
    def test_nothing_is_wider_than_the_window(self, shown, mark, width):
        shown.set_viewport_size({"width": width, "height": 844})
        shown.wait_for_timeout(300)
        for place in range(shown.locator("#dataset option").count()):
            shown.select_option("#dataset", index=place)
            assert shown.evaluate("document.documentElement.scrollWidth") <= width

    def test_a_picture_is_taken(self, flags, mark, tmp_path):
        from PIL import Image

        main([*flags, "--page", str(tmp_path / "p.html"), "--screenshot", str(tmp_path / "p.png")])
        with Image.open(tmp_path / "p.png") as picture:
            assert picture.size[0] == 1280
            assert len(picture.convert("RGB").getcolors(2**24) or []) > 50
