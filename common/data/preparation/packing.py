"""Events of few users as one whole number each, which sort many times faster than rows of columns."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from common.data.matrix_files import PARTS

LARGEST = 2**64
"""Numbers from here on do not fit."""


class Events(NamedTuple):
    """Columns of events, (events,) each: user, track int32, part int8 and time int64 in seconds."""

    user: np.ndarray
    track: np.ndarray
    part: np.ndarray
    time: np.ndarray


@dataclass(frozen=True)
class Packing:
    """How (user, track, part, time) become a number whose order is theirs: digits of four sizes.

    users: of these many from `first_user` on the numbers fit.
    """

    first_user: int
    users: int
    tracks: int
    first_time: int
    times: int

    def pack(self, events: Events) -> np.ndarray:
        """The numbers of events, uint64 (events,)."""
        packed = (events.user - self.first_user).astype(np.uint64)
        for column, size in ((events.track, self.tracks), (events.part, len(PARTS))):
            packed *= np.uint64(size)
            packed += column.astype(np.uint64)
        packed *= np.uint64(self.times)
        packed += (events.time - self.first_time).astype(np.uint64)
        return packed

    def unpack(self, packed: np.ndarray) -> Events:
        """The events of numbers."""
        rest, time = self._split(packed, self.times)
        rest, part = self._split(rest, len(PARTS))
        user, track = self._split(rest, self.tracks)
        users = user.astype(np.int32) + np.int32(self.first_user)
        return Events(users, track.astype(np.int32), part.astype(np.int8), time.astype(np.int64) + self.first_time)

    def pair(self, packed: np.ndarray) -> np.ndarray:
        """What stands for user and track alone, uint64 (events,)."""
        return packed // np.uint64(self.times * len(PARTS))

    def slot(self, packed: np.ndarray) -> np.ndarray:
        """What stands for user, track and part alone, uint64 (events,)."""
        return packed // np.uint64(self.times)

    @staticmethod
    def _split(packed: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
        above = packed // np.uint64(size)
        return above, packed - above * np.uint64(size)


def packings(events: Events, tracks: int) -> Iterator[tuple[np.ndarray | slice, Packing]]:
    """The events in ranges of users whose numbers fit: rows, as a mask or all of them, and the packing of each."""
    if not len(events.user):
        return
    low, high = int(events.user.min()), int(events.user.max())
    first, last = int(events.time.min()), int(events.time.max())
    most = LARGEST // (tracks * len(PARTS) * (last - first + 1))
    if not most:
        raise OverflowError(f"{tracks:,} tracks over {last - first:,} seconds are too many to be packed")
    for start in range(low, high + 1, most):
        users = min(most, high + 1 - start)
        whole = users == high + 1 - low
        rows = slice(None) if whole else (events.user >= start) & (events.user < start + users)
        yield rows, Packing(start, users, tracks, first, last - first + 1)
