"""Users and catalogue of a generated log: sizes as asked for, odd users among them, slices of like size."""

import numpy as np
import pytest

from common.data.synthetic.raw import world as worlds
from common.data.synthetic.raw.world import RawLogSettings, artist_of, build_world, work_of
from common.utils.errors import UserError


def test_the_largest_log_has_the_published_sizes():
    settings = RawLogSettings(800_000_000)
    assert round(settings.events / worlds.EVENTS_PER_USER, -4) == 1_370_000
    assert worlds.TRACKS == 805_000


def test_sizes_follow_the_settings():
    world = build_world(RawLogSettings(200_000, users=500, tracks=3_400, files=7))
    assert (world.users, world.tracks, world.files) == (500, 3_000, 7)
    rows = world.counts.sum() * (1 + worlds.REPEATED + worlds.BROKEN)
    assert rows == pytest.approx(200_000, rel=0.01)
    assert build_world(RawLogSettings(200_000)).users == round(200_000 / worlds.EVENTS_PER_USER)


def test_events_are_spread_as_among_listeners():
    world = build_world(RawLogSettings(3_000_000))
    people = world.counts[world.kind == worlds.PERSON]
    assert np.log(people).std() == pytest.approx(worlds.SPREAD, rel=0.1)
    per_day = people / np.maximum(1, people * world.gap[world.kind == worlds.PERSON] / worlds.DAY)
    assert per_day.max() <= worlds.MOST_A_DAY * 1.05
    assert (world.gap > 0).all()


def test_users_of_every_odd_kind_are_done_before_the_cut():
    world = build_world(RawLogSettings(10_000))
    for kind in (worlds.HASTY, worlds.STEADY, worlds.IMPOSSIBLE):
        chosen = world.kind == kind
        assert chosen.any()
        assert (world.start + world.gap * world.counts)[chosen].max() < worlds.ORIGIN + 0.6 * worlds.SPAN


def test_slices_of_time_are_of_like_size():
    world = build_world(RawLogSettings(500_000, files=10))
    ends = world.start + world.gap * world.counts
    middle = (world.start + ends) // 2
    assert np.histogram(np.r_[world.start, middle, ends], world.edges)[0].min() > 0
    assert (np.diff(world.edges) > 0).all()
    assert world.edges[0] == worlds.ORIGIN
    assert world.edges[-1] == worlds.ORIGIN + worlds.SPAN


def test_a_block_has_two_artists_and_seven_works():
    tracks = np.arange(2 * worlds.BLOCK)
    assert len(np.unique(artist_of(tracks))) == 2 * worlds.ARTISTS
    assert len(np.unique(work_of(tracks))) == 2 * worlds.WORKS
    assert {tuple(np.unique(artist_of(tracks)[work_of(tracks) == work])) for work in range(7)} == {(0,), (1,)}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"events": 10}, "events = 10"),
        ({"events": 10**6, "format": "xml"}, "unknown format 'xml'"),
        ({"events": 10**4, "users": 9_000}, "ask for fewer users"),
        ({"events": 10**4, "files": -1}, "files = -1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong, said):
    with pytest.raises(UserError, match=said):
        RawLogSettings(**wrong)
