"""Blocks of a page between their markers."""

import re

import pytest

from common.reporting.markdown_blocks import Table, fill, fill_page, read_page
from common.utils.errors import UserError


def test_a_page_without_the_markers_stays_as_it_is():
    assert fill("no markers", "listen", "new") == "no markers"
    assert re.search("new", fill("<!-- leaderboard a next-s2 -->x<!-- end -->", "leaderboard a next-s2", "new"))


def test_only_blocks_that_are_made_are_filled(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("<!-- a x -->old<!-- end -->\n<!-- b x -->kept<!-- end -->\n")
    fill_page(page, read_page(page), {"a x": "new\n", "c x": "nowhere\n"}, "x")
    assert page.read_text() == "<!-- a x -->\nnew\n<!-- end -->\n<!-- b x -->kept<!-- end -->\n"


def test_a_page_that_has_no_place_or_cannot_be_read_is_named(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("nothing")
    with pytest.raises(UserError, match="has no line <!-- leaderboard x PROTOCOL -->"):
        fill_page(page, "nothing", {"a x": "new"}, "x")
    assert page.read_text() == "nothing"
    with pytest.raises(UserError, match="cannot be read"):
        read_page(tmp_path)


def test_a_table_of_other_columns_gives_way_to_one_that_has_all_of_them():
    old, wider = Table(["a", "b"], [["x", "1"]], 1), Table(["a", "b", "c"], [["x", "1", "2"]], 1)
    assert wider.with_rows_of(old) is wider
    assert old.with_rows_of(wider) is wider
