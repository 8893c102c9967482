"""Text in columns of a terminal: names of any script, as wide as they are shown, and nothing that drives the terminal.

Latin letters take a cell, Chinese, Japanese, Korean and most emoji two, accents that stand alone none. Names written
from right to left are isolated by marks of no width, so that the terminal turns them and not the columns around them.
"""

import shutil
import unicodedata

from wcwidth import clip, wcswidth

BLOCKS = "▏▎▍▌▋▊▉█"
ISOLATE, END = "\u2068", "\u2069"
RIGHT_TO_LEFT = ("R", "AL")


def columns() -> int:
    """Width of the terminal, 80 where it is none, and never less than 60."""
    return max(60, shutil.get_terminal_size((80, 24)).columns)


def plain(text: str) -> str:
    """Text without control and direction marks, spaces evened out.

    >>> plain("a\\x1b[31m\\nb\\u202ec")
    'a[31m bc'
    """
    kept = (" " if character.isspace() else character for character in str(text))
    joined = "".join(c for c in kept if c == " " or c == "\u200d" or unicodedata.category(c)[0] != "C")
    return " ".join(joined.split())


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
        text = clip(text, 0, size - 1).rstrip() + "…"
        text += " " * (size - width(text) if size > width(text) else 0)
    gap = " " * max(0, size - width(text))
    if any(unicodedata.bidirectional(character) in RIGHT_TO_LEFT for character in text):
        bare = text.rstrip()
        text = f"{ISOLATE}{bare}{END}" + " " * (len(text) - len(bare))
    return gap + text if right else text + gap


def bar(share: float, size: int = 6) -> str:
    """A bar for a share of 0 to 1, in eighths of a cell.

    >>> bar(1.0, 3), bar(0.5, 3), bar(0.0, 3)
    ('███', '█▌ ', '   ')
    """
    eighths = round(8 * size * min(1.0, max(0.0, share)))
    full, rest = divmod(eighths, 8)
    return cell("█" * full + (BLOCKS[rest - 1] if rest else ""), size)


def lines(text: str, size: int, indent: str = "") -> list[str]:
    """A text broken between words into lines of at most so many cells, the indent counted."""
    made: list[str] = []
    line = ""
    for word in plain(text).split(" "):
        longer = f"{line} {word}" if line else word
        if line and width(indent + longer) > size:
            made.append(indent + line)
            line = word
        else:
            line = longer
    return [*made, indent + line] if line else made
