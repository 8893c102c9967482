"""Events of a generated log: the same whatever is drawn together, never twice in a second, with habits."""

import numpy as np
import pytest

from common.data.synthetic.raw import draws
from common.data.synthetic.raw import world as worlds
from common.data.synthetic.raw.draws import events_of, plays_of, released, user_chunks
from common.data.synthetic.raw.world import RawLogSettings, build_world


@pytest.fixture(scope="module")
def world() -> worlds.World:
    return build_world(RawLogSettings(60_000, tracks=4_000, seed=1))


@pytest.fixture(scope="module")
def events(world) -> draws.Events:
    return events_of(world, np.arange(world.users))


def test_slices_of_time_and_of_users_make_up_the_whole(world, events):
    cut = worlds.ORIGIN + worlds.SPAN // 2
    users = np.arange(world.users)
    parts = [events_of(world, some, *ends) for some in (users[:7], users[7:]) for ends in ((0, cut), (cut, 2**40))]
    for field in ("user", "number", "time", "bits"):
        together = np.concatenate([getattr(part, field) for part in parts])
        order = np.lexsort((np.concatenate([p.number for p in parts]), np.concatenate([p.user for p in parts])))
        np.testing.assert_array_equal(together[order], getattr(events, field))


def test_every_event_is_there_and_in_the_order_of_time(world, events):
    np.testing.assert_array_equal(np.bincount(events.user), world.counts)
    later = np.diff(events.time)
    assert (later[np.diff(events.user) == 0] > 0).all()


def test_bits_depend_on_the_seed(world, events):
    other = build_world(RawLogSettings(60_000, tracks=4_000, seed=2))
    assert not np.isin(events_of(other, np.arange(50)).bits, events.bits).any()


def test_shares_of_repeated_and_broken_events(events):
    assert events.repeated.mean() == pytest.approx(worlds.REPEATED, rel=0.1)
    assert events.broken.mean() == pytest.approx(worlds.BROKEN, rel=0.1)
    assert not (events.repeated & events.broken).any()
    assert 0 < events.abroad.sum() < events.repeated.sum()


def test_users_come_back_to_their_favourites(world, events):
    plays = plays_of(world, events)
    pairs = len(np.unique(events.user * world.tracks + plays.track))
    assert 3 < len(events) / pairs < 8
    listeners = np.sort(np.bincount(plays.track))[::-1]
    assert listeners[:100].sum() > 5 * listeners[500:600].sum()


def test_a_late_track_is_not_played_before_its_release(world, events):
    plays = plays_of(world, events)
    block = plays.track // worlds.BLOCK
    late = block % draws.LATE_EVERY == draws.LATE_EVERY - 1
    assert late.any()
    assert (events.time[late] >= released(world, block[late])).all()


def test_misspelt_are_first_tracks_of_some_blocks(world, events):
    plays = plays_of(world, events)
    wrong = plays.track[plays.spelling == draws.SPELLINGS]
    assert len(wrong)
    assert (wrong % worlds.BLOCK == 0).all()
    assert (wrong // worlds.BLOCK % draws.TYPO_EVERY == 0).all()
    assert (plays.spelling == 0).mean() == pytest.approx(draws.CANONICAL, rel=0.02)
    assert set(plays.spelling) == set(range(draws.SPELLINGS + 1))


def test_chunks_hold_every_user_once_and_about_as_many_events(world):
    chunks = list(user_chunks(world, 5_000))
    np.testing.assert_array_equal(np.concatenate(chunks), np.arange(world.users))
    assert max(world.counts[chunk].sum() for chunk in chunks) < 5_000 + world.counts.max()
