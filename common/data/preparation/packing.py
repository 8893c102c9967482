"""Events of few users as one whole number each, which sort many times faster than rows of columns."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from common.data.matrix_files import PARTS

BITS = 64
BITS_OF_PART = (len(PARTS) - 1).bit_length()
BLOCK = 2**16
"""Events that are packed at a time: they stay in the processor's cache."""


class Events(NamedTuple):
    """Columns of events, (events,) each: user, track int32, part int8 and time int64 in seconds."""

    user: np.ndarray
    track: np.ndarray
    part: np.ndarray
    time: np.ndarray


@dataclass(frozen=True)
class Packing:
    """How (user, track, part, time) become a number whose order is theirs: four fields of bits.

    users: of these many from `first_user` on the numbers fit.
    """

    first_user: int
    users: int
    tracks: int
    first_time: int
    times: int

    @property
    def bits_of_time(self) -> int:
        """Bits below the part."""
        return _bits(self.times)

    @property
    def bits_of_track(self) -> int:
        """Bits between the part and the user."""
        return _bits(self.tracks)

    def pack(self, events: Events) -> np.ndarray:
        """The numbers of events, uint64 (events,)."""
        packed = np.empty(len(events.user), np.uint64)
        for start in range(0, len(packed), BLOCK):
            user, track, part, time = (column[start : start + BLOCK] for column in events)
            block = packed[start : start + BLOCK]
            block[:] = (user - self.first_user).astype(np.uint64)
            for column, bits in ((track, self.bits_of_track), (part, BITS_OF_PART)):
                block <<= np.uint64(bits)
                block |= column.astype(np.uint64)
            block <<= np.uint64(self.bits_of_time)
            block |= (time - self.first_time).astype(np.uint64)
        return packed

    def unpack(self, packed: np.ndarray) -> Events:
        """The events of numbers."""
        time = _lowest(packed, self.bits_of_time).astype(np.int64)
        time += self.first_time
        part = _lowest(self.slot(packed), BITS_OF_PART).astype(np.int8)
        pair = self.pair(packed)
        track = _lowest(pair, self.bits_of_track).astype(np.int32)
        user = (pair >> np.uint64(self.bits_of_track)).astype(np.int32)
        user += np.int32(self.first_user)
        return Events(user, track, part, time)

    def pair(self, packed: np.ndarray) -> np.ndarray:
        """What stands for user and track alone, uint64 (events,)."""
        return packed >> np.uint64(self.bits_of_time + BITS_OF_PART)

    def slot(self, packed: np.ndarray) -> np.ndarray:
        """What stands for user, track and part alone, uint64 (events,)."""
        return packed >> np.uint64(self.bits_of_time)

    def starts(self, packed: np.ndarray) -> np.ndarray:
        """Where, among sorted numbers, another user, track or part begins, int64."""
        return starts_of((packed[1:] ^ packed[:-1]) >= np.uint64(1 << self.bits_of_time))


def starts_of(changes: np.ndarray) -> np.ndarray:
    """Places where runs begin, int64; changes: whether each entry but the first differs from the one before it."""
    return np.append(0, np.flatnonzero(changes) + 1)


def _bits(size: int) -> int:
    """Bits that numbers below a size need."""
    return (size - 1).bit_length()


def _lowest(numbers: np.ndarray, bits: int) -> np.ndarray:
    return numbers & np.uint64((1 << bits) - 1)


def packings(events: Events, tracks: int) -> Iterator[tuple[np.ndarray | slice, Packing]]:
    """The events in ranges of users whose numbers fit: rows, as a mask or all of them, and the packing of each."""
    if not len(events.user):
        return
    low, high = int(events.user.min()), int(events.user.max())
    first, last = int(events.time.min()), int(events.time.max())
    left = BITS - _bits(tracks) - BITS_OF_PART - _bits(last - first + 1)
    if left < 0:
        raise OverflowError(f"{tracks:,} tracks over {last - first:,} seconds are too many to be packed")
    most = 1 << left
    for start in range(low, high + 1, most):
        users = min(most, high + 1 - start)
        whole = users == high + 1 - low
        rows = slice(None) if whole else (events.user >= start) & (events.user < start + users)
        if isinstance(rows, np.ndarray) and not rows.any():
            continue  # nobody between two users
        yield rows, Packing(start, users, tracks, first, last - first + 1)
