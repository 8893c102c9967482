"""Blocks of a Markdown page that are written anew between their markers."""

import logging
import re
from collections.abc import Mapping
from pathlib import Path

from common.utils.errors import UserError
from common.utils.io import write_text

log = logging.getLogger(__name__)


def read_page(path: Path) -> str:
    """The text of a page."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}); name a Markdown page that exists") from error


def fill_page(path: Path, page: str, made: Mapping[str, str], dataset: str) -> None:
    """Write a page with those of its blocks anew that are made; all else in it stays."""
    filled = [marker for marker in made if f"<!-- {marker} -->" in page]
    if not filled:
        raise UserError(f"{path} has no line <!-- leaderboard {dataset} PROTOCOL -->; add one to fill")
    for marker in filled:
        page = fill(page, marker, made[marker])
    write_text(path, page)
    log.info("\n%s: %s written anew", path, ", ".join(filled))


def fill(page: str, marker: str, block: str) -> str:
    """Replace what stands between a page's marker and the end of its block.

    >>> fill("<!-- leaderboard synthetic listen -->old<!-- end -->", "leaderboard synthetic listen", "new")
    '<!-- leaderboard synthetic listen -->\\nnew<!-- end -->'
    """
    pattern = rf"(<!-- {re.escape(marker)} -->).*?(<!-- end -->)"
    return re.sub(pattern, lambda found: f"{found[1]}\n{block}{found[2]}", page, flags=re.DOTALL)
