"""Settings classes: their search ranges, their checks, and settings that hold other settings."""

import dataclasses
import math
import typing
from dataclasses import dataclass, fields, is_dataclass
from numbers import Integral, Real
from typing import Any

from common.utils.errors import UserError


@dataclass(frozen=True)
class SearchRange:
    """A number that is searched between `low` and `high`, both included, on a log scale if asked.

    By hand it may be anything from `least` (`low`, where that is not given) to `most`.
    """

    low: float
    high: float
    log: bool = False
    least: float | None = None
    most: float = math.inf
    search: bool = True
    """Whether tuning tries other values than the one it starts from."""

    def allows(self, value: float) -> bool:
        """Whether a value given by hand makes sense.

        >>> SearchRange(5, 100, least=1).allows(2), SearchRange(0.0, 1.0, most=1.0).allows(7)
        (True, False)
        >>> SearchRange(0.0, 1.0).allows(math.nan)
        False
        """
        return math.isfinite(value) and self.smallest <= value <= self.most

    @property
    def smallest(self) -> float:
        """The smallest value that may be given by hand."""
        return self.low if self.least is None else self.least

    def nearest(self, value: Any) -> Any:
        """The value itself, or the end of the range next to it, of the same type.

        >>> SearchRange(0.1, 100.0, log=True).nearest(0.0), SearchRange(50, 400).nearest(1000)
        (0.1, 400)
        """
        return type(value)(min(max(value, self.low), self.high))


NOT_SEARCHED = "fixed"
"""Mark of a choice among values that tuning leaves as it is."""


def not_searched(kind: type) -> set[str]:
    """The fields of a settings class that are marked `NOT_SEARCHED`."""
    hints = typing.get_type_hints(kind, include_extras=True)
    return {f.name for f in dataclasses.fields(kind) if NOT_SEARCHED in getattr(hints[f.name], "__metadata__", ())}


def search_ranges(kind: type) -> dict[str, SearchRange]:
    """The ranges that a settings class declares, by field."""
    hints = typing.get_type_hints(kind, include_extras=True)
    marks = {f.name: getattr(hints[f.name], "__metadata__", ()) for f in dataclasses.fields(kind)}
    found = {name: [mark for mark in of_field if isinstance(mark, SearchRange)] for name, of_field in marks.items()}
    return {name: ranges[0] for name, ranges in found.items() if ranges}


def check_ranges(model: str, settings: Any) -> None:
    """Raise a UserError for the first setting of a model that lies outside what makes sense."""
    hints = typing.get_type_hints(type(settings))
    for name, hint in hints.items():
        value, choices = getattr(settings, name), typing.get_args(hint)
        if typing.get_origin(hint) is typing.Literal and value not in choices:
            flag = f"--{model}.{name}".replace("_", "-")
            raise UserError(f"{flag} {value!r}: give {' or '.join(map(str, choices))}")
    for name, allowed in search_ranges(type(settings)).items():
        number = getattr(settings, name)
        flag = f"--{model}.{name}".replace("_", "-")
        if not isinstance(number, Integral if hints[name] is int else Real):
            raise UserError(f"{flag} {number!r}: give a {'whole ' * (hints[name] is int)}number")
        if not allowed.allows(float(number)):
            upper = f" to {allowed.most:g}" if math.isfinite(allowed.most) else " or more"
            raise UserError(f"{flag} {number}: give {allowed.smallest:g}{upper}")


@dataclass(frozen=True)
class NoSettings:
    """For models that have nothing to set."""


def setting_parts(kind: type) -> dict[str, type]:
    """Fields of a settings class that hold another model's settings, with that model's settings class."""
    factories: dict[str, Any] = {f.name: f.default_factory for f in fields(kind)}
    return {name: factory for name, factory in factories.items() if isinstance(factory, type) and is_dataclass(factory)}


def build_settings(kind: type, values: dict[str, Any]) -> Any:
    """Settings from what `asdict` made of them."""
    parts = setting_parts(kind)
    return kind(**{name: build_settings(parts[name], v) if name in parts else v for name, v in values.items()})
