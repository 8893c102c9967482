"""Settings classes: their search ranges, their checks, and settings that hold other settings."""

import dataclasses
import math
import typing
from collections.abc import Hashable
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from numbers import Integral, Real
from typing import Any, cast

from common.utils.errors import UserError, short


@dataclass(frozen=True)
class Range:
    """A number that may be given between `low` and `high`, both included; of a tuple, each of its numbers."""

    low: float
    high: float

    @property
    def smallest(self) -> float:
        """The smallest value that may be given by hand."""
        return self.low

    @property
    def largest(self) -> float:
        """The largest value that may be given by hand; infinite where any size does no harm."""
        return self.high

    def allows(self, value: float) -> bool:
        """Whether a value given by hand makes sense.

        >>> SearchRange(5, 100, least=1).allows(2), SearchRange(0.0, 1.0, most=1.0).allows(7)
        (True, False)
        >>> Range(0.0, math.inf).allows(math.nan)
        False
        """
        return -math.inf < value < math.inf and self.smallest <= value <= self.largest

    def __str__(self) -> str:
        """The bounds as a message names them.

        >>> print(Range(1, 4096), "|", Range(0.0, math.inf))
        1 to 4,096 | 0 or more
        """
        low, high = (f"{end:,}" if isinstance(end, int) else f"{end:g}" for end in (self.smallest, self.largest))
        return f"{low} to {high}" if math.isfinite(self.largest) else f"{low} or more"


@dataclass(frozen=True)
class SearchRange(Range):
    """A number that is searched between `low` and `high`, both included, on a log scale if asked.

    By hand it may be anything from `least` (`low`, where that is not given) to `most`.
    """

    log: bool = False
    least: float | None = None
    most: float = math.inf
    search: bool = True
    """Whether tuning tries other values than the one it starts from."""

    @property
    def smallest(self) -> float:
        """The smallest value that may be given by hand."""
        return self.low if self.least is None else self.least

    @property
    def largest(self) -> float:
        """The largest value that may be given by hand; infinite where any size does no harm."""
        return self.most

    def nearest(self, value: Any) -> Any:
        """The value itself, or the end of the range next to it, of the same type.

        >>> SearchRange(0.1, 100.0, log=True).nearest(0.0), SearchRange(50, 400).nearest(1000)
        (0.1, 400)
        """
        return type(value)(min(max(value, self.low), self.high))


NOT_SEARCHED = "fixed"
"""Mark of a choice among values that tuning leaves as it is."""


ADDED = "added"
"""Mark of a setting that came when results were published already: see `kept_values`."""


@cache
def type_hints(kind: Any, marks: bool = True) -> dict[str, Any]:
    """The types of a settings class's fields, with or without what `Annotated` adds; found out once."""
    return typing.get_type_hints(kind, include_extras=marks)


def kept_values(settings: Any) -> dict[str, Any]:
    """Settings as results keep them and are known by: `asdict` without those marked `ADDED` that are at their default,
    and without those that the class says are `unused()`.

    So whoever leaves an added setting as it is has the results of before.
    """
    hints = type_hints(cast(Hashable, type(settings)))
    added = {f.name: f.default for f in fields(settings) if ADDED in getattr(hints[f.name], "__metadata__", ())}
    unused = settings.unused() if hasattr(settings, "unused") else ()
    values = {name: value for name, value in dataclasses.asdict(settings).items() if name not in unused}
    return {name: value for name, value in values.items() if name not in added or value != added[name]}


def not_searched(kind: type) -> set[str]:
    """The fields of a settings class that are marked `NOT_SEARCHED`."""
    hints = type_hints(kind)
    return {f.name for f in dataclasses.fields(kind) if NOT_SEARCHED in getattr(hints[f.name], "__metadata__", ())}


