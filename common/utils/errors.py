"""The exception that a user's mistake ends in."""

import difflib
from collections.abc import Iterable
from numbers import Integral
from typing import Any


class UserError(Exception):
    """A mistake that the user can mend.

    The message is one sentence that names the file, line, column or flag and the remedy. The command
    line prints it on stderr and exits with code 2; nothing on disk has changed.
    """


class DivergedError(UserError):
    """A training whose loss or weights are not finite any more: these settings do not do."""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UserError:
    """The error for a name that is not among the known ones, with the nearest of them suggested."""
    known = list(known)
    near = difflib.get_close_matches(str(name).lower(), known, n=2, cutoff=0.5)
    hint = f"did you mean {' or '.join(repr(n) for n in near)}? " if near else ""
    return UserError(f"unknown {kind} {name!r}: {hint}known are {', '.join(known)}")


def check_known(kind: str, known: Iterable[str], *names: str) -> None:
    """Raise the error of `unknown_name` for the first name that is not among the known ones."""
    known = list(known)
    for name in names:
        if name not in known:
            raise unknown_name(kind, name, known)


def whole_number(name: str, value: Any, least: int = 1) -> int:
    """The value itself; a UserError where it is no whole number of at least `least`.

    >>> whole_number("seed", 0, least=0)
    0
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise UserError(f"{name} = {value!r}: give a whole number of at least {least}")
    return int(value)
