"""Folders by the names that Spark takes."""

import re
from pathlib import Path

from common.utils.errors import UserError

PATTERN = re.compile(r"[*?\[\]{}\\]")


def url(path: Path) -> str:
    """A path as Hadoop reads it: a file of every machine's own file system, with no character encoded.

    Raises a UserError for one that Spark takes as a pattern.

    >>> url(Path("/a/b@c"))
    'file:///a/b@c'
    """
    if PATTERN.search(name := str(path.absolute())):
        raise UserError(f"{path}: Spark takes *, ?, [, ], {{, }} and \\ in names for patterns; choose a folder without")
    return f"file://{name}"
