"""What steps say against the ledger: equal is equal, and whatever differs or is missing is named."""

import copy

import pytest

from common.data.synthetic.raw.comparison import compare_steps, expected
from common.data.synthetic.raw.ledger import count
from common.data.synthetic.raw.world import build_world
from tests.data.synthetic.raw.small_log import SETTINGS


@pytest.fixture(scope="module")
def ledger() -> dict:
    world = build_world(SETTINGS)
    counted = count(world, (1_690_000_000, 1_700_000_000))
    return {
        "users": world.users,
        "scan": {"rows": 12_001},
        "validate": {"dropped": {"user_missing": 12_001 - sum(counted["normalise_timestamps"].values())}, "rows": 0},
    } | counted


@pytest.fixture
def steps(ledger) -> list[dict]:
    return [{"step": name, **copy.deepcopy(figures)} for name, figures in expected(ledger).items()]


def test_ten_steps_that_find_everything_agree(ledger, steps):
    compared, wrong = compare_steps(ledger, steps)
    assert (len(steps), wrong) == (10, [])
    assert compared >= 40


def test_a_figure_that_differs_is_named(ledger, steps):
    steps[4]["dropped"]["repeated"] -= 1
    right = ledger["deduplicate_events"]["dropped"]
    assert compare_steps(ledger, steps)[1] == [f"deduplicate_events dropped repeated: {right - 1} instead of {right}"]


def test_a_rule_that_drops_what_nobody_planted_is_named(ledger, steps):
    steps[7]["dropped"]["too_rare"] = 3
    assert compare_steps(ledger, steps)[1] == ["filter_bots dropped too_rare: 3 instead of None"]


def test_a_step_that_is_missing_is_named(ledger, steps):
    wrong = compare_steps(ledger, steps[:-1])[1]
    assert len(wrong) == 5
    assert all(sentence.startswith("write_tables") and "None instead of" in sentence for sentence in wrong)
