"""The page is one file that loads nothing, in which names are only text."""

import html
import re

from common.cli.page import main
from common.reporting.html.render import data_tables, inside_script
from tests.reporting.html.conftest import NAMES, STRANGER, Parts


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


def test_scripts_end_where_their_element_ends():
    assert "</script" not in inside_script('"</script><!--"')
    assert "window.DataTable = " in data_tables()[0]
