"""The page in a real browser: sorting, filtering, switching, hovering, and nothing that leaves the window."""

import pytest

from common.reporting.html.screenshot import find_chromium
from common.utils.io import read_json

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_chromium() is None, reason="no Chromium is installed: apt-get install chromium"),
]


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
    messages: list[str] = []
    tab.on("console", lambda message: messages.append(message.text))
    tab.on("pageerror", lambda error: messages.append(str(error)))
    tab.on("request", lambda request: messages.append(request.url))
    tab.goto(page.as_uri())
    tab.wait_for_selector("html[data-ready]")
    return tab, messages


@pytest.fixture
def shown(tab, page):
    """The open page at 1280 pixels, made sure of: nothing on the console and no request when a test is done."""
    tab[0].set_viewport_size({"width": 1280, "height": 900})
    tab[0].select_option("#dataset", index=0)
    yield tab[0]
    assert [
        message for message in tab[1] if message != page.as_uri() and not message.startswith(("data:", "blob:"))
    ] == []


def column(tab, title: str) -> list[str]:
    table = tab.locator(".board:not([hidden]) table.leaderboard")
    titles = table.locator("thead tr:last-child th").all_inner_texts()
    place = next(place for place, text in enumerate(titles) if text.strip() == title)
    return table.locator(f"tbody tr td:nth-child({place + 1})").all_inner_texts()


def sort_by(tab, title: str) -> None:
    tab.locator(".board:not([hidden]) table.leaderboard thead tr:last-child th").get_by_text(title, exact=True).click()


def test_rows_are_sorted_with_the_missing_last(shown):
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


def test_typing_filters_the_rows(shown):
    shown.select_option("#dataset", index=1)
    every = column(shown, "Model")
    shown.locator(".board:not([hidden]) .dt-search input").fill("item")
    assert set(column(shown, "Model")) == {"item_knn"}
    shown.locator(".board:not([hidden]) .dt-search input").fill("")
    assert column(shown, "Model") == every


def test_another_protocol_shows_its_own_figures(shown, world):
    shown.select_option("#dataset", index=1)
    shown.select_option("#protocol", "next")
    assert shown.locator(".board:not([hidden])").count() == 1
    folder = next(world[0].glob("synthetic-*")) / "next"
    values = [read_json(path)["ndcg_10"] for path in folder.glob("*/tuned/seed0/test/metrics.json")]
    assert column(shown, "NDCG@10") == [f"{value:.4f}" for value in sorted(values, reverse=True)]
    assert shown.locator(".board:not([hidden]) .chart .main-svg").count() > 0


def test_hovering_tells_the_model_and_the_figure(shown):
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


def test_no_button_hands_a_chart_to_a_server(shown):
    titles = shown.locator(".modebar-btn").evaluate_all("all => all.map((one) => one.dataset.title)")
    assert set(titles) == {"Download plot as a PNG", "Zoom", "Pan", "Reset axes"}


def test_a_name_hides_its_lines_in_every_chart(shown):
    shown.select_option("#dataset", index=1)
    board = shown.locator(".board:not([hidden])")
    chart = board.locator('.chart[data-chart="length"]').first
    before = chart.locator(".scatterlayer .trace").count()
    board.locator('.chip[data-label="item_knn"]').click()
    assert chart.locator(".scatterlayer .trace").count() == before - 1
    board.locator(".chip.all").click()
    board.locator(".chip.all").click()


def test_an_item_lights_up_in_all_lists(shown):
    user = shown.locator(".board:not([hidden]) .user").first
    cell = user.locator("td[data-item]:has(.votes)").first
    cell.hover()
    same = user.locator("td.same")
    assert same.count() == int(cell.locator(".votes").inner_text())


def test_hostile_names_are_only_text(shown):
    assert shown.title() == "Encore: results"
    assert shown.locator(".board:not([hidden]) .user img").count() == 0
    text = shown.locator(".board:not([hidden]) [data-section=users]").inner_text()
    assert "فيروز" in text
    assert "🎧" in text
    assert "{{ 7 * 7 }}" in text


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_is_wider_than_the_window(shown, width):
    shown.set_viewport_size({"width": width, "height": 844})
    shown.wait_for_timeout(300)
    for place in range(shown.locator("#dataset option").count()):
        shown.select_option("#dataset", index=place)
        assert shown.evaluate("document.documentElement.scrollWidth") <= width
