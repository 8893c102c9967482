"""Rows of several processes: every user's are one process's, nobody reads another's, and drawing is as in one."""

import re
from pathlib import Path

import numpy as np
import pytest

from common.splits.histories import Histories
from common.splits.shards import OthersRowsError, OwnValues, Shard, draw_of_own, shard, shard_of

WORLDS = (2, 3, 7)


@pytest.fixture(scope="module")
def histories() -> Histories:
    """40 users with 0 to 30 events, the first and the last of them without any."""
    rng = np.random.default_rng(0)
    lengths = np.concatenate([[0], rng.integers(0, 31, 38), [0]])
    users = np.repeat(np.arange(40), lengths)
    weights, times = rng.random(len(users)), rng.integers(0, 10**9, len(users))
    return Histories.from_events(users, rng.integers(0, 90, len(users)), weights, 40, 90, times)


@pytest.mark.parametrize("world", WORLDS)
def test_the_shards_are_the_whole_and_have_nothing_in_common(histories, world):
    shards = [shard_of(histories, rank, world) for rank in range(world)]
    users = np.concatenate([np.arange(40)[part.own_users] for part in shards])
    assert users.tolist() == list(range(40))
    for name in ("items", "weights", "timestamps"):
        together = np.concatenate([getattr(part.own, name) for part in shards])
        np.testing.assert_array_equal(together, getattr(histories, name))
    sizes = [len(part.own.items) for part in shards]
    assert max(sizes) - min(sizes) <= 2 * 30, "nearly the same number of events"
    for part in shards:
        assert (len(part), len(part.items)) == (40, len(histories.items))
        np.testing.assert_array_equal(part.lengths, histories.lengths)


@pytest.mark.parametrize("world", WORLDS)
def test_a_process_reads_its_own_users_and_is_refused_all_others(histories, world):
    for rank in range(world):
        part = shard_of(histories, rank, world)
        own = set(range(40)[part.own_users])
        for user in range(40):
            if user in own:
                np.testing.assert_array_equal(part[user], histories[user])
                np.testing.assert_array_equal(part.take([user]).timestamps, histories.take([user]).timestamps)
            elif histories.lengths[user]:
                for read in (lambda user=user, part=part: part[user], lambda user=user, part=part: part.take([user])):
                    with pytest.raises(OthersRowsError, match="holds events"):
                        read()


def test_all_rows_at_once_are_refused(histories):
    part = shard_of(histories, 1, 2)
    for read in (lambda: np.bincount(part.items), lambda: part.items[:], part.matrix, lambda: part.weights[0]):
        with pytest.raises(OthersRowsError):
            read()


def test_values_by_places():
    values = OwnValues(np.array([5, 6, 7]), 2, 9)
    assert values[2:4].tolist() == [5, 6]
    assert values[np.array([4, 2])].tolist() == [7, 5]
    assert values[3] == 6
    assert values[7:7].tolist() == []
    assert values[np.zeros(0, np.int64)].tolist() == []
    for places in (slice(1, 3), slice(4, 6), np.array([1]), -1, slice(None)):
        with pytest.raises(OthersRowsError):
            values[places]


@pytest.mark.parametrize("world", WORLDS)
def test_each_process_draws_what_one_would_draw_for_its_events(histories, world):
    alone = np.random.default_rng(3)
    drawn, after = draw_of_own(histories, alone), alone.permutation(20)
    parts = []
    for rank in range(world):
        rng = np.random.default_rng(3)
        parts.append(draw_of_own(shard_of(histories, rank, world), rng))
        assert rng.permutation(20).tolist() == after.tolist()
    np.testing.assert_array_equal(np.concatenate(parts), drawn)


def test_one_process_reads_everything(histories):
    assert shard(histories) is histories
    assert histories.own is histories
    assert histories.own_users == slice(0, 40)


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="only Linux tells which pages were touched")
@pytest.mark.parametrize("rank", [0, 1])
def test_only_the_own_pages_of_a_mapped_log_are_touched(tmp_path, rank):
    """A log of 12 M events, mapped: what one of two processes reads of it is half of the file.

    The system may map 2 MB at a time, so that small files would say little.
    """
    n = 12_000_000
    np.save(tmp_path / "items.npy", np.arange(n, dtype=np.int32))
    items = np.load(tmp_path / "items.npy", mmap_mode="r").view(np.ndarray)
    whole = Histories(np.arange(0, n + 1, 100), items, np.broadcast_to(np.float32(1), n), n)
    part = shard_of(whole, rank, 2)
    assert resident(tmp_path / "items.npy") < 0.1 * 4 * n, "cutting reads nothing"
    first = part.own_users.start * 100
    for block in range(0, n // 2, 1_000_000):
        assert (
            part.own.items[block : block + 1_000_000].sum() == np.arange(first + block, first + block + 1_000_000).sum()
        )
    assert 0.45 < resident(tmp_path / "items.npy") / (4 * n) < 0.6
    assert int(whole.items[::1024].astype(np.int64).sum()) > 0
    assert resident(tmp_path / "items.npy") > 0.95 * 4 * n, "reading everything is noticed"


def resident(path: Path) -> int:
    """Bytes of a mapped file that this process has touched."""
    found, mine = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            mine = line.endswith(str(path))
        elif mine and line.startswith("Rss:"):
            found += 1024 * int(line.split()[1])
    return found


def test_a_part_may_be_empty():
    one = Histories.from_lists([[], [1, 2, 3], []], 5)
    parts = [shard_of(one, rank, 3) for rank in range(3)]
    assert sorted(len(part.own.items) for part in parts) == [0, 0, 3]
    assert all(isinstance(part, Shard) for part in parts)