@cache
def number_ranges(kind: type) -> dict[str, Range]:
    """The ranges that a settings class declares, by field; `check_ranges` holds numbers to them."""
    hints = type_hints(kind)
    marks = {f.name: getattr(hints[f.name], "__metadata__", ()) for f in dataclasses.fields(kind)}
    found = {name: [mark for mark in of_field if isinstance(mark, Range)] for name, of_field in marks.items()}
    return {name: ranges[0] for name, ranges in found.items() if ranges}


def search_ranges(kind: type) -> dict[str, SearchRange]:
    """The ranges of those numbers that tuning knows, by field."""
    return {name: found for name, found in number_ranges(kind).items() if isinstance(found, SearchRange)}


def check_ranges(prefix: str, settings: Any) -> None:
    """Raise a UserError for the first setting that lies outside what makes sense, in parts of the settings too.

    prefix: what the flags of these settings begin with, a model's name; "" for flags that belong to nothing.
    """
    kind = type(settings)
    for field in fields(kind):
        check_field(kind, field.name, getattr(settings, field.name), flag_name(prefix, field.name))
    for name in setting_parts(kind):
        check_ranges(name, getattr(settings, name))


def check_field(kind: type, name: str, value: Any, where: str) -> None:
    """Raise a UserError for what a field of a settings class does not take; `where` is what the message calls it."""
    hint, ranges = type_hints(kind, marks=False)[name], number_ranges(kind)
    choices = typing.get_args(hint)
    if typing.get_origin(hint) is typing.Literal and value not in choices:
        raise UserError(f"{where} {short(value)}: give {' or '.join(map(str, choices))}")
    if hint is bool and not isinstance(value, bool):
        raise UserError(f"{where} {short(value)}: give True or False")
    if typing.get_origin(hint) is tuple and not isinstance(value, tuple):
        raise UserError(f"{where} {short(value)}: give a list")
    if hint == tuple[str, ...] and not all(isinstance(word, str) for word in value):
        raise UserError(f"{where} {short(value)}: give words")
    if name in ranges and not (value is None and type(None) in choices):
        check_number(where, value, ranges[name], whole=int in (hint, *choices))


def plain_value(value: Any) -> Any:
    """A setting as settings classes hold it: a number of NumPy as one of Python, a list as a tuple."""
    if isinstance(value, list):
        return tuple(map(plain_value, value))
    return value.item() if hasattr(value, "dtype") and not getattr(value, "ndim", 0) else value


def flag_name(prefix: str, name: str) -> str:
    """The flag of a setting.

    >>> flag_name("item_knn", "neighbours"), flag_name("", "split_seed"), flag_name("", "k")
    ('--item-knn.neighbours', '--split-seed', '-k')
    """
    dotted = f"{prefix}.{name}" if prefix else name
    return f"{'--' if len(dotted) > 1 else '-'}{dotted}".replace("_", "-")


def check_number(flag: str, value: Any, allowed: Range, whole: bool) -> None:
    """Raise a UserError for what is no (whole) number in a range; of a tuple, for the first such."""
    for number in value if isinstance(value, tuple) else (value,):
        if isinstance(number, bool) or not isinstance(number, Integral if whole else Real):
            raise UserError(f"{flag} {short(number)}: give a {'whole ' * whole}number, {allowed}")
        if not allowed.allows(number):  # type: ignore[arg-type]
            raise UserError(f"{flag} {short(number)}: give {allowed}")


@dataclass(frozen=True)
class NoSettings:
    """For models that have nothing to set."""


def setting_parts(kind: type) -> dict[str, type]:
    """Fields of a settings class that hold another model's settings, with that model's settings class."""
    factories: dict[str, Any] = {f.name: f.default_factory for f in fields(kind)}
    return {name: factory for name, factory in factories.items() if isinstance(factory, type) and is_dataclass(factory)}


def build_settings(kind: type, values: dict[str, Any]) -> Any:
    """Settings from what `asdict` made of them, maybe through JSON; a UserError for a value out of its range."""
    parts = setting_parts(kind)
    made = {n: build_settings(parts[n], v) if n in parts else plain_value(v) for n, v in values.items()}
    settings = kind(**made)
    check_ranges("", settings)
    return settings
