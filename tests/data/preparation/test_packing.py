import numpy as np
import pytest

from common.data.preparation import packing
from common.data.preparation.packing import Events, Packing, packings

ROWS = [(7, 0, 0, 100), (7, 0, 0, 101), (7, 0, 1, 90), (7, 2, 0, 90), (8, 0, 2, 90), (9, 1, 0, 95)]


def columns(rows):
    users, tracks, parts, times = zip(*rows, strict=True)
    return Events(*(np.array(values, kind) for values, kind in zip((users, tracks, parts, times), "iibq", strict=True)))


def test_numbers_are_in_the_order_of_their_columns_and_come_back():
    packed_by = Packing(first_user=7, users=3, tracks=3, first_time=90, times=12)
    packed = packed_by.pack(columns(ROWS))
    assert packed.dtype == np.uint64
    assert np.array_equal(packed, np.sort(packed))
    assert [tuple(map(int, row)) for row in zip(*packed_by.unpack(packed), strict=True)] == ROWS
    assert [column.dtype for column in packed_by.unpack(packed)] == [np.int32, np.int32, np.int8, np.int64]


def test_pairs_and_slots_leave_the_time_out():
    packed_by = Packing(7, 3, 3, 90, 12)
    packed = packed_by.pack(columns(ROWS))
    assert np.diff(packed_by.pair(packed)).astype(bool).tolist() == [False, False, True, True, True]
    assert np.diff(packed_by.slot(packed)).astype(bool).tolist() == [False, True, True, True, True]
    assert packed_by.starts(packed).tolist() == [0, 2, 3, 4, 5]


def test_users_are_taken_in_ranges_whose_numbers_fit(monkeypatch):
    events = columns(ROWS)
    (rows, whole), *rest = packings(events, tracks=3)
    assert (rows, whole, rest) == (slice(None), Packing(7, 3, 3, 90, 12), [])
    monkeypatch.setattr(packing, "BITS", 1 + 2 + 2 + 4)
    parts = list(packings(events, tracks=3))
    assert [(part.first_user, part.users) for _, part in parts] == [(7, 2), (9, 1)]
    assert [np.asarray(rows).tolist() for rows, _ in parts] == [[True] * 5 + [False], [False] * 5 + [True]]
    monkeypatch.setattr(packing, "BITS", 2 + 2 + 4 - 1)
    with pytest.raises(OverflowError, match="3 tracks over 11 seconds are too many"):
        list(packings(events, tracks=3))


def test_the_largest_numbers_fit():
    tracks, times = 2**30, 2**31
    users = 2 ** (packing.BITS - 30 - 31 - 2)
    packed_by = Packing(0, users, tracks, -5, times)
    last = (users - 1, tracks - 1, 2, times - 6)
    assert [int(column[0]) for column in packed_by.unpack(packed_by.pack(columns([last])))] == list(last)


def test_no_events_need_no_packing():
    none = Events(*(np.empty(0, kind) for kind in "iibq"))
    assert list(packings(none, tracks=3)) == []
