"""The exception that a user's mistake ends in."""

import difflib
import math
from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any


class UserError(Exception):
    """A mistake that the user can mend.

    The message is one sentence that names the file, line, column or flag and the remedy. The command
    line prints it on stderr and exits with code 2; nothing on disk has changed.
    """


class InputError(UserError, ValueError):
    """A mistake in a table or a setting that is given to an estimator of scikit-learn, which expects a ValueError."""


class DivergedError(UserError):
    """A training whose loss or weights are not finite any more: these settings do not do."""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UserError:
    """The error for a name that is not among the known ones, with the nearest of them suggested."""
    known = list(known)
    near = difflib.get_close_matches(str(name)[:SHOWN].lower(), known, n=2, cutoff=0.5)
    hint = f"{did_you_mean(map(repr, near))} known are {', '.join(known)}".lstrip()
    return UserError(f"unknown {kind} {short(name)}: {hint}")


def did_you_mean(near: Iterable[str], otherwise: str = "") -> str:
    """The question after a name that nobody knows, by the known ones that are like it; without any, `otherwise`.

    >>> did_you_mean(["'als'", "'ease'"]), did_you_mean([], "check the spelling")
    ("did you mean 'als' or 'ease'?", 'check the spelling')
    """
    names = " or ".join(near)
    return f"did you mean {names}?" if names else otherwise


def check_known(kind: str, known: Iterable[str], *names: str) -> None:
    """Raise the error of `unknown_name` for the first name that is not among the known ones."""
    known = list(known)
    for name in names:
        if name not in known:
            raise unknown_name(kind, name, known)


LARGEST = 2**31 - 1
"""The largest seed, and number of things, that may be asked for: what all libraries below take."""
SHOWN = 60
"""Characters of a value that a message repeats."""


def whole_number(name: str, value: Any, least: int = 1, most: int = LARGEST) -> int:
    """The value as an int, 5.0 as 5; a UserError where it is no whole number from `least` to `most`.

    >>> whole_number("seed", 0, least=0), whole_number("k", 5.0)
    (0, 5)
    """
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if not is_number or not least <= value <= most or value != int(value):
        raise UserError(f"{name} = {short(value)}: give a whole number from {least} to {most:,}")
    return int(value)


def short(value: Any) -> str:
    """A value as a message repeats it: not all of a very long one, and no control characters of a text.

    >>> short("yes"), short(10**5000), len(short("y" * 100))
    ("'yes'", 'a number of 5001 digits', 60)
    """
    if isinstance(value, Integral) and abs(value) >= 10**SHOWN:
        return f"a number of {digits(int(value))} digits"
    try:
        text = " ".join((str(value) if isinstance(value, Real) else repr(value)).split())
    except ValueError:  # it holds a number that is too long to be written out
        text = f"this {type(value).__name__}"
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 4]}...{text[-1]}"


def digits(number: int) -> int:
    """Decimal digits of a whole number that may be too long to be written out.

    >>> digits(-999), digits(10**5000)
    (3, 5001)
    """
    about = int(abs(number).bit_length() * math.log10(2))
    return about + (abs(number) >= 10**about)
