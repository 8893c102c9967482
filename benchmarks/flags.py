"""Flags of a benchmark that fills a page with tables."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from common.experiments.flags import parse_flags
from common.reporting.markdown_blocks import read_page


class WithPage(Protocol):
    """Settings that can be checked and may name a page."""

    @property
    def page(self) -> Path | None:
        """Markdown page whose blocks receive the tables."""

    def check(self) -> Any:
        """Raise a UserError for the first flag that makes no sense."""


S = TypeVar("S", bound=WithPage)


def asked_for(settings: type[S], argv: Sequence[str] | None) -> tuple[S, str]:
    """Checked settings from flags (None: this process's), and the text of the page that they name, "" without one.

    Raises a UserError for a wrong flag and for a page that cannot be read, before anything is measured.
    """
    asked = parse_flags(settings, argv)
    asked.check()
    return asked, read_page(asked.page) if asked.page else ""
