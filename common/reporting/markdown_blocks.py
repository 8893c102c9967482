"""Tables in Markdown, and blocks of a page that are written anew between their markers."""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from common.utils.errors import UserError
from common.utils.io import write_text
from common.utils.terminal import visible

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Table:
    """A table of a page: its first `texts` columns are text, the others numbers."""

    header: list[str]
    cells: list[list[str]]
    texts: int

    def markdown(self) -> str:
        """The table in Markdown.

        >>> print(Table(["a", "b"], [["x", "1"]], texts=1).markdown(), end="")
        | a | b |
        | --- | ---: |
        | x | 1 |
        """
        lines = [self.header, ["---"] * self.texts + ["---:"] * (len(self.header) - self.texts), *self.cells]
        return "".join("| " + " | ".join(line) + " |\n" for line in lines)

    def with_rows_of(self, old: "Table") -> "Table":
        """This table with the rows that only an older one has, each behind the row that it stood behind.

        A row is known by its texts. Of tables with other columns the older one stays, unless this has all it has.

        >>> old = Table(["a", "b"], [["x", "1"], ["y", "2"]], texts=1)
        >>> Table(["a", "b"], [["x", "7"], ["z", "3"]], texts=1).with_rows_of(old).cells
        [['x', '7'], ['y', '2'], ['z', '3']]
        """
        if self.header != old.header:
            has_all = set(self.header) >= set(old.header) and set(self.keys) >= set(old.keys)
            return self if has_all else old
        cells, behind = list(self.cells), -1
        for key, row in zip(old.keys, old.cells, strict=True):
            there = [tuple(of[: self.texts]) for of in cells]
            if key not in there:
                cells.insert(behind + 1, row)
                behind += 1
            else:
                behind = there.index(key)
        return Table(self.header, cells, self.texts)

    @property
    def keys(self) -> list[tuple[str, ...]]:
        """What each row is known by."""
        return [tuple(row[: self.texts]) for row in self.cells]


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
        page = fill(page, marker, visible(made[marker]))
    write_text(path, page)
    log.info("\n%s: %s written anew", path, ", ".join(filled))


def block(page: str, marker: str) -> str:
    """What stands between a page's marker and the end of its block, "" where it has none.

    >>> block("<!-- leaderboard synthetic listen -->\\nold\\n<!-- end -->", "leaderboard synthetic listen")
    'old\\n'
    """
    found = re.search(rf"<!-- {re.escape(marker)} -->\n?(.*?)<!-- end -->", page, re.DOTALL)
    return found[1] if found else ""


def fill(page: str, marker: str, block: str) -> str:
    """Replace what stands between a page's marker and the end of its block.

    >>> fill("<!-- leaderboard synthetic listen -->old<!-- end -->", "leaderboard synthetic listen", "new")
    '<!-- leaderboard synthetic listen -->\\nnew<!-- end -->'
    """
    pattern = rf"(<!-- {re.escape(marker)} -->).*?(<!-- end -->)"
    return re.sub(pattern, lambda found: f"{found[1]}\n{block}{found[2]}", page, flags=re.DOTALL)
