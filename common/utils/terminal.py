"""Text in columns of a terminal: names of any script, as wide as they are shown, and no control characters."""

import json
import re
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Sequence
from typing import Any, TextIO

from wcwidth import clip, wcswidth


def aligned(rows: list[list[str]], texts: int) -> list[str]:
    """Rows of cells as lines of a terminal, the first `texts` columns at the left and the others at the right.

    >>> aligned([["a", "value"], ["long", "1"]], texts=1)
    ['a     value', 'long      1']
    """
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    sides = [str.ljust] * texts + [str.rjust] * (len(widths) - texts)
    return ["  ".join(side(v, w) for side, v, w in zip(sides, row, widths, strict=True)) for row in rows]


def headed(rows: list[list[str]], texts: int = 1) -> list[str]:
    """Aligned rows, with a rule below the first one.

    >>> headed([["a", "value"], ["long", "1"]])
    ['a     value', '-----------', 'long      1']
    """
    header, *others = aligned(rows, texts)
    return [header, "-" * len(header), *others]


def titled(title: str, rows: list[list[str]], texts: int = 1) -> list[str]:
    """Aligned rows below a title, with rules around the first one and at the end."""
    header, rule, *others = headed(rows, texts)
    return [title, rule, header, rule, *others, rule]


def paragraph(text: str) -> list[str]:
    """A text in lines of at most 80 characters; a longer word stands on a line of its own."""
    return textwrap.wrap(text, 80, break_long_words=False, break_on_hyphens=False)


BLOCKS = "▏▎▍▌▋▊▉█"


ISOLATE, END = "\u2068", "\u2069"


RIGHT_TO_LEFT = ("R", "AL")


NARROWEST, WIDEST = 24, 100
"""Columns that lines are made for at least and at most: wider ones part a name from its bar."""


_LETTER = "[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]"


_FROM_THE_RIGHT = re.compile(rf"{_LETTER}(?:[^\w,;]*{_LETTER})*")


def columns() -> int:
    """Width of the terminal, 80 where it is none, within reason."""
    return min(WIDEST, max(NARROWEST, shutil.get_terminal_size((80, 24)).columns))


def forgive_encodings() -> None:
    """Let input and output replace what their encoding lacks instead of ending the program."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def shows(text: str) -> bool:
    """Whether the encoding of the output has all of a text's characters."""
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def plain(text: str) -> str:
    """Text without control and direction marks, spaces evened out.

    >>> plain("a\\x1b[31m\\nb\\u202ec")
    'a[31m bc'
    """
    kept = (" " if character.isspace() else character for character in str(text))
    joined = "".join(c for c in kept if c == " " or c == "\u200d" or unicodedata.category(c)[0] != "C")
    return " ".join(joined.split())


_HIDDEN = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
"""Control characters but the line feed, line and paragraph separators, and what has no width or turns the direction of
writing; not the joiners that emoji, Persian and Indic scripts are written with."""


def visible(text: str, kept: str = "") -> str:
    """Text in which no character steers the terminal or page that shows it: such ones as escapes, a tab as a space.

    Everything that is shown goes through here: the log's `TextFormatter`, `show`, `json_text`, and the pages.

    >>> print(visible("a\\x1b[31m\\tb\\u202ec"))
    a\\x1b[31m b\\u202ec
    """
    return _HIDDEN.sub(lambda found: found[0] if found[0] in kept else _escaped(found[0]), text)


def _escaped(character: str) -> str:
    if character == "\t":
        return " "
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"


def show(text: str = "", file: TextIO | None = None) -> None:
    """Print a text, by default to standard output; isolates, by which `cell` and `lines` hold names together, stay."""
    print(visible(text, kept=ISOLATE + END), file=file)


def json_text(content: Any) -> str:
    """Strict JSON as it is printed: letters of all scripts as they are where the output has them, the rest escaped."""
    from common.utils.io import strict

    text = json.dumps(strict(content), indent=2, ensure_ascii=False, allow_nan=False)
    if not shows(text):
        return json.dumps(strict(content), indent=2, allow_nan=False)
    return _HIDDEN.sub(lambda found: json.dumps(found[0])[1:-1], text)


def width(text: str) -> int:
    """Cells that a text takes.

    >>> width("Björk"), width("椎名林檎"), width("e\\u0301")
    (5, 8, 1)
    """
    return max(0, wcswidth(text))


def cell(text: str, size: int, right: bool = False) -> str:
    """A text in exactly so many cells: filled up, or cut with an ellipsis.

    >>> cell("Björk", 7), cell("椎名林檎", 5), cell("7", 3, right=True)
    ('Björk  ', '椎名…', '  7')
    """
    text = plain(text)
    if width(text) > size:
        text = clip(text, 0, size - 1).rstrip() + ("…" if shows("…") else "~")
        text += " " * (size - width(text) if size > width(text) else 0)
    gap = " " * max(0, size - width(text))
    if shows(ISOLATE) and any(unicodedata.bidirectional(character) in RIGHT_TO_LEFT for character in text):
        bare = text.rstrip()
        text = f"{ISOLATE}{bare}{END}" + " " * (len(text) - len(bare))
    return gap + text if right else text + gap


def bar(share: float, size: int = 6) -> str:
    """A bar for a share of 0 to 1, in eighths of a cell.

    >>> bar(1.0, 3), bar(0.5, 3), bar(0.0, 3)
    ('███', '█▌ ', '   ')
    """
    if not shows(BLOCKS):
        return cell("#" * round(size * min(1.0, max(0.0, share))), size)
    eighths = round(8 * size * min(1.0, max(0.0, share)))
    full, rest = divmod(eighths, 8)
    return cell("█" * full + (BLOCKS[rest - 1] if rest else ""), size)


def fitting(names: Sequence[str], size: int) -> str:
    """As many of the first names as fit whole into so many cells, the first in any case.

    >>> fitting(["rock", "britpop", "90s"], 14)
    'rock, britpop'
    """
    kept = [plain(name) for name in names]
    while len(kept) > 1 and width(", ".join(kept)) > size:
        kept.pop()
    return ", ".join(kept)


def lines(text: str, size: int, indent: str = "") -> list[str]:
    """A text broken between words into lines of at most so many cells, the indent counted; longer words are broken."""
    made: list[str] = []
    line = ""
    for word in _pieces(plain(text), size - width(indent)):
        longer = f"{line} {word}" if line else word
        if line and width(indent + longer) > size:
            made.append(indent + line)
            line = word
        else:
            line = longer
    made += [indent + line] if line else []
    if not shows(ISOLATE):
        return made
    return [_FROM_THE_RIGHT.sub(lambda run: f"{ISOLATE}{run[0]}{END}", line) for line in made]


def _pieces(text: str, size: int) -> list[str]:
    """The words of a text, those longer than a line in pieces."""
    found: list[str] = []
    for word in text.split(" "):
        while width(word) > size:
            head = clip(word, 0, size).rstrip() or word[0]
            found.append(head)
            word = word[len(head) :]
        found.append(word)
    return found
