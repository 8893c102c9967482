"""The page in a real browser: type, pick, like, move a slider, read the lists; keyboard, phone, links, errors."""

import contextlib
import threading

import pytest
import uvicorn
from sqlalchemy import select

from common.reporting.html.screenshot import find_chromium
from common.serving.http.app import Limits, create_app
from common.serving.http.experiment import Experiment
from common.serving.http.server import bind
from common.serving.store.store import Store
from common.serving.store.tables import clicks
from tests.serving import saved_models
from tests.serving.http.conftest import Place

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_chromium() is None, reason="no Chromium is installed: apt-get install chromium"),
]
HOSTILE = "<img src=x onerror=\"document.title='owned'\">Moby"
MODELS = ("popularity", "item_knn", "hybrid_knn", "als")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    names = (*saved_models.NAMES[:-1], HOSTILE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(saved_models, "NAMES", names)
        patch.setitem(saved_models.TINY, "als", saved_models.TINY["als"] | {"weighting": "log"})
        return Place(tmp_path_factory.mktemp("page"), MODELS)


@contextlib.contextmanager
def served(place, **how):
    """Where the service answers, from a thread of this process."""
    app = create_app(place.service(), place.feedback(), Limits(refresh=0.2), **how)
    with bind("127.0.0.1", 0) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def address(place):
    with served(place) as address:
        yield address


@pytest.fixture(scope="module")
def chromium():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def tab(chromium, address):
    """A new page at 1280 pixels; whatever the console says or another machine is asked for fails the test."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    tab, said = context.new_page(), []
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.on("request", lambda request: said.append(request.url) if not request.url.startswith(address) else None)
    yield tab
    context.close()
    assert [text for text in said if "Failed to load resource" not in text and not text.startswith("data:")] == []


def opened(tab, address: str, link: str = ""):
    tab.goto("about:blank")
    tab.goto(address + link)
    tab.wait_for_selector("html[data-ready]")
    settled(tab)
    return tab


def settled(tab) -> None:
    """Wait until no list is awaited."""
    tab.wait_for_selector('#lists[aria-busy="false"]', state="attached")


def like(tab, typed: str) -> None:
    tab.fill("#name", typed)
    tab.wait_for_selector("#suggestions [role=option]")
    tab.locator("#suggestions [role=option]").first.click()
    settled(tab)


def feedback(kind: str):
    """Whether a response is to feedback of a kind."""
    return lambda response: response.url.endswith("/v1/feedback") and response.request.post_data_json["kind"] == kind


def lists(tab) -> dict[str, list[str]]:
    """Names of the items of each list."""
    return {
        card.get_attribute("data-model"): card.locator(".item .name").all_inner_texts()
        for card in tab.locator("#lists .list").all()
    }


def test_typing_and_picking_gives_the_lists_of_several_models(tab, address):
    opened(tab, address)
    assert tab.locator("#popular button").count() == 8
    assert tab.locator("#lists .item").count() == 0
    like(tab, "radioh")
    assert tab.locator("#likes li").all_inner_texts() == ["Radiohead"]
    found = lists(tab)
    assert list(found) == ["popularity", "als"]
    assert all(len(names) == 10 and "Radiohead" not in names for names in found.values())
    assert tab.locator("#popular").is_hidden()
    tab.locator("#models [data-model=item_knn]").click()
    settled(tab)
    assert list(lists(tab)) == ["popularity", "item_knn", "als"]


def test_each_item_says_why_and_where_else_it_is(tab, address):
    opened(tab, address, "#like=a00&models=popularity,als&k=5")
    found = lists(tab)
    both = set(found["popularity"]) & set(found["als"])
    alone = len(set(found["popularity"]) ^ set(found["als"]))
    text = tab.locator("#agreement").inner_text()
    assert f"{alone} of {10 - len(both)} items are in one list alone" in text
    assert tab.locator(".votes[title]").count() == 2 * len(both)
    assert both, "the test needs an item that both have"
    item = tab.locator('[data-model="als"] .item').first
    assert item.locator(".why").inner_text() == "Radiohead"
    item.locator(".name").click()
    assert item.locator(".name").get_attribute("aria-expanded") == "true"
    assert "Radiohead" in item.locator(".reasons").inner_text()
    assert "listener" in item.locator(".more").inner_text()
    tab.locator(".item:has(.votes)").first.hover()
    assert tab.locator(".item.same").count() == 2


def test_a_slider_changes_the_lists_at_once(tab, address):
    opened(tab, address, "#like=a00&models=als")
    before = lists(tab)["als"]
    slider = tab.locator("#unpopularity")
    slider.focus()
    for _ in range(20):
        slider.press("ArrowRight")
    settled(tab)
    assert tab.locator("output[for=unpopularity]").inner_text() == "2.00"
    assert lists(tab)["als"] != before
    with tab.expect_request("**/v1/recommend") as asked:
        tab.locator("#diversity").fill("0.4")
    assert asked.value.post_data_json["rerank"] == {"diversity": 0.4, "novelty": 0, "unpopularity": 2}
    settled(tab)
    tab.locator("#reset").click()
    settled(tab)
    assert lists(tab)["als"] == before


def test_likes_and_dislikes_of_items_count_and_are_kept(tab, address, place):
    opened(tab, address, "#like=a00&models=als&k=5")
    first, second = lists(tab)["als"][:2]
    with tab.expect_response(feedback("dislike")) as kept:
        tab.locator('[data-model="als"] .item').nth(1).get_by_role("button", name=f"Dislike {second}").click()
    assert kept.value.status == 201
    assert kept.value.request.post_data_json["request_id"]
    settled(tab)
    with tab.expect_response(feedback("like")):
        tab.locator('[data-model="als"] .item').first.locator(".like").click()
    settled(tab)
    assert tab.locator("#likes li").all_inner_texts() == ["Radiohead", first]
    assert tab.locator("#dislikes li").all_inner_texts() == [second]
    assert not {first, second} & set(lists(tab)["als"])
    session = tab.evaluate("sessionStorage.getItem('session')")
    store = place.feedback()._open()
    likes, dislikes = (ids for ids in store.feedback.of(session))
    store.close()
    assert (len(likes), len(dislikes)) == (1, 1)
    focused = "document.activeElement.closest('.item').querySelector('.name').textContent"
    assert tab.evaluate(focused) == lists(tab)["als"][0], "the focus stays in its place"
    tab.get_by_role("button", name=f"Like {second} instead").click()
    settled(tab)
    assert tab.locator("#likes li").count() == 3
    with tab.expect_response(feedback("withdraw")) as taken:
        tab.get_by_role("button", name=f"No longer like {second}").click()
    assert taken.value.json()["known"] is True
    with Store(place.library) as store:
        assert store.feedback.of(session) == (likes, [])
    settled(tab)
    assert tab.locator("#dislikes li, #likes li").all_inner_texts() == ["Radiohead", first]


def test_what_was_shown_is_kept_once_for_each_answer(tab, address, place):
    with tab.expect_response(feedback("impression")) as kept:
        opened(tab, address, "#like=a00&models=popularity,als&k=5")
    asked, found = kept.value.request.post_data_json, lists(tab)
    assert kept.value.status == 201
    assert len(asked["items"]) == len({*found["popularity"], *found["als"]}) > 5
    with Store(place.library) as store:
        named = {name: asked[name] for name in ("session", "request_id")}
        rows = store.database.all(select(clicks.c.item_id).filter_by(kind="impression", **named))
    ids = tab.locator("#lists .item").evaluate_all("all => all.map((one) => one.dataset.item)")
    assert {item for (item,) in rows} == set(asked["items"]) == set(ids)
    sent = []
    tab.on("request", lambda request: sent.append(request.post_data_json) if "feedback" in request.url else None)
    tab.locator("#lists .item .like").first.click()
    settled(tab)
    tab.wait_for_timeout(900)
    assert [one["kind"] for one in sent] == ["like", "impression"], "the first answer is not told again"
    assert sent[1]["request_id"] != asked["request_id"]


def test_the_keyboard_alone_is_enough(tab, address):
    opened(tab, address)
    tab.locator("#name").focus()
    tab.keyboard.type("nirvana")
    tab.wait_for_selector("#suggestions [role=option]")
    field = tab.locator("#name")
    assert field.get_attribute("aria-expanded") == "true"
    assert field.get_attribute("aria-activedescendant") == "option-0"
    tab.keyboard.press("ArrowDown")
    assert field.get_attribute("aria-activedescendant") == "option-1"
    assert tab.locator("#option-1").get_attribute("aria-selected") == "true"
    tab.keyboard.press("ArrowUp")
    tab.keyboard.press("Escape")
    assert tab.locator("#suggestions").is_hidden()
    assert field.input_value() == "nirvana"
    tab.keyboard.press("Escape")
    assert field.input_value() == ""
    tab.keyboard.type("bjrok")
    tab.keyboard.press("Enter")  # before any suggestion has come
    tab.wait_for_selector("#lists .item")
    assert tab.locator("#likes li").all_inner_texts() == ["Björk"]
    assert tab.evaluate("document.activeElement.id") == "name"
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.ariaLabel") == "Plays of Björk"
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.ariaLabel") == "Dislike Björk instead"
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.ariaLabel") == "No longer like Björk"
    tab.keyboard.press("Enter")
    settled(tab)
    assert tab.locator("#likes li").count() == 0


def test_similar_items_open_in_a_panel(tab, address):
    opened(tab, address, "#like=a00&models=popularity,als&k=5")
    item = tab.locator('[data-model="popularity"] .item').first
    name = item.locator(".name").inner_text()
    item.locator(".name").click()
    item.get_by_role("button", name="Similar items").click()
    panel = tab.get_by_role("dialog", name=f"Like {name}")
    panel.locator(".item").first.wait_for()
    assert tab.locator("#similar-model option").all_inner_texts() == ["item knn", "hybrid knn", "als"]
    assert panel.locator(".item").count() == 10
    assert panel.locator("#similar-basis").inner_text()
    tab.select_option("#similar-model", "als")
    assert "cosine of the items' factors" in panel.locator("#similar-basis", has_text="factors").inner_text()
    tab.keyboard.press("Escape")
    assert panel.is_hidden()


def test_a_link_reproduces_the_state(tab, address, chromium):
    opened(tab, address)
    like(tab, "radiohead")
    tab.locator("#diversity").fill("0.4")
    tab.select_option("#k", "5")
    settled(tab)
    link, found = tab.url, lists(tab)
    other = chromium.new_context().new_page()
    opened(other, link)
    assert lists(other) == found
    assert other.locator("#likes li").all_inner_texts() == ["Radiohead"], "named, though the link has ids alone"
    assert other.locator("#diversity").input_value() == "0.4"
    other.context.close()


def test_plays_weigh_a_like_and_are_part_of_the_link(tab, address, chromium):
    opened(tab, address, "#like=a00&like=a15&models=als")
    before = lists(tab)
    field = tab.get_by_label("Plays of Radiohead")
    field.focus()
    with tab.expect_request("**/v1/recommend") as asked:
        tab.keyboard.type("1200")
    assert asked.value.post_data_json["likes"] == [{"item": "a00", "plays": 1200}, {"item": "a15"}]
    settled(tab)
    assert field.input_value() == "1200"
    assert tab.evaluate("document.activeElement.ariaLabel") == "Plays of Radiohead", "one can go on typing"
    tab.get_by_label("Plays of The Cure").fill("1")
    settled(tab)
    found = lists(tab)
    assert found != before
    other = opened(chromium.new_context(viewport={"width": 390, "height": 844}).new_page(), tab.url)
    assert lists(other) == found
    assert other.get_by_label("Plays of Radiohead").input_value() == "1200"
    assert other.evaluate("document.documentElement.scrollWidth") <= 390
    other.context.close()
    for wrong in ("0", "-3", "1.5", "1e9"):
        field.fill(wrong)
        settled(tab)
        assert field.get_attribute("aria-invalid") == "true"
        assert "1200" not in tab.url
        assert tab.locator("#problem").is_hidden()
    tab.get_by_role("button", name="No longer like Radiohead").click()
    settled(tab)
    assert "a00" not in tab.url


def test_where_the_data_have_no_plays_none_are_asked_for(tab, address):
    tab.route("**/v1/models", lambda route: route.fulfill(json=route.fetch().json() | {"has_plays": False}))
    opened(tab, address, "#like=a00&plays=9:a00&models=als")
    assert tab.locator(".plays").count() == 0
    with tab.expect_request("**/v1/recommend") as asked:
        tab.select_option("#k", "5")
    assert asked.value.post_data_json["likes"] == [{"item": "a00"}]
    settled(tab)


@pytest.mark.parametrize(
    "link", ["#like=a00&plays=x:a00&plays=0:a00&plays=7:a01&plays=99999999:a00", "#plays=&plays=:"]
)
def test_plays_of_a_link_that_make_no_sense_are_left_out(tab, address, link):
    opened(tab, address, link)
    assert "plays" not in tab.url
    assert all(field.input_value() == "" for field in tab.locator(".plays").all())


@pytest.mark.parametrize("link", ["#k=7&diversity=9&novelty=x&models=nothing,&when=never", "#like=&dislike=&%%%"])
def test_a_link_that_makes_no_sense_is_the_plain_page(tab, address, link):
    opened(tab, address, link)
    assert tab.locator("#k").input_value() == "10"
    assert tab.locator("#diversity").input_value() == "0"
    assert tab.locator("#problem").is_hidden()


def test_html_in_a_name_stays_text(tab, address):
    opened(tab, address, "#like=a19&models=popularity,als")
    assert tab.locator("#likes li").all_inner_texts() == [HOSTILE]
    opened(tab, address, "#like=a18&models=popularity,item_knn,als&k=20")
    assert HOSTILE in lists(tab)["popularity"]
    like(tab, "moby")
    assert tab.locator("main img").count() == 0
    assert tab.title() == f"Encore: {tab.locator('#facts b').first.inner_text()}"


def test_an_error_is_said_in_the_words_of_the_service(tab, address):
    opened(tab, address, "#like=nobody")
    said = tab.locator("#problem").inner_text()
    assert "No artist has the id 'nobody'" in said
    tab.get_by_role("button", name="No longer like nobody").click()
    settled(tab)
    assert tab.locator("#problem").is_hidden()
    tab.fill("#name", "qqqqqqq")
    tab.wait_for_selector("#suggestions .said")
    assert "nothing is called “qqqqqqq”" in tab.locator("#suggestions").inner_text()


def test_a_service_that_is_away_is_said_and_asked_again(tab, address):
    opened(tab, address, "#like=a00&models=als")
    tab.route("**/v1/recommend", lambda route: route.abort())
    tab.select_option("#k", "5")
    tab.locator("#problem").wait_for()
    assert "The service does not answer" in tab.locator("#problem").inner_text()
    tab.unroute("**/v1/recommend")
    tab.get_by_role("button", name="Try again").click()
    settled(tab)
    assert tab.locator("#problem").is_hidden()
    assert len(lists(tab)["als"]) == 5


def test_where_the_store_is_away_lists_come_and_it_is_said(tab, address, place):
    opened(tab, address, "#like=a00&models=als")
    store = place.feedback()
    store._open()
    store._close()
    away = place.library.with_name("away")
    place.library.rename(away)
    place.library.mkdir()
    try:
        with tab.expect_response(feedback("impression")) as shown:
            tab.select_option("#k", "20")
        assert shown.value.status == 503
        settled(tab)
        assert tab.locator("#notes .note").count() == 0, "nobody has asked for it"
        tab.select_option("#k", "10")
        settled(tab)
        tab.locator(".item .like").first.click()
        note = tab.locator('#notes [data-kind="kept"]')
        note.wait_for()
        settled(tab)
        assert "The feedback was not kept" in note.inner_text()
        assert tab.locator("#likes li").count() == 2
        assert len(lists(tab)["als"]) == 10
    finally:
        place.library.rmdir()
        away.rename(place.library)


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_window(tab, address, width):
    tab.set_viewport_size({"width": width, "height": 844})
    for link in ("", "#like=a00&like=a19&dislike=a01&models=popularity,item_knn,als&k=20", "#like=nobody"):
        opened(tab, address, link)
        for opener in tab.locator(".item .name, #agreement summary").all()[:3]:
            opener.click()
        assert tab.evaluate("document.documentElement.scrollWidth") <= width, link
    tab.fill("#name", "ni")
    tab.wait_for_selector("#suggestions [role=option]")
    assert tab.evaluate("document.documentElement.scrollWidth") <= width


def test_colours_follow_the_system_and_the_choice(chromium, address):
    for scheme in ("light", "dark"):
        tab = opened(chromium.new_context(color_scheme=scheme).new_page(), address)
        colour = "getComputedStyle(document.body).backgroundColor"
        system = tab.evaluate(colour)
        assert system == ("rgb(251, 250, 247)" if scheme == "light" else "rgb(20, 24, 28)")
        tab.select_option("#theme", "dark" if scheme == "light" else "light")
        chosen = tab.evaluate(colour)
        assert chosen != system
        tab.reload()
        assert tab.evaluate(colour) == chosen, "kept"
        tab.context.close()


def test_everything_that_is_pressed_or_filled_in_has_a_name(tab, address):
    opened(tab, address, "#like=a00&dislike=a01&models=popularity,als")
    tab.locator(".item .name").first.click()
    nameless = tab.evaluate(
        """() => [...document.querySelectorAll("button, input, select, a, [role=combobox]")].filter((one) =>
        !(one.ariaLabel || one.textContent.trim() || one.title || one.labels?.length)).map((one) => one.outerHTML)"""
    )
    assert nameless == []
    assert tab.locator("#status").inner_text() == "2 lists for Radiohead"


def test_touch_picks_a_suggestion(chromium, address):
    context = chromium.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    tab = opened(context.new_page(), address)
    tab.locator("#name").tap()
    tab.keyboard.type("daft")
    tab.locator("#suggestions [role=option]").first.tap()
    tab.wait_for_selector("#lists .item")
    assert tab.locator("#likes li").all_inner_texts() == ["Daft Punk"]
    context.close()


def test_reasons_that_take_long_come_when_an_item_is_opened(tab, address):
    opened(tab, address, "#like=a00&models=hybrid_knn&k=5")
    item = tab.locator("#lists .item").first
    before = item.locator(".why").inner_text()
    with tab.expect_request("**/v1/recommend") as asked:
        item.locator(".name").click()
    assert asked.value.post_data_json["why"] is True
    item.locator(".reasons").wait_for()
    assert item.locator(".why").inner_text() == "Radiohead" != before
    assert "why: the share of each part" in item.locator(".more").inner_text()


def test_an_experiment_is_one_list_that_tells_no_model(chromium, place):
    with served(place, experiment=Experiment(("popularity", "als"))) as address:
        tab = opened(chromium.new_context().new_page(), address, "#like=a00")
        assert list(lists(tab)) == ["popularity,als"]
        assert tab.locator(".list h2").inner_text() == "one list of popularity and als"
        assert tab.locator("#agreement").is_hidden()
        with tab.expect_response(feedback("click")) as kept:
            tab.locator("#lists .item .name").first.click()
        assert kept.value.json()["known"] is True
        assert "reasons are not shown" in tab.locator(".more").first.inner_text()
        assert tab.locator(".reasons").count() == 0
        tab.context.close()
    with Store(place.library) as store:
        (shown,) = store.impressions.shown("listen", ("als", "popularity"))
    assert len(shown.clicked) == 1
    assert {team for _, team in shown.picks} <= {"als", "popularity", ""}
