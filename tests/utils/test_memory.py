"""How much memory a process may take: by flag, by the machine, by its container."""

import os
import sys
from pathlib import Path

import pytest

from common.utils import memory
from common.utils.errors import UserError
from common.utils.io import write_text

GB = 10**9


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """Control groups under the test's folder: the lines of /proc/self/cgroup, and the files of limits."""

    def made(lines: str, limits: dict[str, str]) -> int:
        write_text(tmp_path / "own", lines)
        for name, limit in limits.items():
            write_text(tmp_path / "cgroup" / name, f"{limit}\n")
        return memory._of_container()

    monkeypatch.setattr(memory, "OWN_CGROUPS", tmp_path / "own")
    monkeypatch.setattr(memory, "CGROUPS", tmp_path / "cgroup")
    return made


def test_version_two_is_limited_by_the_least_of_a_group_and_those_around_it(groups):
    limits = {"memory.max": "max", "a/memory.max": str(4 * GB), "a/b/memory.max": str(6 * GB)}
    assert groups("0::/a/b\n", limits) == 4 * GB
    assert groups("0::/other\n", limits) == 0, "no limit at all"


def test_a_container_sees_its_own_group_as_the_root(groups):
    assert groups("0::/docker/4711\n", {"memory.max": str(2 * GB)}) == 2 * GB


def test_version_one_and_both_side_by_side(groups):
    lines = "9:name=systemd:/\n4:cpu,memory:/job\n0::/\n"
    limits = {"cpu,memory/job/memory.limit_in_bytes": str(3 * GB), "unified/memory.max": str(5 * GB)}
    assert groups(lines, limits) == 3 * GB
    assert groups("4:memory:/job\n", {"memory/job/memory.limit_in_bytes": str(2**63 - 4096)}) == 0, "none was set"


@pytest.mark.parametrize("lines", ["", "nonsense\n", "0::\n", "4:memory\n"])
def test_what_says_nothing_of_a_container_limits_nothing(groups, lines):
    assert groups(lines, {"memory.max": "not a number"}) == 0


def test_the_container_counts_where_it_has_less_than_the_machine(monkeypatch):
    monkeypatch.setattr(memory, "_physical", lambda: 16 * GB)
    for container, expected in ((4 * GB, 4 * GB), (0, 16 * GB), (64 * GB, 16 * GB)):
        monkeypatch.setattr(memory, "_of_container", lambda container=container: container)
        assert memory.of_machine.__wrapped__() == expected


def test_other_systems_tell_or_are_taken_for_a_small_machine(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "OWN_CGROUPS", tmp_path / "absent")
    assert memory._of_container() == 0
    monkeypatch.setattr(os, "sysconf", lambda name: {"SC_PHYS_PAGES": 1000, "SC_PAGE_SIZE": 4096}[name], raising=False)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert memory.of_machine.__wrapped__() == 4_096_000
    monkeypatch.delattr(os, "sysconf")
    assert memory.of_machine.__wrapped__() == memory.UNKNOWN
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(memory, "_physical_of_windows", lambda: 7)
    assert memory.of_machine.__wrapped__() == 7


def test_seventy_percent_unless_told_otherwise_and_processes_share(monkeypatch):
    monkeypatch.setattr(memory, "of_machine", lambda: 10 * GB)
    assert (memory.limit(), memory.block_bytes()) == (7 * GB, memory.LARGEST_BLOCK)
    memory.use("2GB")
    assert (memory.limit(), memory.block_bytes()) == (2 * GB, GB // 2)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert memory.limit() == GB // 2
    memory.use("auto")
    assert memory.limit() == 7 * GB // 4


@pytest.mark.parametrize(
    "size", ["", "6", "GB", "6 bytes", "-6GB", "nanGB", "1MB", "1e3GB", "2000TB", "9" * 5000, "٦GB"]
)
def test_a_size_that_makes_no_sense_is_refused(size):
    sentence = "--memory .*: give a size from 100 MB to 1,000 TB, such as 6GB, or auto"
    with pytest.raises(UserError, match=sentence) as error:
        memory.use(size)
    assert len(str(error.value)) < 200


def test_what_needs_more_is_refused_with_the_figure_and_the_remedy():
    memory.use("1GB")
    memory.require("a small thing", 0.9 * GB, "")
    sentence = "ease needs about 3.2 TB of memory and may take 1 GB; lower it, or allow more with --memory"
    with pytest.raises(UserError, match=sentence):
        memory.require("ease", 3.2e12, "lower it")


def test_the_limit_of_this_machine_is_found():
    if not Path("/proc/self/cgroup").exists():
        pytest.skip("only Linux has control groups")
    assert 10**8 < memory.of_machine.__wrapped__() < 10**15
