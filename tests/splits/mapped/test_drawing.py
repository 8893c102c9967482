"""Which users are evaluated, and the negatives of their pairs."""

import dataclasses
import logging
from typing import Any

import numpy as np
import pytest

from common.data.matrix_files import PARTS
from common.splits.mapped import drawing
from common.splits.mapped.drawing import draw, hash_matrices, new_pairs
from common.splits.store import load_split
from common.utils.errors import UserError


def pairs_of(files, users):
    """All (user, item) codes of some users."""
    return {(users[row], item) for part in PARTS for row, item in zip(*of_part(files, part, users), strict=True)}


def of_part(files, part, users):
    rows, places = files.part(part).places(users)
    return rows, files.part(part).indices[places]


def test_at_most_so_many_users_are_drawn_and_each_held_out_pair_has_negatives(matrices):
    files = matrices.matrix
    drawn = draw(files, seed=0, most=7)
    for part in ("valid", "test"):
        users = getattr(drawn, part)
        assert len(users) == 7
        assert (np.diff(users) > 0).all()
        assert (np.diff(files.part(part).indptr)[users] > 0).all()
    owned = pairs_of(files, np.arange(len(files.users)))
    assert len(drawn.negatives) == sum(
        len(new_pairs(files, part, getattr(drawn, part))[0]) for part in ("valid", "test")
    )
    for user, negatives in zip(drawn.negative_users, drawn.negatives, strict=True):
        own = negatives[negatives >= 0]
        assert len(set(own)) == len(own) == min(99, len(files.items) - sum(owner == user for owner, _ in owned))
        assert not {(user, item) for item in own} & owned


def test_another_seed_draws_other_users(matrices):
    first, again, other = (draw(matrices.matrix, seed, most=7) for seed in (0, 0, 1))
    assert first.test.tolist() == again.test.tolist() != other.test.tolist()
    assert hash_matrices(matrices.matrix, first) == hash_matrices(matrices.matrix, again)
    assert hash_matrices(matrices.matrix, first) != hash_matrices(matrices.matrix, other)


def test_of_very_many_pairs_some_get_negatives(matrices, monkeypatch):
    monkeypatch.setattr(drawing, "MOST_PAIRS", 20)
    drawn = draw(matrices.matrix, 0, 100)
    assert len(drawn.negatives) == len(drawn.negative_users) == 20


def test_fewer_users_are_told_and_are_another_split(matrices, caplog):
    caplog.set_level(logging.INFO)
    few = dataclasses.replace(matrices, test_users=5)
    split: Any = load_split(few, "temporal-s9")
    assert "test: 5 of 39 users are evaluated (--test-users)" in caplog.text
    assert split.info["evaluated"]["test"] == {"users": 5, "of": 39}
    assert load_split(matrices, "temporal-s9").info == split.info, "without the flag it is the split as it was drawn"
    all_of_them: Any = load_split(dataclasses.replace(matrices, test_users=1000), "temporal-s9")
    assert all_of_them.info["split_sha256"] != split.info["split_sha256"]
    assert len(all_of_them.drawing.test) == 39


def test_a_known_pair_is_no_new_one(repeated):
    files = repeated.matrix
    users = np.arange(len(files.users))
    before = set(zip(*of_part(files, "train", users), strict=True)) | set(
        zip(*of_part(files, "valid", users), strict=True)
    )
    new = list(zip(*new_pairs(files, "test", users), strict=True))
    assert new
    assert not set(new) & before
    assert len(new) < files.part("test").n_pairs


def test_changed_arrays_are_refused(tmp_path, matrices):
    split: Any = load_split(matrices, "temporal-s4")
    path = matrices.folder / "splits" / "temporal-s4" / "test.npy"
    np.save(path, split.drawing.test[:-1])
    with pytest.raises(UserError, match=r"test\.npy was changed since it was drawn; delete"):
        load_split(matrices, "temporal-s4")
