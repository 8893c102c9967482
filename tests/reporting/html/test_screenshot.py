import pytest

from common.reporting.html import screenshot as module
from common.reporting.html.screenshot import find_chromium, screenshot
from common.utils.errors import UserError


def test_without_a_browser_it_says_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(module.shutil, "which", lambda _: None)
    with pytest.raises(UserError, match="needs Chromium"):
        screenshot(tmp_path / "p.html", tmp_path / "p.png")
    assert not (tmp_path / "p.png").exists()


def test_a_browser_that_fails_leaves_no_picture(tmp_path, monkeypatch):
    monkeypatch.setattr(module.shutil, "which", lambda _: "/bin/false")
    for page in (tmp_path / "p.html", "http://127.0.0.1:1/#x"):
        with pytest.raises(UserError, match=f"took no picture of {page}"):
            screenshot(page, tmp_path / "p.png")
    assert not (tmp_path / "p.png").exists()


@pytest.mark.browser
@pytest.mark.skipif(find_chromium() is None, reason="no Chromium is installed: apt-get install chromium")
def test_a_picture_is_taken(page, tmp_path):
    from PIL import Image

    screenshot(page, tmp_path / "p.png")
    with Image.open(tmp_path / "p.png") as picture:
        assert picture.size[0] == 1280
        assert len(picture.convert("RGB").getcolors(2**24) or []) > 50
