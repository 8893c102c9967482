"""How the templates beside this file are filled: escaped, without gaps, and without characters that steer a browser."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from common.utils.terminal import visible

TEMPLATES = Path(__file__).parent


def environment() -> Environment:
    """The templates of this folder; a value that is missing is an error."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _shown(value: Any) -> Any:
    """What a template writes, without characters that would steer a browser; markup is ours and stays."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value
