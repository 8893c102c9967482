"""A few users with their history, held-out items and every model's list."""

import re

import pytest

from common.cli.page import main
from common.reporting.html.leaderboards import find_boards
from common.reporting.html.sample_users import N_SAMPLED, SampleUsers, check_users
from common.utils.errors import UserError
from common.utils.io import read_parquet
from tests.reporting.html.conftest import STRANGER


def test_lists_hits_and_overlaps_are_those_of_the_files(world, flags, tmp_path):
    mine = next(path for path in world[0].glob("mine-*")) / "listen"
    main([*flags, "--users", STRANGER, "--page", str(tmp_path / "p.html")])
    text = (tmp_path / "p.html").read_text(encoding="utf-8")
    [shown] = re.findall(r'<div class="card user">.*?</table>', text, flags=re.DOTALL)
    tops, held_out = {}, set()
    for model in ("popularity", "item_knn"):
        lists = read_parquet(mine / model / "tuned/seed0/test/recommendations.parquet").astype({"item_id": object})
        own = lists[(lists["user_id"] == STRANGER) & (lists["rank"] <= 10)]
        tops[model] = own.sort_values("rank")["item_id"].tolist()
        targets = read_parquet(mine / model / "tuned/seed0/test/targets.parquet").astype({"item_id": object})
        held_out = set(targets[targets["user_id"] == STRANGER]["item_id"])
    cells = re.findall(r'<td data-item="([^"]+)" class="(hit)?">(.*?)</td>', shown)
    assert sorted(item for item, _, _ in cells) == sorted(tops["popularity"] + tops["item_knn"])
    both = set(tops["popularity"]) & set(tops["item_knn"])
    assert both
    for item, hit, cell in cells:
        assert (item in held_out) == bool(hit) == ("★" in cell)
        assert (item in both) == ('class="votes"' in cell)
    history = re.search(r"Visible history: (\d+) items", shown)
    assert history
    assert int(history[1]) + len(held_out) == 9


def test_without_the_data_items_go_by_their_ids(world, tmp_path):
    main(["--output-dir", str(world[0]), "--data-dir", str(tmp_path), "--page", str(tmp_path / "p.html")])
    text = (tmp_path / "p.html").read_text(encoding="utf-8")
    assert "items are shown by id" in text
    assert "Visible history" not in text


def test_the_first_few_are_shown_where_none_are_named_and_unknown_ones_are_refused(world):
    samples = [SampleUsers(board, world[1]) for board in find_boards(*world)]
    assert [len(sample.sample(())) for sample in samples] == [N_SAMPLED] * len(samples)
    assert sum(len(sample.sample([STRANGER])) for sample in samples) == 1
    check_users([STRANGER], samples)
    with pytest.raises(UserError, match="no evaluated user has that id"):
        check_users([STRANGER, "nobody-here"], samples)
