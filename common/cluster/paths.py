"""Folders by the names that Spark takes."""

from pathlib import Path


def url(path: Path) -> str:
    """A path as Hadoop reads it: a file of every machine's own file system, with no character encoded.

    >>> url(Path("/a/b@c"))
    'file:///a/b@c'
    """
    return f"file://{path.resolve()}"
